//! Which way a stream goes to an edge.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A stream's way to an edge: where each flow's packets arrive, and where they are sent.
/// Two equal routes need no change to a relay that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The stream's name.
    pub stream: String,
    /// The edge's name.
    pub edge: String,
    /// The flows, media by media; at least one.
    pub pairs: Vec<Pair>,
}

/// An RTP flow and its RTCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// `video`, `audio`, …
    pub kind: String,
    /// For people: `video H264`, `video H264 2/3`, `video H264 + audio MPA`.
    pub label: String,
    /// The media itself.
    pub rtp: Path,
    /// The reports about it; none if they are not relayed, or travel on the RTP port.
    pub rtcp: Option<Path>,
}

/// One UDP path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// Where its packets arrive.
    pub source: Source,
    /// Where they are sent.
    pub target: SocketAddr,
    /// Which of them.
    pub pass: Pass,
    /// How far and where, if the target is a multicast group.
    pub multicast: Option<Multicast>,
}

/// How packets are sent to a multicast group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Multicast {
    /// How many routers they may pass, and one more: 0 is this host only, 1 its network.
    pub ttl: u8,
    /// The interface that they leave on; none: as the routing table says.
    pub interface: Option<String>,
}

/// Where packets arrive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// The multicast group, or a unicast address of this host; unspecified for what is pulled.
    pub address: IpAddr,
    /// The UDP port; of what is pulled, its place: see [`Source::pulled`].
    pub port: u16,
    /// The only sender that is listened to (source-specific multicast); none: any.
    pub sender: Option<IpAddr>,
    /// The interface to join the group on; none: as the routing table says.
    pub interface: Option<String>,
}

impl Source {
    /// What a pull of the stream brings: RTP and RTCP of its medias, in order, counted from 0. Where
    /// that arrives is not known before it is pulled.
    pub(crate) fn of_pull(place: u16) -> Self {
        let address = Ipv4Addr::UNSPECIFIED.into();
        Self { address, port: place, sender: None, interface: None }
    }

    /// The place among what a pull brings; none for what arrives by itself.
    pub fn pulled(&self) -> Option<usize> {
        self.address.is_unspecified().then_some(self.port.into())
    }

    /// Address and port.
    pub fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }

    /// Whether a packet could arrive at both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let senders =
            self.sender.is_none() || other.sender.is_none() || self.sender == other.sender;
        senders && self.socket() == other.socket()
    }
}

/// Which packets of a flow are sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// All.
    Everything,
    /// Compound RTCP packets that begin with a sender report.
    SenderReports,
    /// RTP and RTCP on one port (`a=rtcp-mux`): all RTP, and of RTCP the sender reports.
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
    /// The edge's SDP file for the stream is not there.
    #[error("{edge} has not agreed to take {stream}: there is no {stream}.{edge}.sdp")]
    NoConsent {
        /// The stream's name.
        stream: String,
        /// The edge's name.
        edge: String,
    },
    /// Both files are there, but can't be brought together.
    #[error("{0}")]
    Unfit(String),
}

impl Route {
    /// Every flow: RTP before its RTCP, pair by pair.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.pairs.iter().flat_map(|pair| std::iter::once(&pair.rtp).chain(&pair.rtcp))
    }
}
