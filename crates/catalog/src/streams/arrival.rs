//! Where a stream's packets arrive at the origin.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use model::PayloadTypes;

use super::route::Source;
use crate::problem::Problem;
use crate::sdp::{Connection, Media, Session};

/// More pairs of ports than this in one stream are a mistake.
const MAX_PAIRS: usize = 512;

/// RTSP has 256 channels: two for each media.
const MAX_PULLED: usize = 128;

/// An RTP port with its RTCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) rtp: Arc<Source>,
    /// None if RTCP travels on the RTP port, or there is no port for it.
    pub(crate) rtcp: Option<Arc<Source>>,
}

impl Arrival {
    /// Both ports.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Arc<Source>> {
        std::iter::once(&self.rtp).chain(&self.rtcp)
    }
}

/// The arrivals of each media, in order; several for a media of several layers.
pub(crate) type Arrivals = Box<[Box<[Arrival]>]>;

/// The arrivals of the stream that `file` describes. Groups are joined on `interface`, unless the file
/// names one.
pub(crate) fn arrivals(
    session: &Session,
    file: &Path,
    interface: Option<&Arc<str>>,
) -> Result<Arrivals, Problem> {
    check_all(session, file)?;
    let media = session.relayed().map(|(number, media)| {
        of_media(media, interface)
            .map_err(|what| Problem::error(file, format!("media {number} {what}")).at(media.line))
    });
    let arrivals: Arrivals = media.collect::<Result<_, _>>()?;
    match arrivals.iter().map(|media| media.len()).sum() {
        0..=MAX_PAIRS => Ok(arrivals),
        pairs => Err(Problem::error(file, format!("has {pairs} ports, more than {MAX_PAIRS}"))),
    }
}

/// The arrivals of a pulled stream. Only the kinds and formats in its file count.
pub(crate) fn pulled(session: &Session, file: &Path) -> Result<Arrivals, Problem> {
    check_all(session, file)?;
    if session.relayed().count() > MAX_PULLED {
        return Err(Problem::error(file, format!("has more than {MAX_PULLED} media to pull")));
    }
    let indices = (0..u16::MAX).step_by(2);
    let arrivals = session.relayed().zip(indices).map(|((_, media), index)| {
        if !media.is_rtp() {
            let what = format!("is {}, and only RTP can be pulled", media.proto);
            return Err(Problem::error(file, what).at(media.line));
        }
        let rtcp = Source::of_pull(index + 1, PayloadTypes::default()).into();
        let rtp = Source::of_pull(index, media.named()).into();
        Ok(Box::from([Arrival { rtp, rtcp: Some(rtcp) }]))
    });
    arrivals.collect()
}

/// Fails if the file has nothing that can be relayed.
fn check_all(session: &Session, file: &Path) -> Result<(), Problem> {
    let Some(first) = session.media.first() else {
        return Err(Problem::error(file, "describes no media (no `m=` line)"));
    };
    if session.relayed().next().is_some() {
        return Ok(());
    }
    let what =
        format!("has no RTP: media 1 is {}, and only RTP over UDP can be relayed", first.proto);
    Err(Problem::error(file, what).at(first.line))
}

/// Warnings about sections of a stream's file that a relay does not carry, and about payload types that
/// other programs may take for RTCP.
pub(crate) fn remarks(session: &Session, file: &Path) -> Vec<Problem> {
    let carried: Vec<usize> = session.relayed().map(|(number, _)| number).collect();
    let mut remarks = Vec::new();
    for (number, media) in (1..).zip(&session.media) {
        let mut say = |what: String| {
            let what = format!("media {number} {what}");
            remarks.push(Problem::warning(file, what).at(media.line));
        };
        if !carried.contains(&number) {
            say(format!("is {}, not RTP, so it is left out", media.proto));
        } else if !media.rtcp_mux
            && let Some(format) = media.formats.iter().find(|one| media.named().contains(one.pt))
        {
            say(format!(
                "has the payload type {}, and packets of 64 to 95 look like RTCP to some programs; \
                 96 to 127 are safe",
                format.pt
            ));
        }
    }
    remarks
}

