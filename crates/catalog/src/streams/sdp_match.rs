//! Matches an edge's SDP against a stream's.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path as FilePath;
use std::sync::Arc;

use super::arrival::{self, Arrival};
use super::route::{Multicast, Pair, Pass, Path, Source};
use crate::config::Rtcp;
use crate::problem::Problem;
use crate::sdp::{Format, Media, MediaFormat, Session};

/// A stream that is to be sent somewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Original<'a> {
    pub(crate) media: &'a [Arc<MediaFormat>],
    pub(crate) arrivals: &'a [Box<[Arrival]>],
    /// Which of its RTCP is sent.
    pub(crate) rtcp: Rtcp,
    /// Its SDP file, if that could be read: the edge's file may differ from it in ways that are worth
    /// a warning.
    pub(crate) session: Option<&'a Session>,
}

/// The edge's consent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consent<'a> {
    pub(crate) file: &'a FilePath,
    pub(crate) session: &'a Session,
    /// The edge's address; its ports are those in the file.
    pub(crate) address: IpAddr,
}

/// The flows from a stream's arrivals to an edge, or why the files do not fit. What may not be meant
/// so goes to `warnings`.
pub(crate) fn pairs(
    stream: Original<'_>,
    edge: Consent<'_>,
    warnings: &mut Vec<Problem>,
) -> Result<Box<[Pair]>, Problem> {
    let theirs: Vec<(usize, &Media)> = edge.session.relayed().collect();
    if stream.media.len() != theirs.len() {
        let (ours, theirs) = (stream.media.len(), theirs.len());
        let what = format!("has {}, the stream has {ours}", count(theirs, "media"));
        return Err(Problem::error(edge.file, what));
    }
    let mut pairs: Vec<Pair> = Vec::new();
    let aim = Aim { address: Some(edge.address), rtcp: stream.rtcp, multicast: None };
    let described = stream.session.map(|session| session.relayed().collect::<Vec<_>>());
    let media = stream.media.iter().zip(theirs).zip(stream.arrivals);
    for (index, ((ours, (number, theirs)), arrivals)) in media.enumerate() {
        let problem =
            |what| Problem::error(edge.file, format!("media {number} {what}")).at(theirs.line);
        let targets = targets(ours, theirs, arrivals.len()).map_err(problem)?;
        let described = described.as_ref().and_then(|all| all.get(index)).map(|(_, media)| *media);
        let warning =
            |what| Problem::warning(edge.file, format!("media {number} {what}")).at(theirs.line);
        let remarks = remarks(ours, described, theirs, edge.address);
        warnings.extend(remarks.into_iter().map(warning));
        for (step, (arrival, ports)) in arrivals.iter().zip(targets).enumerate() {
            let label = label(ours, step, arrivals.len());
            place(&mut pairs, aim.pair(label, ours, arrival, ports)).map_err(problem)?;
        }
    }
    separate_rtcp(&mut pairs, edge, warnings);
    Ok(pairs.into())
}

/// A pair's label: the media's, with a number if the media has several pairs.
pub(crate) fn label(media: &MediaFormat, step: usize, count: usize) -> String {
    match count {
        1 => media.label(),
        many => format!("{} {}/{many}", media.label(), step + 1),
    }
}

/// A target's RTP port, and its RTCP port if there is one.
pub(crate) type Ports = (u16, Option<u16>);

/// Where pairs go, and how.
pub(crate) struct Aim {
    /// None: to the address that each arrives at.
    pub(crate) address: Option<IpAddr>,
    /// Which RTCP is sent.
    pub(crate) rtcp: Rtcp,
    pub(crate) multicast: Option<Arc<Multicast>>,
}

impl Aim {
    /// The pair of an arrival.
    pub(crate) fn pair(
        &self,
        label: String,
        media: &MediaFormat,
        arrival: &Arrival,
        ports: Ports,
    ) -> Pair {
        // With a=rtcp-mux the RTP port carries RTCP too.
        let mixed = media.rtcp_mux && self.rtcp != Rtcp::All;
        let rtp = if mixed { Pass::Multiplexed } else { Pass::Everything };
        let rtcp = match self.rtcp {
            Rtcp::None => None,
            Rtcp::All => Some(Pass::Everything),
            Rtcp::SenderReports => Some(Pass::SenderReports),
        };
        let path = |source: &Arc<Source>, port, pass| Path {
            source: source.clone(),
            target: SocketAddr::new(self.address.unwrap_or(source.address), port),
            pass,
            multicast: self.multicast.clone(),
        };
        let rtcp = arrival.rtcp.as_ref().zip(ports.1).zip(rtcp);
        Pair {
            label,
            rtp: path(&arrival.rtp, ports.0, rtp),
            rtcp: rtcp.map(|((source, port), pass)| path(source, port, pass)),
        }
    }
}

