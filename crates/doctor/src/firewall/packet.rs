//! A packet as a firewall sees it, as far as it is known beforehand.

use std::net::{IpAddr, SocketAddr};

use catalog::Source;

/// What is inside the IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// ICMP or ICMPv6 destination-unreachable, which belongs to a flow that goes out.
    Unreachable,
    /// A group's query.
    Igmp,
    /// UDP to this port.
    Udp(u16),
}

/// A packet that comes in, or goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// Whether it goes out.
    pub(crate) outgoing: bool,
    /// Whether it is IPv6.
    pub(crate) v6: bool,
    /// What it is.
    pub(crate) protocol: Protocol,
    /// Where it is sent; none: to one of this host's addresses, or not known.
    pub(crate) target: Option<IpAddr>,
    /// Who sends it, if that is known.
    pub(crate) sender: Option<IpAddr>,
    /// The interface that it comes in on or goes out by, if that is known; never the loopback.
    pub(crate) interface: Option<String>,
}

impl Packet {
    /// What an edge answers with when its port is closed.
    pub(crate) fn refusal(v6: bool) -> Self {
        let protocol = Protocol::Unreachable;
        Self { outgoing: false, v6, protocol, target: None, sender: None, interface: None }
    }

    /// A packet of a relay, on its way to an edge.
    pub(crate) fn relayed(to: SocketAddr, interface: &str) -> Self {
        Self {
            outgoing: true,
            v6: to.is_ipv6(),
            protocol: Protocol::Udp(to.port()),
            target: Some(to.ip()),
            sender: None,
            interface: Some(interface.to_owned()),
        }
    }

    /// A packet of a stream.
    pub(crate) fn media(source: &Source) -> Self {
        Self {
            outgoing: false,
            v6: source.address.is_ipv6(),
            protocol: Protocol::Udp(source.port),
            target: Some(source.address),
            sender: source.sender,
            interface: source.interface.as_deref().map(str::to_owned),
        }
    }

    /// The chains that it comes through.
    pub(crate) fn hooks(&self) -> [&'static str; 2] {
        if self.outgoing { ["output", "postrouting"] } else { ["prerouting", "input"] }
    }

    /// What connection tracking calls it. A multicast is never answered, and so stays new, as does what
    /// is relayed to an edge.
    pub(crate) fn state(&self) -> &'static str {
        match self.protocol {
            Protocol::Unreachable => "related",
            Protocol::Igmp | Protocol::Udp(_) => "new",
        }
    }
}
