//! The SDP file that an edge is asked to put in place for a stream.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::arrival::Arrival;
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

/// An SDP file for an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The file's bytes, for STREAM.sdp on the edge.
    pub sdp: Vec<u8>,
    /// Each media in order, for people, with its first RTP port at the edge.
    pub media: Vec<(String, u16)>,
    /// The place of the same file in the catalogue: STREAM.EDGE.sdp.
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
    #[error("port {port} of {edge} is taken by {}; choose another", file.display())]
    Taken {
        /// The port.
        port: u16,
        /// The edge's name.
        edge: String,
        /// The file that names it.
        file: PathBuf,
    },
    /// The given ports do not fit the way the stream arrives.
    #[error("{0}")]
    Unfit(String),
    /// No ports are left.
    #[error(
        "{edge} has no {wanted} ports in a row left between 20000 and 32767; name ports yourself"
    )]
    Full {
        /// The edge's name.
        edge: String,
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

impl Catalog {
    /// The SDP file by which `edge` would take `stream`. Without `ports` (the first RTP port of each
    /// media) they are chosen by the stream's name, so that the choice is the same each time, and
    /// none is one that another SDP file of the edge's address has in the catalogue.
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
        let (needs, taken) = (needs(arrivals), self.taken(stream, edge));
        let ports = match ports {
            Some(ports) => given(stream, edge, ports, &needs, &taken)?,
            None => chosen(stream, edge, &needs, &taken)?,
        };
        let session = self.session(stream).map_err(OfferError::Stream)?;
        let mut taken: Vec<Option<Ports>> = vec![None; session.media.len()];
        for ((number, _), ports) in session.relayed().zip(&ports) {
            taken[number - 1] = Some(*ports);
        }
        let offer = Offer {
            sdp: rewritten(session.original(), edge.address, &taken),
            media: known.labels().zip(ports.iter().map(|(port, _)| *port)).collect(),
            file: self.consent_file(stream, &edge.name),
        };
        let original =
            Original { media: &known.media, arrivals, rtcp: known.rtcp, session: Some(&session) };
        fits(original, edge, &offer)?;
        Ok(offer)
    }

    /// The ports in the SDP files for this address, without the stream's own.
    fn taken(&self, stream: &str, edge: &Edge) -> HashMap<u16, PathBuf> {
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
        taken
    }
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

/// The ports that were asked for, if they are free.
fn given(
    stream: &str,
    edge: &Edge,
    ports: &[u16],
    needs: &[Need],
    taken: &HashMap<u16, PathBuf>,
) -> Result<Vec<Ports>, OfferError> {
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
            if let Some(file) = taken.get(&port) {
                let (edge, file) = (edge.name.clone(), file.clone());
                return Err(OfferError::Taken { port, edge, file });
            }
        }
    }
    Ok(ports.iter().copied().zip(needs.iter().map(|need| need.count)).collect())
}

/// Ports in a row that nobody has, sought from a place that the stream's name gives: so two offers
/// that are not in the catalogue yet seldom meet.
fn chosen(
    stream: &str,
    edge: &Edge,
    needs: &[Need],
    taken: &HashMap<u16, PathBuf>,
) -> Result<Vec<Ports>, OfferError> {
    let own = needs.iter().filter(|need| need.shares.is_none());
    let wanted = 2 * own.map(|need| u32::from(need.count)).sum::<u32>();
    let (low, high) = (*CHOICE.start(), *CHOICE.end());
    let free = |port: u32| u16::try_from(port).is_ok_and(|port| !taken.contains_key(&port));
    let places = (high + 1).saturating_sub(low + wanted) / 2 + 1;
    let start = hash(stream) % places;
    let first = (0..places)
        .map(|step| low + 2 * ((start + step) % places))
        .find(|&first| first + wanted <= high + 1 && (first..first + wanted).all(free));
    let full = || OfferError::Full { edge: edge.name.clone(), wanted };
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

/// A number that a name always gives (FNV-1a).
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
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
