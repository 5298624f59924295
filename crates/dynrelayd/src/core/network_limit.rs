//! How many relays the viewers of one network may start in a second.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::rate_limit::RateLimit;

/// How many networks are remembered. Further ones share the common limit alone.
const MOST: usize = 4096;

/// A limit for each network that has started a relay in the last second.
#[derive(Debug, Default)]
pub(crate) struct NetworkLimit {
    networks: BTreeMap<IpAddr, RateLimit>,
}

impl NetworkLimit {
    /// Takes a token of this client's network, or returns how long until there is one.
    pub(crate) fn take(
        &mut self,
        client: IpAddr,
        per_second: u32,
        now: Instant,
    ) -> Result<(), Duration> {
        let network = network(client);
        if !self.networks.contains_key(&network) && self.networks.len() >= MOST {
            self.networks.retain(|_, limit| !limit.is_full(now));
            if self.networks.len() >= MOST {
                return Ok(());
            }
        }
        let limit = self.networks.entry(network).or_insert_with(|| RateLimit::new(per_second, now));
        limit.set_rate(per_second);
        limit.take(now)
    }

    /// Gives the token of a start back that failed.
    pub(crate) fn give_back(&mut self, client: IpAddr) {
        if let Some(limit) = self.networks.get_mut(&network(client)) {
            limit.give_back();
        }
    }
}

/// The network of a client: /24 for IPv4, /56 for IPv6.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & !0xff).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 72 << 72).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_has_its_own_tokens() {
        let (mut limit, now) = (NetworkLimit::default(), Instant::now());
        let mut take = |client: &str| limit.take(client.parse().unwrap(), 2, now).is_ok();
        assert!(take("203.0.113.9") && take("203.0.113.200"));
        assert!(!take("203.0.113.10") && !take("::ffff:203.0.113.11"));
        assert!(take("203.0.114.9"));
        assert!(take("2001:db8::1") && take("2001:db8:0:ff::1") && !take("2001:db8:0:10::1"));
        assert!(take("2001:db8:0:100::1"));
        limit.give_back("203.0.113.77".parse().unwrap());
        assert!(limit.take("203.0.113.9".parse().unwrap(), 2, now).is_ok());
    }

    #[test]
    fn a_flood_of_networks_is_forgotten_after_a_second() {
        let (mut limit, now) = (NetworkLimit::default(), Instant::now());
        for number in 0..5000 {
            let client = Ipv4Addr::from_bits(0x0a00_0000 | number << 8).into();
            assert!(limit.take(client, 2, now).is_ok());
        }
        assert_eq!(limit.networks.len(), MOST);
        let later = now + Duration::from_secs(1);
        assert!(limit.take("2001:db8::1".parse().unwrap(), 2, later).is_ok());
        assert_eq!(limit.networks.len(), 1);
    }
}
