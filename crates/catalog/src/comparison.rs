//! Two SDP files side by side: a stream's, and an edge's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use crate::arrival::{self, Arrival};
use crate::catalog::Catalog;
use crate::config::Rtcp;
use crate::fit::{self, Consented};
use crate::problem::{Problem, Severity};
use crate::sdp::{Media, Session};

/// Whether an edge's SDP file fits a stream's, media by media. It does so exactly if the catalogue
/// would relay the stream by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Media by media, in order; as many as the file with more has.
    pub media: Vec<Compared>,
    /// What is wrong beyond a single media, and what may not be meant so.
    pub problems: Vec<Problem>,
}

/// One media of both files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// What the stream's file says, for people: `video H264/90000 pt 96`; none if it has no such
    /// media.
    pub stream: Option<String>,
    /// What the edge's file says.
    pub edge: Option<String>,
    /// Where it arrives: each RTP port.
    pub from: Vec<SocketAddr>,
    /// The edge's RTP ports, in the same order.
    pub to: Vec<u16>,
    /// Why it doesn't fit, if it doesn't.
    pub problem: Option<Problem>,
}

/// A file that was read.
struct Side<'a> {
    file: &'a Path,
    session: Session,
}

/// Where each media of the stream arrives, or why that can't be said.
type Arrivals = Result<Vec<Vec<Arrival>>, Problem>;

impl Comparison {
    /// Reads two SDP files and compares them. The edge's address is the one in its file. An error is
    /// a file that can't be read, or that is not an SDP.
    pub fn of(stream: &Path, edge: &Path) -> Result<Self, Problem> {
        let stream = Side { file: stream, session: Session::read(stream)? };
        let edge = Side { file: edge, session: Session::read(edge)? };
        let own = edge.session.media.iter().flat_map(|media| &media.connections);
        let own = own.map(|connection| connection.address).find(|address| !address.is_multicast());
        let address = own.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let arrivals = arrival::arrivals(&stream.session, stream.file, None);
        Ok(Self::made(&stream, &edge, &arrivals, address))
    }

    fn made(stream: &Side<'_>, edge: &Side<'_>, arrivals: &Arrivals, address: IpAddr) -> Self {
        let pairs = stream.session.media.len().max(edge.session.media.len());
        let media = (0..pairs).map(|at| compared(stream, edge, arrivals, at)).collect();
        let mut comparison = Self { media, problems: remarks(edge) };
        if comparison.fits() {
            comparison.judge(stream, edge, arrivals, address);
        }
        comparison
    }

    /// Whether they fit.
    pub fn fits(&self) -> bool {
        let wrong = |problem: &Problem| problem.severity == Severity::Error;
        !self.media.iter().any(|media| media.problem.is_some()) && !self.problems.iter().any(wrong)
    }

    /// What the catalogue makes of files whose medias fit one by one.
    fn judge(&mut self, stream: &Side<'_>, edge: &Side<'_>, arrivals: &Arrivals, address: IpAddr) {
        let (file, session, rtcp) = (edge.file, &edge.session, Rtcp::default());
        let consent = Consented { file, session, address, rtcp };
        let pairs = arrivals.as_ref().map_err(Clone::clone).and_then(|arrivals| {
            fit::pairs(&stream.session, arrivals, consent, &mut self.problems)
        });
        self.problems.extend(pairs.err());
    }
}

impl Catalog {
    /// Compares an edge's SDP file for a stream with the stream's. `None` if there is no such stream
    /// or no such edge; an error is a file of the edge's that can't be read, or that is not an SDP.
    pub fn compare(&self, stream: &str, edge: &str) -> Option<Result<Comparison, Problem>> {
        let (known, edge) = (self.stream(stream)?, self.edge(edge)?);
        let folder = &self.config().streams;
        let ours = folder.join(format!("{stream}.sdp"));
        let theirs = folder.join(format!("{stream}.{}.sdp", edge.name));
        let stream = Side { file: &ours, session: known.session.clone() };
        Some(Session::read(&theirs).map(|session| {
            let side = Side { file: &theirs, session };
            Comparison::made(&stream, &side, &known.arrivals, edge.address)
        }))
    }
}

fn compared(stream: &Side<'_>, edge: &Side<'_>, arrivals: &Arrivals, at: usize) -> Compared {
    let (ours, theirs) = (stream.session.media.get(at), edge.session.media.get(at));
    // If not all is known, it is asked of each media what is wrong with it.
    let arrivals = ours.map(|ours| match arrivals {
        Ok(all) => Ok(all.get(at).cloned().unwrap_or_default()),
        Err(_) => arrival::of_media(ours, None),
    });
    let rtp = |arrivals: &Vec<Arrival>| arrivals.iter().map(|one| one.rtp.socket()).collect();
    let from: Vec<SocketAddr> = arrivals.iter().flatten().map(rtp).next().unwrap_or_default();
    let targets = ours.zip(theirs).map(|(ours, theirs)| fit::targets(ours, theirs, from.len()));
    let about = |side: &Side<'_>, media: Option<&Media>, what: &str| {
        let problem = Problem::error(side.file, format!("media {} {what}", at + 1));
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
    Compared {
        stream: ours.map(fit::describe),
        edge: theirs.map(fit::describe),
        from,
        to: if to.is_empty() {
            theirs.map(|media| media.port).into_iter().collect()
        } else {
            to.into_iter().map(|(rtp, _)| rtp).collect()
        },
        problem,
    }
}

/// What an edge's server may not take, though it fits.
fn remarks(edge: &Side<'_>) -> Vec<Problem> {
    let of_media = |(at, media): (usize, &Media)| {
        let say = |what: &str| {
            let what = format!("media {} {what}", at + 1);
            Problem::warning(edge.file, what).at(media.line)
        };
        let named = |address: &IpAddr| !address.is_unspecified();
        let addressed = media.connections.iter().any(|one| named(&one.address));
        let filtered = !media.source_filters.is_empty();
        let remarks = [
            (media.port % 2 == 1).then(|| say("has an odd RTP port; some servers want even ones")),
            (!addressed).then(|| say("names no address of the edge (`c=`), and some servers then don't find the file")),
            filtered.then(|| say("has a source filter, which is about the multicast and not about what the edge gets")),
        ];
        remarks.into_iter().flatten()
    };
    edge.session.media.iter().enumerate().flat_map(of_media).collect()
}
