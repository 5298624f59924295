//! The SDP file that an edge is asked to put in place for a stream.

use std::collections::HashMap;
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::arrival::{self, Arrival, Arrivals};
use super::route::Refusal;
use super::sdp_match::{self, Consent, Original};
use crate::catalog::Catalog;
use crate::config::edge::Edge;
use crate::problem::Problem;
use crate::sdp::{Ports, Session, rewritten};

/// The range of chosen ports: above those of well-known services, above 6970 to 9999, from which Darwin
/// Streaming Server sends to its viewers, and below those that Linux gives to outgoing connections
/// (net.ipv4.ip_local_port_range).
const CHOICE: RangeInclusive<u32> = 20_000..=32_767;

/// An SDP file for an edge, or for a streaming server on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The file's bytes, for STREAM.sdp on the edge.
    pub sdp: Vec<u8>,
    /// Each media in order, for people, with its first RTP port at the edge.
    pub media: Vec<(String, u16)>,
    /// The place of the same file in the catalogue: STREAM.EDGE.sdp. On this host: the stream's own.
    pub file: PathBuf,
}

/// Why there is no offer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// The stream or the edge is not in the catalogue.
    #[error(transparent)]
    Unknown(#[from] Refusal),
    /// The stream can't be relayed to any edge.
    #[error("{0}")]
    Stream(Problem),
    /// There must be a port for each media.
    #[error("{stream} has {media} media: give a port for each, not {given}")]
    Count {
        /// The stream's name.
        stream: String,
        /// How many media it has.
        media: usize,
        /// How many ports were given.
        given: usize,
    },
    /// RTP takes even ports, with RTCP on the next (RFC 3550, 11), and some servers insist on it.
    #[error("port {0} can't be used: RTP takes an even port of 2 to 65534, and RTCP the one above")]
    Odd(u16),
    /// Two media would share a port.
    #[error("port {0} was given for two media; each takes a port of its own, and the one above")]
    Twice(u16),
    /// Another stream has that port on the edge.
    #[error("port {port} of {address} is taken by {}; choose another", file.display())]
    Taken {
        /// The port.
        port: u16,
        /// The edge's address.
        address: IpAddr,
        /// The file that names it.
        file: PathBuf,
    },
    /// The given ports do not fit the way the stream arrives.
    #[error("{0}")]
    Unfit(String),
    /// No ports are left.
    #[error(
        "{address} has no {wanted} ports in a row left between 20000 and 32767; name ports yourself"
    )]
    Full {
        /// The edge's address.
        address: IpAddr,
        /// How many are needed.
        wanted: u32,
    },
}

/// How many RTP ports a media needs, and the index of the media whose ports it shares, if any.
#[derive(Clone, Copy, Debug)]
struct Need {
    count: u16,
    shares: Option<usize>,
}

/// The ports of an address that are taken, each with the file that names it.
struct Taken {
    address: IpAddr,
    ports: HashMap<u16, PathBuf>,
}

impl Catalog {
    /// The SDP file by which `edge` would take `stream`. `ports` names the first RTP port of each media.
    /// Without it the ports are those of the edge's file in the catalogue, if they can be used, or else
    /// ones that no other SDP file for the edge's address has and that only this host can compute,
    /// because strangers could send packets to ports that they guess. They are the same until this host
    /// is booted again.
    pub fn offer(
        &self,
        stream: &str,
        edge: &str,
        ports: Option<&[u16]>,
    ) -> Result<Offer, OfferError> {
        let known = self.stream(stream).ok_or_else(|| Refusal::UnknownStream(stream.to_owned()))?;
        let edge = self.edge(edge).ok_or_else(|| Refusal::UnknownEdge(edge.to_owned()))?;
        let arrivals = known.arrivals.as_ref();
        let arrivals = arrivals.map_err(|problem| OfferError::Stream((**problem).clone()))?;
        let session = self.session(stream).map_err(OfferError::Stream)?;
        let file = self.consent_file(stream, &edge.name);
        let (needs, taken) = (needs(arrivals), self.taken(stream, edge));
        let saved = || {
            let saved = Session::read(&file).ok()?;
            let ports: Vec<u16> = saved.relayed().map(|(_, media)| media.port).collect();
            taken.given(stream, &ports, &needs).ok()
        };
        let ports = match ports {
            Some(ports) => taken.given(stream, ports, &needs)?,
            None => saved().map_or_else(|| taken.chosen(&needs, random(stream)), Ok)?,
        };
        let offer = written(&session, edge.address, &ports, file);
        let original =
            Original { media: &known.media, arrivals, rtcp: known.rtcp, session: Some(&session) };
        fits(original, edge, &offer)?;
        Ok(offer)
    }

