//! Bringing a stream's SDP and an edge's together.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path as FilePath;

use crate::arrival::{self, Arrival};
use crate::config::Rtcp;
use crate::problem::Problem;
use crate::route::{Pair, Pass, Path, Source};
use crate::sdp::{Format, Media, Session};

/// What an edge agreed to take, and which RTCP it is to get.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consented<'a> {
    pub(crate) file: &'a FilePath,
    pub(crate) session: &'a Session,
    /// The edge's address; its ports are the file's.
    pub(crate) address: IpAddr,
    pub(crate) rtcp: Rtcp,
}

/// The pairs of flows from a stream's arrivals to an edge, or why there can't be any. What may
/// not be meant so goes to `warnings`.
pub(crate) fn pairs(
    stream: &Session,
    arrivals: &[Vec<Arrival>],
    edge: Consented<'_>,
    warnings: &mut Vec<Problem>,
) -> Result<Vec<Pair>, Problem> {
    if stream.media.len() != edge.session.media.len() {
        let (ours, theirs) = (stream.media.len(), edge.session.media.len());
        let what = format!("has {}, the stream has {ours}", count(theirs, "media"));
        return Err(Problem::error(edge.file, what));
    }
    let mut pairs: Vec<Pair> = Vec::new();
    let medias = stream.media.iter().zip(&edge.session.media).zip(arrivals);
    for (index, ((ours, theirs), arrivals)) in medias.enumerate() {
        let number = index + 1;
        let problem =
            |what| Problem::error(edge.file, format!("media {number} {what}")).at(theirs.line);
        let targets = targets(ours, theirs, arrivals.len()).map_err(problem)?;
        warn(number, ours, theirs, edge, warnings);
        for (step, (arrival, (rtp, rtcp))) in arrivals.iter().zip(targets).enumerate() {
            let label = match arrivals.len() {
                1 => ours.label(),
                many => format!("{} {}/{many}", ours.label(), step + 1),
            };
            let pair = Pair {
                kind: ours.kind.clone(),
                label,
                rtp: path(&arrival.rtp, edge.address, rtp, rtp_pass(ours, edge.rtcp)),
                rtcp: rtcp_path(arrival, rtcp, edge),
            };
            place(&mut pairs, pair).map_err(problem)?;
        }
    }
    separate_rtcp(&mut pairs, edge, warnings);
    Ok(pairs)
}

/// The edge's ports for a media: RTP, and RTCP if there is one.
pub(crate) fn targets(
    ours: &Media,
    theirs: &Media,
    wanted: usize,
) -> Result<Vec<(u16, Option<u16>)>, String> {
    arrival::check(theirs)?;
    if !same_codecs(&ours.formats, &theirs.formats) || ours.kind != theirs.kind {
        return Err(format!("is {}, the stream's is {}", describe(theirs), describe(ours)));
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
    // Each payload type is there once, so that one inclusion is enough.
    ours.len() == theirs.len() && ours.iter().all(|one| theirs.iter().any(|two| one.fits(two)))
}

/// The first payload type whose parameters the edge's file doesn't have as the stream's does, if that
/// has any: most often a copy from before the encoder was set up anew.
fn redescribed<'a>(ours: &'a [Format], theirs: &[Format]) -> Option<&'a Format> {
    ours.iter().filter(|one| one.fmtp.is_some()).find(|one| {
        let same = theirs.iter().find(|two| two.pt == one.pt);
        same.is_some_and(|two| one.parameters() != two.parameters())
    })
}

/// For people: `video H264/90000 pt 96`.
pub(crate) fn describe(media: &Media) -> String {
    let formats: Vec<String> = media.formats.iter().map(Format::to_string).collect();
    format!("{} {}", media.kind, formats.join(", "))
}

pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 || noun == "media" { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

fn path(source: &Source, address: IpAddr, port: u16, pass: Pass) -> Path {
    let target = SocketAddr::new(address, port);
    Path { source: source.clone(), target, pass, multicast: None }
}

/// What passes on the RTP port: with `a=rtcp-mux` there is RTCP among it.
pub(crate) fn rtp_pass(ours: &Media, rtcp: Rtcp) -> Pass {
    if ours.rtcp_mux && rtcp != Rtcp::All { Pass::Multiplexed } else { Pass::Everything }
}

fn rtcp_path(arrival: &Arrival, port: Option<u16>, edge: Consented<'_>) -> Option<Path> {
    let pass = rtcp_pass(edge.rtcp)?;
    Some(path(arrival.rtcp.as_ref()?, edge.address, port?, pass))
}

/// What passes on an RTCP port; none: it isn't used.
pub(crate) fn rtcp_pass(rtcp: Rtcp) -> Option<Pass> {
    match rtcp {
        Rtcp::None => None,
        Rtcp::All => Some(Pass::Everything),
        Rtcp::SenderReports => Some(Pass::SenderReports),
    }
}

/// Adds a pair. Two medias that arrive on one port can't be told apart, so they go on together,
/// provided that the edge takes them on one port too.
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

/// Leaves out RTCP where its port is another media's RTP port: it would carry that media, or
/// disturb it.
fn separate_rtcp(pairs: &mut [Pair], edge: Consented<'_>, warnings: &mut Vec<Problem>) {
    let sources: HashSet<SocketAddr> = pairs.iter().map(|p| p.rtp.source.socket()).collect();
    let targets: HashSet<SocketAddr> = pairs.iter().map(|p| p.rtp.target).collect();
    for pair in pairs {
        let own = pair.rtp.target;
        let mixed = |path: &Path| {
            let taken = path.target != own && targets.contains(&path.target);
            taken || sources.contains(&path.source.socket())
        };
        if let Some(rtcp) = pair.rtcp.take_if(|rtcp| mixed(rtcp)) {
            let (from, to) = (rtcp.source.port, rtcp.target.port());
            let label = &pair.label;
            let what = format!(
                "the RTCP of {label} ({from} to {to}) is left out: that is another media's RTP port"
            );
            warnings.push(Problem::warning(edge.file, what));
        }
    }
}

fn warn(
    number: usize,
    ours: &Media,
    theirs: &Media,
    edge: Consented<'_>,
    warnings: &mut Vec<Problem>,
) {
    let mut say = |what: String| {
        let what = format!("media {number} {what}");
        warnings.push(Problem::warning(edge.file, what).at(theirs.line));
    };
    if ours.rtcp_mux && !theirs.rtcp_mux {
        say("has no a=rtcp-mux and the stream's has: RTCP will come on the RTP port".into());
    }
    if let Some(format) = redescribed(&ours.formats, &theirs.formats) {
        say(format!(
            "does not describe {format} as the stream's file does (a=fmtp); players go by the edge's"
        ));
    }
    let target = edge.address;
    let other =
        theirs.connections.iter().map(|c| c.address.to_canonical()).find(|address| {
            !address.is_multicast() && !address.is_unspecified() && *address != target
        });
    if let Some(address) = other {
        say(format!(
            "names the address {address}, but packets go to {target}, the edge's address in \
             dynrelay.toml"
        ));
    }
}
