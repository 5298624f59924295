//! The paths that packets take: from a source to a target.

use model::PayloadTypes;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Where packets arrive. Equal sources share one socket.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Source {
    /// A multicast group, or a unicast address of this host.
    pub address: IpAddr,
    /// The UDP port.
    pub port: u16,
    /// Accept only these senders' packets; for a group by source-specific joins (RFC 4607). Empty:
    /// everybody's.
    pub senders: Vec<IpAddr>,
    /// Accept only packets from this port of the same address. The caller trusts the sender there, so
    /// no loop is looked for. For addresses of this host only.
    pub peer: Option<u16>,
    /// The name of the interface to join a group on; `None` lets the routes decide.
    pub interface: Option<String>,
    /// The payload types that are RTP here although they look like RTCP.
    pub named: PayloadTypes,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", SocketAddr::new(self.address, self.port))?;
        for (at, sender) in self.senders.iter().enumerate() {
            write!(f, "{}{sender}", if at == 0 { " from " } else { ", " })?;
        }
        if let Some(interface) = &self.interface {
            write!(f, " on {interface}")?;
        }
        Ok(())
    }
}

/// Which packets of a source pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Pass {
    /// All.
    #[default]
    Everything,
    /// Only compound RTCP packets that begin with a sender report (RFC 3550, 6.4.1).
    SenderReports,
    /// For RTP and RTCP on one port (RFC 5761): all RTP, and RTCP as [`Pass::SenderReports`].
    Multiplexed,
}

/// One UDP path: a source, a target, and what passes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    /// Where packets arrive.
    pub source: Source,
    /// The address and port of an edge or a group.
    pub target: SocketAddr,
    /// Which packets pass.
    pub pass: Pass,
    /// How to send if the target is a group. `None`: one hop, on the interface that the routes
    /// choose.
    pub multicast: Option<Multicast>,
}

/// How to send to a multicast group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Multicast {
    /// How many hops packets travel: IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS.
    pub ttl: u8,
    /// The name of the interface to send on; `None` lets the routes decide.
    pub interface: Option<String>,
}

/// The paths of one media.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Media {
    /// RTP, sent from the even port.
    pub rtp: Path,
    /// RTCP, sent from the next, odd port, for edges that take it.
    pub rtcp: Option<Path>,
}