/// The edge's ports for a media: RTP, and RTCP if there is one.
pub(crate) fn targets(
    ours: &MediaFormat,
    theirs: &Media,
    wanted: usize,
) -> Result<Vec<Ports>, String> {
    arrival::check(theirs)?;
    let format = theirs.format();
    if !same_codecs(&ours.formats, &format.formats) || ours.kind != format.kind {
        return Err(format!("is {format}, the stream's is {ours}"));
    }
    if ours.secure != format.secure {
        let stream = if ours.secure { "encrypted (RTP/SAVP)" } else { "not encrypted (RTP/AVP)" };
        return Err(format!("is {}, but the stream is {stream}", theirs.proto));
    }
    let addresses: usize = theirs.connections.iter().map(|c| usize::from(c.count)).sum();
    let offered = addresses.max(usize::from(theirs.ports));
    if offered != wanted {
        let (ports, theirs) = (count(wanted, "port"), count(offered, "port"));
        return Err(format!("has {theirs}, the stream's has {ports} (RTP with its RTCP)"));
    }
    let steps = (0..=u16::MAX).step_by(2).take(wanted);
    let port = |step| Some((theirs.port.checked_add(step)?, theirs.rtcp_port()));
    steps
        .map(|step| {
            let (rtp, rtcp) = port(step).ok_or("has ports above 65535")?;
            Ok((rtp, rtcp.and_then(|rtcp| rtcp.checked_add(step))))
        })
        .collect()
}

fn same_codecs(ours: &[Format], theirs: &[Format]) -> bool {
    // No payload type is listed twice, so one inclusion is enough.
    ours.len() == theirs.len() && ours.iter().all(|one| theirs.iter().any(|two| one.fits(two)))
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 || noun == "media" { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Adds a pair. Media that arrive on one port can't be told apart, so one pair carries them, and the
/// edge must take them on one port too.
fn place(pairs: &mut Vec<Pair>, pair: Pair) -> Result<(), String> {
    match pairs.iter_mut().find(|other| other.rtp.source.overlaps(&pair.rtp.source)) {
        None => pairs.push(pair),
        Some(other) if other.rtp == pair.rtp => {
            other.label = format!("{} + {}", other.label, pair.label);
        }
        Some(other) => {
            let (arrives, port) = (pair.rtp.source.socket(), other.rtp.target.port());
            return Err(format!(
                "arrives on {arrives} together with {}, so the edge must take both on port {port}",
                other.label
            ));
        }
    }
    Ok(())
}

/// Leaves out RTCP if its port is another media's RTP port, because it would carry or disturb that
/// media.
fn separate_rtcp(pairs: &mut [Pair], edge: Consent<'_>, warnings: &mut Vec<Problem>) {
    let sources: HashSet<SocketAddr> = pairs.iter().map(|p| p.rtp.source.socket()).collect();
    let targets: HashSet<SocketAddr> = pairs.iter().map(|p| p.rtp.target).collect();
    for pair in pairs {
        let own = pair.rtp.target;
        let mixed = |path: &mut Path| {
            let taken = path.target != own && targets.contains(&path.target);
            taken || sources.contains(&path.source.socket())
        };
        if let Some(rtcp) = pair.rtcp.take_if(mixed) {
            let (from, to) = (rtcp.source.port, rtcp.target.port());
            let label = &pair.label;
            let what = format!(
                "the RTCP of {label} ({from} to {to}) is left out: that is another media's RTP port"
            );
            warnings.push(Problem::warning(edge.file, what));
        }
    }
}

/// Differences of a media that fits which may not be meant so. `described` is the stream's own
/// section, if its file was read.
fn remarks(
    ours: &MediaFormat,
    described: Option<&Media>,
    theirs: &Media,
    target: IpAddr,
) -> Vec<String> {
    let mut remarks = Vec::new();
    if ours.rtcp_mux && !theirs.rtcp_mux {
        let what = "has no a=rtcp-mux and the stream's has: RTCP will come on the RTP port";
        remarks.push(what.to_owned());
    }
    // Most often the edge's file is a copy from before the encoder's settings changed.
    let redescribed = |format: &&Format| {
        let parameters = described.map(|media| media.parameters(format.pt)).unwrap_or_default();
        !parameters.is_empty() && parameters != theirs.parameters(format.pt)
    };
    if let Some(format) = ours.formats.iter().find(redescribed) {
        remarks.push(format!(
            "does not describe {format} as the stream's file does (a=fmtp); players go by the edge's"
        ));
    }
    if described.is_some_and(|media| !media.shares_keys(theirs)) {
        let what = "has other keys than the stream's file (a=crypto); players need the stream's";
        remarks.push(what.to_owned());
    }
    let mut named = theirs.connections.iter().map(|c| c.address.to_canonical());
    let other = named
        .find(|address| !address.is_multicast() && !address.is_unspecified() && *address != target);
    if let Some(address) = other {
        remarks.push(format!(
            "names the address {address}, but packets go to {target}, the edge's address in \
             dynrelay.toml"
        ));
    }
    remarks
}