/// Fails if the media can't be relayed, from the origin or to an edge.
pub(crate) fn check(media: &Media) -> Result<(), String> {
    if !media.is_rtp() {
        return Err(format!("is {}, and only RTP over UDP can be relayed", media.proto));
    }
    if media.port == 0 {
        return Err("has port 0: it is switched off, or to be negotiated by RTSP".into());
    }
    Ok(())
}

/// The arrivals of one media.
pub(crate) fn of_media(
    media: &Media,
    interface: Option<&Arc<str>>,
) -> Result<Box<[Arrival]>, String> {
    check(media)?;
    let groups: Vec<(&Connection, IpAddr)> = media
        .connections
        .iter()
        .flat_map(|connection| connection.addresses().map(move |address| (connection, address)))
        .take(MAX_PAIRS + 1)
        .collect();
    let ports = usize::from(media.ports);
    let [first, ..] = groups[..] else {
        return Err("has no address (no `c=` line)".into());
    };
    // With several addresses and several ports, each address has one port (RFC 8866, 5.14).
    let pairs = match (groups.len(), ports) {
        (groups, 1) => groups,
        (1, ports) => ports,
        (groups, ports) if groups == ports => ports,
        (groups, ports) => return Err(format!("has {groups} addresses for {ports} ports")),
    };
    if pairs > MAX_PAIRS {
        return Err(format!("has {pairs} ports, more than {MAX_PAIRS}"));
    }
    (0..media.ports.max(1))
        .cycle()
        .zip(0..pairs)
        .map(|(step, pair)| {
            let (connection, group) = groups.get(pair).copied().unwrap_or(first);
            arrival(media, connection, group, step * 2, interface)
        })
        .collect()
}

/// The arrival at `group`, `step` ports above the media's first.
fn arrival(
    media: &Media,
    connection: &Connection,
    group: IpAddr,
    step: u16,
    interface: Option<&Arc<str>>,
) -> Result<Arrival, String> {
    let zone = connection.zone.as_deref().map(Arc::from);
    let interface = zone.or_else(|| interface.cloned());
    let source = |address: IpAddr, port: u16, named| {
        let address = address.to_canonical();
        if address.is_unspecified() {
            return Err(format!(
                "has the address {address}: name its group, or this host's address"
            ));
        }
        let senders = senders(media, connection.address, address)?;
        let interface = interface.clone().filter(|_| address.is_multicast());
        Ok(Arc::new(Source { address, port, senders, interface, named }))
    };
    let port = |first: u16| first.checked_add(step);
    let rtp = port(media.port).ok_or_else(|| "has ports above 65535".to_owned())?;
    let rtcp = media.rtcp_port().filter(|_| !media.rtcp_mux).and_then(port);
    let rtcp_address = media.rtcp.and_then(|rtcp| rtcp.address).unwrap_or(group);
    Ok(Arrival {
        rtp: source(group, rtp, media.named())?,
        rtcp: rtcp.map(|port| source(rtcp_address, port, PayloadTypes::default())).transpose()?,
    })
}

/// The senders that the filters allow for a group, which is `base` or one of its layers; none: any.
fn senders(media: &Media, base: IpAddr, group: IpAddr) -> Result<Box<[IpAddr]>, String> {
    let covering = || media.source_filters.iter().filter(|f| f.covers(group) || f.covers(base));
    if covering().any(|filter| !filter.include) {
        return Err("has a source filter that excludes; only `incl` can be relayed".into());
    }
    let senders = covering().flat_map(|filter| &filter.senders).map(IpAddr::to_canonical);
    let senders: BTreeSet<IpAddr> = senders.collect();
    match senders.iter().find(|sender| sender.is_ipv4() != group.is_ipv4()) {
        Some(sender) => Err(format!("has the sender {sender} for {group}, of another family")),
        None => Ok(senders.into_iter().collect()),
    }
}