    /// The SDP file for a streaming server on this host that gets a copy of `stream` at the address that
    /// the encoder sends to, but on other ports, chosen as those of an offer.
    pub fn local_copy(&self, stream: &str) -> Result<Offer, OfferError> {
        let file = self.sdp_file(stream);
        let session = Session::read(&file).map_err(OfferError::Stream)?;
        let arrivals: Arrivals =
            arrival::arrivals(&session, &file, None).map_err(OfferError::Stream)?;
        let sources: Vec<_> = arrivals.iter().flatten().flat_map(Arrival::sources).collect();
        let address = sources.first().map_or(IpAddr::from([127, 0, 0, 1]), |one| one.address);
        let ports = sources.iter().map(|source| (source.port, file.clone())).collect();
        let ports = Taken { address, ports }.chosen(&needs(&arrivals), random(stream))?;
        Ok(written(&session, address, &ports, file))
    }

    /// The ports in the SDP files for this edge's address, without the stream's own.
    fn taken(&self, stream: &str, edge: &Edge) -> Taken {
        let mut taken = HashMap::new();
        let same = self.edges().iter().filter(|other| other.address == edge.address);
        for other in same.flat_map(|edge| self.streams().map(move |one| (&one.name, &edge.name))) {
            let file = self.consent_file(other.0, other.1);
            if other == (&stream.to_owned(), &edge.name) {
                continue;
            }
            let Ok(session) = Session::read(&file) else { continue };
            for media in &session.media {
                for port in span(media.port, media.ports.max(media.address_count())) {
                    taken.entry(port).or_insert_with(|| file.clone());
                }
                taken.extend(media.rtcp_port().map(|port| (port, file.clone())));
            }
        }
        Taken { address: edge.address, ports: taken }
    }
}

/// The stream's file with this address and these ports.
fn written(session: &Session, address: IpAddr, ports: &[Ports], file: PathBuf) -> Offer {
    let mut all: Vec<Option<Ports>> = vec![None; session.media.len()];
    for ((number, _), ports) in session.relayed().zip(ports) {
        all[number - 1] = Some(*ports);
    }
    let media = session.relayed().zip(ports);
    Offer {
        sdp: rewritten(session.original(), address, &all),
        media: media.map(|((_, media), (port, _))| (media.format().label(), *port)).collect(),
        file,
    }
}

/// A number that looks random to other hosts, and is the same for a stream until the next boot: a hash
/// that is keyed with the kernel's random boot identifier.
fn random(stream: &str) -> u64 {
    let Ok(key) = std::fs::read("/proc/sys/kernel/random/boot_id") else {
        return RandomState::new().hash_one(stream);
    };
    let mut hash = DefaultHasher::new();
    (key, stream).hash(&mut hash);
    hash.finish()
}

/// RTP and RTCP ports from the first on; none above 65535.
fn span(first: u16, count: u16) -> impl Iterator<Item = u16> {
    let ports = u32::from(first)..u32::from(first) + 2 * u32::from(count);
    ports.filter_map(|port| u16::try_from(port).ok())
}

