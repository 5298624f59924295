//! Where a media is sent to: the `c=` line.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sdp_rs::lines::connection::Tokenizer;

use super::SdpError;
use super::line::{Line, number};

/// More addresses than this on one line are a mistake.
const MAX_ADDRESSES: u16 = 256;

/// A `c=` line (RFC 8866, 5.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The address, or the first of them.
    pub address: IpAddr,
    /// IPv4 multicast's time to live, where it is given.
    pub ttl: Option<u8>,
    /// How many addresses in sequence: the layers of a hierarchical encoding. 1 if not given.
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
        // What follows the slash is IPv4's time to live; IPv6 has none, only the count.
        let (ttl, count) = match (address, written.ttl, written.numaddr) {
            (IpAddr::V4(_), ttl, count) => (ttl, count),
            (IpAddr::V6(_), count, None) => (None, count),
            (IpAddr::V6(_), ..) => {
                return Err(line.error("an IPv6 address takes a count of addresses and no TTL"));
            }
        };
        let ttl = ttl.map(|ttl| {
            number(ttl).ok_or_else(|| line.error(format!("the TTL is 0 to 255, not `{ttl}`")))
        });
        let count = count.map_or(Ok(1), |text| match number(text) {
            Some(count @ 1..=MAX_ADDRESSES) => Ok(count),
            _ => Err(line.error(format!("1 to {MAX_ADDRESSES} addresses are read, not `{text}`"))),
        })?;
        let connection = Self { address, ttl: ttl.transpose()?, count, zone };
        match connection.addresses().last() {
            Some(last) if count == 1 || (address.is_multicast() && last.is_multicast()) => {
                Ok(connection)
            }
            _ => Err(line.error(format!(
                "{address} and the {count} from there are not multicast \
                groups"
            ))),
        }
    }

    /// Every address of the line. They come to an end early only where the numbers do.
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

/// Reads an address of the family that is named before it; a zone after `%` is left out.
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
