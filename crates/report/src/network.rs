//! The networks of viewers. Reports name networks, never addresses.

use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use foldhash::HashMap;

use crate::sums::Totals;

/// The network of an address: /24, or /48 for IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Network {
    V4([u8; 3]),
    V6([u8; 6]),
}

impl Network {
    /// The network of an address in a log; none if the text is no address.
    pub(crate) fn of(address: &[u8]) -> Option<Self> {
        let address: IpAddr = str::from_utf8(address).ok()?.parse().ok()?;
        Some(match address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, ..] = address.octets();
                Self::V6([a, b, c, d, e, f])
            }
        })
    }
}

impl Hash for Network {
    /// As one number, which is faster than the derived hash.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f] = match *self {
            Self::V4([a, b, c]) => [a, b, c, 0, 0, 0],
            Self::V6(octets) => octets,
        };
        state.write_u64(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]));
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

/// The totals that are known by network: starts, sessions, failed, watched, served.
///
/// Networks are many and come in no order. So a sum is small and lies beside its key, which halves
/// the time that the processor waits for memory.
type Visits = [u64; 5];

/// Sums for a limited number of networks. All further networks share one sum.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    sums: HashMap<Network, Visits>,
    rest: Visits,
}

impl Networks {
    /// Adds to a network's sum. `left` is how many new networks may still be added.
    pub(crate) fn add(&mut self, network: Network, more: &Totals, left: &mut usize) {
        let sum = match self.sums.entry(network) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if *left == 0 => &mut self.rest,
            Entry::Vacant(new) => {
                *left -= 1;
                new.insert(Visits::default())
            }
        };
        let Totals { starts, sessions, failed, watched, served, .. } = *more;
        for (sum, addend) in sum.iter_mut().zip([starts, sessions, failed, watched, served]) {
            *sum = sum.saturating_add(addend);
        }
    }

    /// Every network with its sum, in no order; last the shared sum, without a network.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Option<Network>, Totals)> {
        let known = self.sums.iter().map(|(network, visits)| (Some(*network), visits));
        known.chain([(None, &self.rest)]).map(|(network, visits)| {
            let [starts, sessions, failed, watched, served] = *visits;
            let totals = Totals { starts, sessions, failed, watched, served, ..Totals::default() };
            (network, totals)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(address: &str) -> Option<String> {
        Network::of(address.as_bytes()).map(|network| network.to_string())
    }

    #[test]
    fn an_address_has_a_network() {
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