/// Media that arrive on one port can't be told apart, so the edge takes them on one port too.
fn needs(arrivals: &[Box<[Arrival]>]) -> Vec<Need> {
    let shared = |at: usize, media: &[Arrival]| {
        arrivals.iter().take(at).position(|other| {
            other.iter().any(|one| media.iter().any(|two| one.rtp.overlaps(&two.rtp)))
        })
    };
    let need = |(at, media): (usize, &[Arrival])| Need {
        count: u16::try_from(media.len()).unwrap_or(u16::MAX),
        shares: shared(at, media),
    };
    arrivals.iter().map(|media| &**media).enumerate().map(need).collect()
}

impl Taken {
    /// The ports that were asked for, if they are free.
    fn given(&self, stream: &str, ports: &[u16], needs: &[Need]) -> Result<Vec<Ports>, OfferError> {
        if ports.len() != needs.len() {
            let (stream, media, given) = (stream.to_owned(), needs.len(), ports.len());
            return Err(OfferError::Count { stream, media, given });
        }
        let mut used = HashMap::new();
        for (at, (&first, need)) in ports.iter().zip(needs).enumerate() {
            if first == 0
                || first % 2 == 1
                || span(first, need.count).count() < 2 * usize::from(need.count)
            {
                return Err(OfferError::Odd(first));
            }
            let own = need.shares.unwrap_or(at);
            for port in span(first, need.count) {
                if *used.entry(port).or_insert(own) != own {
                    return Err(OfferError::Twice(port));
                }
                if let Some(file) = self.ports.get(&port) {
                    let (address, file) = (self.address, file.clone());
                    return Err(OfferError::Taken { port, address, file });
                }
            }
        }
        Ok(ports.iter().copied().zip(needs.iter().map(|need| need.count)).collect())
    }

    /// Free ports in a row; a random number says where to begin.
    fn chosen(&self, needs: &[Need], random: u64) -> Result<Vec<Ports>, OfferError> {
        let own = needs.iter().filter(|need| need.shares.is_none());
        let wanted = 2 * own.map(|need| u32::from(need.count)).sum::<u32>();
        let (low, high) = (*CHOICE.start(), *CHOICE.end());
        let free =
            |port: u32| u16::try_from(port).is_ok_and(|port| !self.ports.contains_key(&port));
        let places = (high + 1).saturating_sub(low + wanted) / 2 + 1;
        let start = u32::try_from(random % u64::from(places)).unwrap_or(0);
        let first = (0..places)
            .map(|step| low + 2 * ((start + step) % places))
            .find(|&first| first + wanted <= high + 1 && (first..first + wanted).all(free));
        let full = || OfferError::Full { address: self.address, wanted };
        let mut next = first.and_then(|first| u16::try_from(first).ok()).ok_or_else(full)?;
        let mut ports: Vec<Ports> = Vec::new();
        for need in needs {
            let first = need.shares.and_then(|other| ports.get(other)).map(|shared| shared.0);
            ports.push((first.unwrap_or(next), need.count));
            if first.is_none() {
                next = next.saturating_add(2 * need.count);
            }
        }
        Ok(ports)
    }
}

/// Checks that the catalogue would relay the stream by the offer.
fn fits(stream: Original<'_>, edge: &Edge, offer: &Offer) -> Result<(), OfferError> {
    let unfit = |problem: Problem| OfferError::Unfit(problem.brief());
    let session = Session::parse(&offer.sdp)
        .map_err(|error| unfit(Problem::error(&offer.file, error.what).at(error.line)))?;
    let consent = Consent { file: &offer.file, session: &session, address: edge.address };
    sdp_match::pairs(stream, consent, &mut Vec::new()).map_err(unfit)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_chooses_the_ports() {
        let free = Taken { address: [192, 0, 2, 1].into(), ports: HashMap::new() };
        let need = [Need { count: 1, shares: None }];
        let port = |random| free.chosen(&need, random).unwrap()[0].0;
        assert_eq!((port(0), port(7)), (20_000, 20_014));
        assert_eq!(port(u64::from(u32::MAX)) % 2, 0);
        assert!(random("news") == random("news") && random("news") != random("sport"));
    }
}
