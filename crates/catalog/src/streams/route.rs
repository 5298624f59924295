//! The path of a stream's packets to an edge.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use model::PayloadTypes;

/// Where each flow of a stream arrives, and where it goes at an edge. A relay that runs needs no
/// change if its route after a reload equals the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The stream's name.
    pub stream: String,
    /// The edge's name.
    pub edge: String,
    /// The flows, media by media; at least one.
    pub pairs: Box<[Pair]>,
}

/// An RTP flow and its RTCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// For people: `video H264`, `video H264 2/3`, `video H264 + audio MPA`.
    pub label: String,
    /// The RTP.
    pub rtp: Path,
    /// Its RTCP; none if RTCP is not relayed, or travels on the RTP port.
    pub rtcp: Option<Path>,
}

/// One UDP path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// Where its packets arrive.
    pub source: Arc<Source>,
    /// Where they are sent.
    pub target: SocketAddr,
    /// Which of them are sent.
    pub pass: Pass,
    /// How they are sent, if the target is a multicast group.
    pub multicast: Option<Arc<Multicast>>,
}

/// How packets are sent to a multicast group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Multicast {
    /// The IP time to live: 0 reaches this host only, 1 its network.
    pub ttl: u8,
    /// The interface that they leave on; none: the routing table decides.
    pub interface: Option<Arc<str>>,
}

/// Where packets arrive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// The multicast group, or a unicast address of this host; unspecified if a pull brings them.
    pub address: IpAddr,
    /// The UDP port. For a pull: the flow's index, see [`Source::pulled`].
    pub port: u16,
    /// The senders whose packets are taken (source-specific multicast), sorted; none: any sender.
    pub senders: Box<[IpAddr]>,
    /// The interface to join the group on; none: the routing table decides.
    pub interface: Option<Arc<str>>,
    /// The payload types that are RTP here although they look like RTCP; none for an RTCP port.
    pub named: PayloadTypes,
}

impl Source {
    /// A flow of a pull: RTP and RTCP of its media, in order, counted from 0. Its address and port
    /// are known only while the pull runs.
    pub(crate) fn of_pull(index: u16, named: PayloadTypes) -> Self {
        let address = Ipv4Addr::UNSPECIFIED.into();
        Self { address, port: index, senders: Box::default(), interface: None, named }
    }

    /// The index among the flows of a pull; none for a stream that arrives by itself.
    pub fn pulled(&self) -> Option<usize> {
        self.address.is_unspecified().then_some(self.port.into())
    }

    /// Address and port.
    pub fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }

    /// Whether a packet could arrive at both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.senders, &other.senders);
        let anybody = ours.is_empty() || theirs.is_empty();
        self.socket() == other.socket()
            && (anybody || ours.iter().any(|sender| theirs.contains(sender)))
    }
}

/// Which packets of a flow are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// All.
    Everything,
    /// Compound RTCP packets that begin with a sender report.
    SenderReports,
    /// RTP and RTCP on one port (`a=rtcp-mux`): all RTP, and the sender reports of RTCP.
    Multiplexed,
}

/// Why a stream can't be relayed to an edge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The catalogue has no such stream.
    #[error("there is no stream `{0}`")]
    UnknownStream(String),
    /// The catalogue has no such edge.
    #[error("there is no edge `{0}`")]
    UnknownEdge(String),
    /// The edge's SDP file for the stream is missing.
    #[error("{edge} has not agreed to take {stream}: there is no {stream}.{edge}.sdp")]
    NoConsent {
        /// The stream's name.
        stream: String,
        /// The edge's name.
        edge: String,
    },
    /// Both SDP files are there, but do not fit.
    #[error("{0}")]
    Unfit(String),
}

impl Route {
    /// Every flow: RTP before its RTCP, pair by pair.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.pairs.iter().flat_map(|pair| std::iter::once(&pair.rtp).chain(&pair.rtcp))
    }
}
