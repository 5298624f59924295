//! A packet as a firewall sees it, as far as it is known beforehand, and whether an expression of
//! nft is about it.

use std::net::{IpAddr, SocketAddr};

use catalog::Source;
use serde_json::Value;

/// The protocol inside the IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// ICMP or ICMPv6 destination-unreachable, which belongs to a flow that goes out.
    Unreachable,
    /// A query for the members of a group.
    Igmp,
    /// UDP to this port.
    Udp(u16),
}

/// A packet that comes in, or goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// Whether it goes out.
    pub(super) outgoing: bool,
    /// Whether it is IPv6.
    pub(super) v6: bool,
    /// Its protocol.
    pub(super) protocol: Protocol,
    /// Where it is sent; none: to an address of this host, or unknown.
    pub(super) target: Option<IpAddr>,
    /// Its sender, if known.
    pub(super) sender: Option<IpAddr>,
    /// The interface that it comes in on or goes out by, if that is known; never the loopback.
    pub(super) interface: Option<String>,
}

/// Whether an expression is about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Meant {
    No,
    /// It depends on something that isn't known here.
    Maybe,
    Yes,
}

impl From<bool> for Meant {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// The name and the content of an object with one member, as all of nft's expressions are.
pub(super) fn member(value: &Value) -> Option<(&str, &Value)> {
    value.as_object()?.iter().next().map(|(name, inner)| (name.as_str(), inner))
}

impl Packet {
    /// An edge's answer from a closed port.
    pub(super) fn refusal(v6: bool) -> Self {
        let protocol = Protocol::Unreachable;
        Self { outgoing: false, v6, protocol, target: None, sender: None, interface: None }
    }

