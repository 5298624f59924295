//! Whether a rule is about a packet: the expressions of nft(8), as far as they matter here.

use std::net::IpAddr;

use super::packet::{Packet, Protocol};

/// Whether a packet is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Meant {
    No,
    /// It depends on what isn't known here.
    Maybe,
    Yes,
}

impl From<bool> for Meant {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// What is said of a packet: by `ip protocol`, `udp dport`, and so on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The value is one of these words.
    Words(Vec<String>),
    /// It is known to be another kind of packet.
    Other,
    /// Nothing is known of it.
    Unknown,
}

/// The packet's value for an expression of one or two words; `None` if they are no expression that
/// is known, so that the rule can't be read.
pub(crate) fn value(packet: &Packet, left: &str, right: &str) -> Option<Said> {
    let words = |words: &[&str]| Said::Words(words.iter().map(|&word| word.to_owned()).collect());
    let own_family = |family: &str| (family == "ip6") == packet.v6;
    Some(match (left, right) {
        ("ip" | "ip6", _) if !own_family(left) => Said::Other,
        ("ip", "protocol") | ("ip6", "nexthdr") | ("meta", "l4proto") => match packet.protocol {
            Protocol::Unreachable if packet.v6 => words(&["58", "ipv6-icmp", "icmpv6"]),
            Protocol::Unreachable => words(&["1", "icmp"]),
            Protocol::Igmp => words(&["2", "igmp"]),
            Protocol::Udp(_) => words(&["17", "udp"]),
        },
        ("ip" | "ip6", "daddr") => {
            packet.target.map_or(Said::Unknown, |it| words(&[&it.to_string()]))
        }
        ("ip" | "ip6", "saddr") => {
            packet.sender.map_or(Said::Unknown, |it| words(&[&it.to_string()]))
        }
        ("icmp", what) if packet.protocol == Protocol::Unreachable && !packet.v6 => {
            unreachable(what, "3")
        }
        ("icmpv6", what) if packet.protocol == Protocol::Unreachable && packet.v6 => {
            unreachable(what, "4")
        }
        (
            "icmp" | "icmpv6" | "igmp" | "tcp" | "sctp" | "dccp" | "esp" | "ah" | "vlan" | "arp",
            _,
        ) => Said::Other,
        ("udp" | "th", "dport") => match packet.protocol {
            Protocol::Udp(port) => words(&[&port.to_string()]),
            _ => Said::Other,
        },
        ("udp" | "th", _) => match packet.protocol {
            Protocol::Udp(_) => Said::Unknown,
            _ => Said::Other,
        },
        ("ct", "state") => words(&[packet.state()]),
        ("meta", "nfproto") => words(&[if packet.v6 { "ipv6" } else { "ipv4" }]),
        ("meta", "pkttype") => words(&[if packet.target.is_some_and(|it| it.is_multicast()) {
            "multicast"
        } else {
            "host"
        }]),
        ("iifname" | "iif", _) | ("meta", "iifname" | "iif") if packet.outgoing => Said::Other,
        ("oifname" | "oif", _) | ("meta", "oifname" | "oif") if !packet.outgoing => Said::Other,
        ("iifname" | "iif" | "oifname" | "oif", _)
        | ("meta", "iifname" | "iif" | "oifname" | "oif") => match &packet.interface {
            Some(name) => words(&[name]),
            None => Said::Unknown,
        },
        _ => return None,
    })
}

fn unreachable(what: &str, number: &str) -> Said {
    match what {
        "type" => Said::Words(vec![number.to_owned(), "destination-unreachable".to_owned()]),
        "code" => Said::Words(vec!["port-unreachable".to_owned()]),
        _ => Said::Unknown,
    }
}

/// Whether a value is among the items of `{ a, b-c, 10.0.0.0/8 }`, or is the only item.
pub(crate) fn among(said: &Said, items: &[&str]) -> Meant {
    match said {
        Said::Other => Meant::No,
        // Nothing that matters here comes in on the loopback.
        Said::Unknown if items == ["lo"] => Meant::No,
        Said::Unknown => Meant::Maybe,
        Said::Words(words) => {
            let of = |item: &&str| words.iter().map(|word| is(word, item)).max();
            items.iter().filter_map(of).max().unwrap_or(Meant::No)
        }
    }
}

fn is(word: &str, item: &str) -> Meant {
    if item.starts_with('@') || item.starts_with('$') {
        return Meant::Maybe;
    }
    if let Some(prefix) = item.strip_suffix('*') {
        return word.starts_with(prefix).into();
    }
    if word == item {
        return Meant::Yes;
    }
    if let Ok(address) = word.parse::<IpAddr>() {
        return within(address, item).into();
    }
    let range = item.split_once('-').and_then(|(first, last)| {
        let number = |text: &str| text.parse::<u16>().ok();
        Some((number(first)?..=number(last)?).contains(&number(word)?))
    });
    range.unwrap_or(false).into()
}

/// Whether an address is in a network or a range.
fn within(address: IpAddr, item: &str) -> bool {
    if let Ok(network) = item.parse::<ipnet::IpNet>() {
        return network.contains(&address);
    }
    item.split_once('-').is_some_and(|(first, last)| {
        match (first.parse::<IpAddr>(), last.parse::<IpAddr>()) {
            (Ok(first), Ok(last)) => (first..=last).contains(&address),
            _ => false,
        }
    })
}
