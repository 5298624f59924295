//! Where viewers are: networks, not addresses.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The network that an address is in: /24, or /48 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Network {
    V4([u8; 3]),
    V6([u8; 6]),
}

impl Network {
    /// The network of an address as it is logged; none if it is no address.
    pub(crate) fn of(address: &[u8]) -> Option<Self> {
        if let Some([a, b, c, _]) = v4(address) {
            return Some(Self::V4([a, b, c]));
        }
        let address: Ipv6Addr = str::from_utf8(address).ok()?.parse().ok()?;
        Some(match address.to_ipv4_mapped().map(|address| address.octets()) {
            Some([a, b, c, _]) => Self::V4([a, b, c]),
            None => {
                let [a, b, c, d, e, f, ..] = address.octets();
                Self::V6([a, b, c, d, e, f])
            }
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V4([a, b, c]) => write!(f, "{}/24", Ipv4Addr::new(a, b, c, 0)),
            Self::V6([a, b, c, d, e, g]) => {
                let mut octets = [0; 16];
                octets[..6].copy_from_slice(&[a, b, c, d, e, g]);
                write!(f, "{}/48", Ipv6Addr::from(octets))
            }
        }
    }
}

/// An IPv4 address: most are. std's reader wants UTF-8 first, and takes longer.
fn v4(text: &[u8]) -> Option<[u8; 4]> {
    let mut parts = text.split(|byte| *byte == b'.');
    let mut part = || {
        let digits = parts.next().filter(|digits| digits.len() <= 3)?;
        u8::try_from(crate::number::number(digits)?).ok()
    };
    let address = [part()?, part()?, part()?, part()?];
    parts.next().is_none().then_some(address)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    fn network(address: &str) -> Option<String> {
        Network::of(address.as_bytes()).map(|network| network.to_string())
    }

    #[test]
    fn addresses_are_of_networks() {
        assert_eq!(network("203.0.113.9").unwrap(), "203.0.113.0/24");
        assert_eq!(network("::ffff:203.0.113.9").unwrap(), "203.0.113.0/24");
        assert_eq!(network("2001:db8:7:1::9").unwrap(), "2001:db8:7::/48");
        for none in ["", "-", "203.0.113", "203.0.113.256", "203.0.113.9.1", "a.b.c.d", "2001:db8"]
        {
            assert_eq!(network(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn every_address_has_one(address in any::<IpAddr>()) {
            prop_assert!(network(&address.to_string()).is_some());
        }

        #[test]
        fn any_bytes_are_an_address_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = Network::of(&bytes);
        }
    }
}
