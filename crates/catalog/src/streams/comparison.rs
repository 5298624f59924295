//! Two SDP files side by side: a stream's and an edge's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use super::arrival::{self, Arrivals};
use super::sdp_match::{self, Consent, Original};
use crate::config::Rtcp;
use crate::problem::{Problem, Severity};
use crate::sdp::{Media, MediaFormat, Session};

/// Whether an edge's SDP file fits a stream's, media by media. The files fit exactly if the catalogue
/// would relay the stream by them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Media by media, in order; as many as the longer file has.
    pub media: Vec<Compared>,
    /// Faults beyond a single media, and probable mistakes.
    pub problems: Vec<Problem>,
}

/// One media of both files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The stream's, for people: `video H264/90000 pt 96`; none if the stream has no such media.
    pub stream: Option<String>,
    /// The edge's.
    pub edge: Option<String>,
    /// Where it arrives: each RTP port.
    pub from: Vec<SocketAddr>,
    /// The edge's RTP ports, in the same order.
    pub to: Vec<u16>,
    /// Why it doesn't fit, if it doesn't.
    pub problem: Option<Problem>,
}

/// A file that was read.
pub(crate) struct Side<'a> {
    pub(crate) file: &'a Path,
    pub(crate) session: Session,
}

impl<'a> Side<'a> {
    pub(crate) fn read(file: &'a Path) -> Result<Self, Problem> {
        Ok(Self { file, session: Session::read(file)? })
    }
}

impl Comparison {
    /// Reads two SDP files and compares them. The edge's address is the one in its file. Fails if a
    /// file can't be read, or is not SDP.
    pub fn of(stream: &Path, edge: &Path) -> Result<Self, Problem> {
        let (stream, edge) = (Side::read(stream)?, Side::read(edge)?);
        let own = edge.session.media.iter().flat_map(|media| &media.connections);
        let own = own.map(|connection| connection.address).find(|address| !address.is_multicast());
        let address = own.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let arrivals = arrival::arrivals(&stream.session, stream.file, None);
        Ok(Self::made(&stream, &edge, arrivals.as_ref(), address))
    }

    /// Compares two files. `arrivals` says where the stream arrives, or why that is not known.
    pub(crate) fn made(
        stream: &Side<'_>,
        edge: &Side<'_>,
        arrivals: Result<&Arrivals, &Problem>,
        address: IpAddr,
    ) -> Self {
        let count = stream.session.relayed().count().max(edge.session.relayed().count());
        let media = (0..count).map(|at| compared(stream, edge, arrivals, at)).collect();
        let mut comparison = Self { media, problems: remarks(edge) };
        if comparison.fits() {
            let pairs = arrivals.map_err(Clone::clone).and_then(|arrivals| {
                let (media, session) = (stream.session.formats(), Some(&stream.session));
                let rtcp = Rtcp::default();
                let stream = Original { media: &media, arrivals, rtcp, session };
                let consent = Consent { file: edge.file, session: &edge.session, address };
                sdp_match::pairs(stream, consent, &mut comparison.problems)
            });
            comparison.problems.extend(pairs.err());
        }
        comparison
    }

    /// Whether they fit.
    pub fn fits(&self) -> bool {
        let wrong = |problem: &Problem| problem.severity == Severity::Error;
        !self.media.iter().any(|media| media.problem.is_some()) && !self.problems.iter().any(wrong)
    }
}

fn compared(
    stream: &Side<'_>,
    edge: &Side<'_>,
    arrivals: Result<&Arrivals, &Problem>,
    at: usize,
) -> Compared {
    let (ours, theirs) = (stream.session.relayed().nth(at), edge.session.relayed().nth(at));
    let number = theirs.or(ours).map_or(at + 1, |(number, _)| number);
    let [ours, theirs] = [ours, theirs].map(|media| media.map(|(_, media)| media));
    // If the arrivals are not known, each media says what is wrong with it.
    let arrivals = ours.map(|ours| match arrivals {
        Ok(all) => Ok(all.get(at).cloned().unwrap_or_default()),
        Err(_) => arrival::of_media(ours, None),
    });
    let rtp = arrivals.iter().flatten().flatten().map(|one| one.rtp.socket());
    let from: Vec<SocketAddr> = rtp.collect();
    let targets = ours.zip(theirs);
    let targets =
        targets.map(|(ours, theirs)| sdp_match::targets(&ours.format(), theirs, from.len()));
    let about = |side: &Side<'_>, media: Option<&Media>, what: &str| {
        let problem = Problem::error(side.file, format!("media {number} {what}"));
        media.map_or(problem.clone(), |media| problem.at(media.line))
    };
    let problem = match (&arrivals, &targets) {
        (None, _) => Some(about(edge, theirs, "is one that the stream doesn't have")),
        (Some(Err(what)), _) => Some(about(stream, ours, what)),
        (_, None) => Some(about(edge, None, "is missing: the stream has it")),
        (_, Some(Err(what))) => Some(about(edge, theirs, what)),
        (_, Some(Ok(_))) => None,
    };
    let to = targets.and_then(Result::ok).unwrap_or_default();
    let described =
        |media: Option<&Media>| media.map(Media::format).as_ref().map(MediaFormat::to_string);
    Compared {
        stream: described(ours),
        edge: described(theirs),
        from,
        to: if to.is_empty() {
            theirs.map(|media| media.port).into_iter().collect()
        } else {
            to.into_iter().map(|(rtp, _)| rtp).collect()
        },
        problem,
    }
}

/// Warnings about an edge's file that fits, but that some servers do not take.
fn remarks(edge: &Side<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, media) in edge.session.relayed() {
        let named = media.connections.iter().any(|one| !one.address.is_unspecified());
        let remarks = [
            (media.port % 2 == 1, "has an odd RTP port; some servers want even ones"),
            (
                !named,
                "names no address of the edge (`c=`), and some servers then don't find the file",
            ),
            (
                !media.source_filters.is_empty(),
                "has a source filter, which is about the multicast and not about what the edge gets",
            ),
        ];
        problems.extend(remarks.into_iter().filter(|(there, _)| *there).map(|(_, what)| {
            Problem::warning(edge.file, format!("media {number} {what}")).at(media.line)
        }));
    }
    problems
}
