//! Where a media is sent to and by whom: `c=` and `a=source-filter`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sdp_rs::lines::connection::Tokenizer;

use super::line::{Line, SdpError, number};

/// More addresses than this on one line are a mistake.
const MAX_ADDRESSES: u16 = 256;

/// A `c=` line (RFC 8866, 5.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The address, or the first of several.
    pub address: IpAddr,
    /// How many consecutive addresses: the layers of a hierarchical encoding. 1 if not given.
    pub count: u16,
    /// The interface after `%`, which no RFC allows here and some encoders write.
    pub zone: Option<String>,
}

impl Connection {
    pub(super) fn read(line: &Line) -> Result<Self, SdpError> {
        let text = format!("c={}\r\n", line.words());
        let parts = match Tokenizer::tokenize(&text) {
            Ok((_, parts)) => parts,
            Err(_) => {
                return Err(line.error("a connection is written `c=IN IP4 239.1.2.3/127`"));
            }
        };
        if !parts.nettype.eq_ignore_ascii_case("IN") {
            let what = format!("only `IN` (the Internet) is relayed, not `{}`", parts.nettype);
            return Err(line.error(what));
        }
        let written = parts.connection_address;
        let address = address(parts.addrtype, written.base).map_err(|what| line.error(what))?;
        let zone = written.base.split_once('%').map(|(_, zone)| zone.to_owned());
        // The first number after a slash is IPv4's time to live; IPv6 has only the count.
        let (ttl, count) = match (address, written.ttl, written.numaddr) {
            (IpAddr::V4(_), ttl, count) => (ttl, count),
            (IpAddr::V6(_), count, None) => (None, count),
            (IpAddr::V6(_), ..) => {
                return Err(line.error("an IPv6 address takes a count of addresses and no TTL"));
            }
        };
        if let Some(ttl) = ttl.filter(|ttl| number::<u8>(ttl).is_none()) {
            return Err(line.error(format!("the TTL is 0 to 255, not `{ttl}`")));
        }
        let count = count.map_or(Ok(1), |text| match number(text) {
            Some(count @ 1..=MAX_ADDRESSES) => Ok(count),
            _ => Err(line.error(format!("1 to {MAX_ADDRESSES} addresses are read, not `{text}`"))),
        })?;
        let connection = Self { address, count, zone };
        match connection.addresses().last() {
            Some(last) if count == 1 || (address.is_multicast() && last.is_multicast()) => {
                Ok(connection)
            }
            _ => Err(line
                .error(format!("{address} and the {count} from there are not multicast groups"))),
        }
    }

    /// Every address of the line. There are fewer than `count` if the address space ends.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let base = self.address;
        (0..self.count).map_while(move |step| match base {
            IpAddr::V4(base) => {
                let next = u32::from(base).checked_add(u32::from(step))?;
                Some(Ipv4Addr::from(next).into())
            }
            IpAddr::V6(base) => {
                let next = u128::from(base).checked_add(u128::from(step))?;
                Some(Ipv6Addr::from(next).into())
            }
        })
    }
}

/// Reads an address of the family `IP4` or `IP6`; a zone after `%` is left out.
pub(super) fn address(family: &str, text: &str) -> Result<IpAddr, String> {
    let plain = text.split_once('%').map_or(text, |(plain, _)| plain);
    let fits = |address: &IpAddr| match address {
        IpAddr::V4(_) => family.eq_ignore_ascii_case("IP4"),
        IpAddr::V6(_) => family.eq_ignore_ascii_case("IP6"),
    };
    match plain.parse() {
        Ok(address) if fits(&address) => Ok(address),
        _ => Err(format!("`{family} {text}` is not an IP address (a host name won't do)")),
    }
}

/// Which senders are wanted (RFC 4570): `incl IN IP4 239.1.2.3 10.0.0.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFilter {
    /// `incl`: these senders alone; otherwise `excl`: all but these.
    pub include: bool,
    /// The group or address that the filter applies to; none for `*`, which means each.
    pub destination: Option<IpAddr>,
    /// The senders, at least one.
    pub senders: Vec<IpAddr>,
}

impl SourceFilter {
    /// Reads the value of `a=source-filter`. A filter that can't be read is an error, because without
    /// it the packets of every sender would be relayed.
    pub(super) fn read(line: &Line, value: &str) -> Result<Self, SdpError> {
        let words: Vec<&str> = value.split_whitespace().collect();
        let [mode, net, family, destination, senders @ ..] = &words[..] else {
            return Err(line.error("a filter is written `incl IN IP4 239.1.2.3 192.0.2.1`"));
        };
        let include = mode.eq_ignore_ascii_case("incl");
        if !include && !mode.eq_ignore_ascii_case("excl") {
            return Err(line.error(format!("a filter is `incl` or `excl`, not `{mode}`")));
        }
        if !net.eq_ignore_ascii_case("IN") {
            return Err(line.error(format!("a filter's network is `IN`, not `{net}`")));
        }
        let read = |text: &str| {
            let family = match *family {
                "*" if text.contains(':') => "IP6",
                "*" => "IP4",
                family => family,
            };
            address(family, text).map_err(|what| line.error(what))
        };
        let destination = match *destination {
            "*" => None,
            text => Some(read(text)?),
        };
        let senders: Vec<IpAddr> =
            senders.iter().map(|text| read(text)).collect::<Result<_, _>>()?;
        if senders.is_empty() {
            return Err(line.error("a filter names at least one sender"));
        }
        Ok(Self { include, destination, senders })
    }

    /// Whether the filter applies to packets to `group`.
    pub fn covers(&self, group: IpAddr) -> bool {
        self.destination.is_none_or(|destination| destination == group)
    }
}
