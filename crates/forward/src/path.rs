//! What is to be forwarded: from which source, to which target.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Where packets of a flow arrive. Equal sources share one receiving socket.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Source {
    /// A multicast group, or a unicast address of this host.
    pub address: IpAddr,
    /// The UDP port.
    pub port: u16,
    /// Take packets of this sender only: a source-specific join (RFC 4607) for a group.
    pub sender: Option<IpAddr>,
    /// The name of the interface where a group is joined; without it the kernel's routes decide.
    pub interface: Option<String>,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", SocketAddr::new(self.address, self.port))?;
        if let Some(sender) = self.sender {
            write!(f, " from {sender}")?;
        }
        if let Some(interface) = &self.interface {
            write!(f, " on {interface}")?;
        }
        Ok(())
    }
}

/// Which packets of a source go out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Pass {
    /// All of them.
    #[default]
    Everything,
    /// Compound RTCP packets that begin with a sender report (RFC 3550, PT 200), nothing else.
    SenderReports,
    /// For RTP and RTCP on one port (RFC 5761): all of RTP, and of RTCP the sender reports.
    Multiplexed,
}

/// One UDP path: a source, its target, and what passes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    /// Where packets arrive.
    pub source: Source,
    /// Where they go: an edge's address and port, or a group's.
    pub target: SocketAddr,
    /// Which of them go.
    pub pass: Pass,
    /// How far and where they go if the target is a group; without it they stay on the network
    /// that the kernel's routes choose.
    pub multicast: Option<Multicast>,
}

/// How packets are sent to a multicast group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Multicast {
    /// IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS.
    pub ttl: u8,
    /// The name of the interface that they leave on; without it the kernel's routes decide.
    pub interface: Option<String>,
}

/// The paths of one media. Their two sockets send from an even and the next odd port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Media {
    /// RTP, sent from the even port.
    pub rtp: Path,
    /// RTCP, sent from the odd port, for edges that take it.
    pub rtcp: Option<Path>,
}
