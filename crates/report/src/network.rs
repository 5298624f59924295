//! Where viewers are: networks, not addresses.

use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{Ipv4Addr, Ipv6Addr};

use foldhash::HashMap;

use crate::ledger::Room;
use crate::totals::Totals;

/// The network that an address is in: /24, or /48 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
        if address.is_empty() {
            return None;
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

impl Hash for Network {
    /// In one piece, which is faster than what could be derived.
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

/// Sums by network, for a bounded number of these. They are many, and come in no order: so a sum is
/// small and lies beside its key, which spares the processor half of the waiting for memory.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    sums: HashMap<Network, Visits>,
    /// Those for which there was no room.
    rest: Visits,
}

/// Of the totals, those that are known by network.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Visits {
    starts: u64,
    sessions: u64,
    failed: u64,
    watched: u64,
    served: u64,
}

impl Visits {
    pub(crate) fn of(totals: &Totals) -> Self {
        let Totals { starts, sessions, failed, watched, served, .. } = *totals;
        Self { starts, sessions, failed, watched, served }
    }
}

impl Networks {
    /// Adds to a network's sum.
    pub(crate) fn add(&mut self, network: Network, more: Visits, room: &mut Room) {
        let sum = match self.sums.entry(network) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if *room == 0 => &mut self.rest,
            Entry::Vacant(new) => {
                *room -= 1;
                new.insert(Visits::default())
            }
        };
        sum.starts = sum.starts.saturating_add(more.starts);
        sum.sessions = sum.sessions.saturating_add(more.sessions);
        sum.failed = sum.failed.saturating_add(more.failed);
        sum.watched = sum.watched.saturating_add(more.watched);
        sum.served = sum.served.saturating_add(more.served);
    }

    /// Every network with its sum, in no order; then the rest.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Option<Network>, Totals)> {
        let known = self.sums.iter().map(|(network, visits)| (Some(*network), visits));
        known.chain([(None, &self.rest)]).map(|(network, visits)| {
            let Visits { starts, sessions, failed, watched, served } = *visits;
            let totals = Totals { starts, sessions, failed, watched, served, ..Totals::default() };
            (network, totals)
        })
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