    /// A packet of a relay, on its way to an edge.
    pub(super) fn relayed(to: SocketAddr, interface: &str) -> Self {
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
    pub(super) fn media(source: &Source) -> Self {
        Self {
            outgoing: false,
            v6: source.address.is_ipv6(),
            protocol: Protocol::Udp(source.port),
            target: Some(source.address),
            sender: source.senders.first().copied(),
            interface: source.interface.as_deref().map(str::to_owned),
        }
    }

    /// The hooks that it passes.
    pub(super) fn hooks(&self) -> [&'static str; 2] {
        if self.outgoing { ["output", "postrouting"] } else { ["prerouting", "input"] }
    }

    /// Whether `right` is, or contains, the packet's value for `left`. Where that value is not known,
    /// the expression may or may not be about the packet.
    pub(super) fn matches(&self, left: &Value, right: &Value) -> Meant {
        // Nothing that matters here uses the loopback.
        if right == "lo" {
            return Meant::No;
        }
        let Some(words) = self.value(left) else { return Meant::Maybe };
        words.iter().map(|word| is(word, right)).max().unwrap_or(Meant::No)
    }

    /// The value for the left side of an expression, in each of its spellings; no spelling if this
    /// kind of packet has no such value. None if it is not known.
    fn value(&self, left: &Value) -> Option<Vec<String>> {
        let (kind, what) = member(left)?;
        let text = |name: &str| what.get(name).and_then(Value::as_str).unwrap_or_default();
        match kind {
            "payload" => self.field(text("protocol"), text("field")),
            "meta" => self.meta(text("key")),
            "ct" if text("key") == "state" => Some(vec![self.connection().to_owned()]),
            _ => None,
        }
    }

    /// A field of a header.
    fn field(&self, protocol: &str, field: &str) -> Option<Vec<String>> {
        let has = match protocol {
            "ip" | "ip6" => (protocol == "ip6") == self.v6,
            "icmp" | "icmpv6" => {
                self.protocol == Protocol::Unreachable && (protocol == "icmpv6") == self.v6
            }
            "igmp" => self.protocol == Protocol::Igmp,
            "udp" | "th" => matches!(self.protocol, Protocol::Udp(_)),
            "tcp" | "sctp" | "dccp" | "esp" | "ah" | "vlan" | "arp" => false,
            _ => return None,
        };
        match (field, self.protocol) {
            _ if !has => Some(Vec::new()),
            ("protocol" | "nexthdr", _) => Some(self.number()),
            ("daddr", _) => Some(vec![self.target?.to_string()]),
            ("saddr", _) => Some(vec![self.sender?.to_string()]),
            ("dport", Protocol::Udp(port)) => Some(vec![port.to_string()]),
            ("type", Protocol::Unreachable) => Some(vec!["destination-unreachable".to_owned()]),
            ("code", Protocol::Unreachable) => Some(vec!["port-unreachable".to_owned()]),
            ("type", Protocol::Igmp) => Some(vec!["membership-query".to_owned()]),
            _ => None,
        }
    }

    /// Something that is known of a packet besides its headers.
    fn meta(&self, key: &str) -> Option<Vec<String>> {
        let multicast = self.target.is_some_and(|it| it.is_multicast());
        Some(match key {
            "l4proto" => self.number(),
            "nfproto" => vec![if self.v6 { "ipv6" } else { "ipv4" }.to_owned()],
            "pkttype" => vec![if multicast { "multicast" } else { "host" }.to_owned()],
            "iifname" | "iif" if self.outgoing => Vec::new(),
            "oifname" | "oif" if !self.outgoing => Vec::new(),
            "iifname" | "iif" | "oifname" | "oif" => vec![self.interface.clone()?],
            _ => return None,
        })
    }

    /// The protocol's number and name.
    fn number(&self) -> Vec<String> {
        let words = match self.protocol {
            Protocol::Unreachable if self.v6 => ["58", "ipv6-icmp"],
            Protocol::Unreachable => ["1", "icmp"],
            Protocol::Igmp => ["2", "igmp"],
            Protocol::Udp(_) => ["17", "udp"],
        };
        words.map(str::to_owned).into()
    }

    /// Its state in connection tracking. A multicast is never answered, and so stays new, as does a
    /// relay's packet on its way to an edge.
    fn connection(&self) -> &'static str {
        match self.protocol {
            Protocol::Unreachable => "related",
            Protocol::Igmp | Protocol::Udp(_) => "new",
        }
    }
}

/// Whether a word is, or is in, the right side of an expression: a value, a prefix, a range, a set.
fn is(word: &str, right: &Value) -> Meant {
    let address = || word.parse::<IpAddr>().ok();
    match right {
        Value::Number(number) => (number.to_string() == word).into(),
        Value::String(name) if name.starts_with('@') => Meant::Maybe,
        Value::String(name) => match (name.strip_suffix('*'), address()) {
            (Some(prefix), _) => word.starts_with(prefix).into(),
            (None, Some(address)) => (name.parse() == Ok(address)).into(),
            (None, None) => (name == word).into(),
        },
        Value::Array(items) => items.iter().map(|item| is(word, item)).max().unwrap_or(Meant::No),
        _ => match member(right) {
            Some(("set", items)) => is(word, items),
            Some(("elem", element)) => is(word, &element["val"]),
            Some(("prefix", prefix)) => {
                let text =
                    format!("{}/{}", prefix["addr"].as_str().unwrap_or_default(), prefix["len"]);
                let network = text.parse::<ipnet::IpNet>().ok().zip(address());
                network.map_or(Meant::Maybe, |(network, address)| network.contains(&address).into())
            }
            Some(("range", range)) => within(word, range).map_or(Meant::Maybe, Meant::from),
            _ => Meant::Maybe,
        },
    }
}

/// Whether a port or an address is in a range; none if the range is of something else.
fn within(word: &str, range: &Value) -> Option<bool> {
    let (first, last) = (range.get(0)?, range.get(1)?);
    if let Ok(number) = word.parse::<u64>() {
        return Some((first.as_u64()?..=last.as_u64()?).contains(&number));
    }
    let address = |value: &Value| value.as_str()?.parse::<IpAddr>().ok();
    Some((address(first)?..=address(last)?).contains(&word.parse::<IpAddr>().ok()?))
}
