//! Totals, and totals by key.

use std::borrow::Borrow;
use std::hash::Hash;
use std::ops::AddAssign;

use foldhash::HashMap;
use serde::Serialize;

/// The sums for a stream, an edge, a day, a network, or everything. Times are in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// dynrelayd: how often viewers asked and were sent somewhere.
    pub starts: u64,
    /// dynrelayd: relays that closed.
    pub relays: u64,
    /// dynrelayd: how long relays ran.
    pub relayed: u64,
    /// dynrelayd: packets sent to edges.
    pub packets: u64,
    /// dynrelayd: bytes of UDP payload sent to edges.
    pub sent: u64,
    /// dynrelayd: refusals that came back.
    pub refusals: u64,
    /// dynrelayd: the time of all viewers together, from the counts that edges reported.
    pub reported: u64,
    /// Servers: sessions that received something.
    pub sessions: u64,
    /// Servers: sessions that received nothing.
    pub failed: u64,
    /// Servers: the durations of all sessions together.
    pub watched: u64,
    /// Servers: bytes sent to viewers.
    pub served: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        let Self { starts, relays, relayed, packets, sent, refusals, .. } = other;
        let Self { reported, sessions, failed, watched, served, .. } = other;
        for (sum, addend) in [
            (&mut self.starts, starts),
            (&mut self.relays, relays),
            (&mut self.relayed, relayed),
            (&mut self.packets, packets),
            (&mut self.sent, sent),
            (&mut self.refusals, refusals),
            (&mut self.reported, reported),
            (&mut self.sessions, sessions),
            (&mut self.failed, failed),
            (&mut self.watched, watched),
            (&mut self.served, served),
        ] {
            *sum = sum.saturating_add(addend);
        }
    }
}

/// The name of the sum that keys beyond a limit share.
pub(crate) const OTHERS: &[u8] = b"(others)";

/// A sum for each key, for a limited number of keys. All further keys share one sum.
#[derive(Debug)]
pub(crate) struct Sums<K, V> {
    places: HashMap<K, usize>,
    /// The first sum belongs to the keys beyond the limit.
    sums: Vec<V>,
}

impl<K, V: Default> Default for Sums<K, V> {
    fn default() -> Self {
        Self { places: HashMap::default(), sums: vec![V::default()] }
    }
}

impl<K: Hash + Eq, V: Default> Sums<K, V> {
    /// The sum of a key. `left` is how many new keys may still be added; a new key lowers it.
    pub(crate) fn of<Q>(&mut self, key: &Q, left: &mut usize) -> &mut V
    where
        K: Borrow<Q> + for<'a> From<&'a Q>,
        Q: Hash + Eq + ?Sized,
    {
        let place = match self.places.get(key) {
            Some(place) => *place,
            None if *left == 0 => 0,
            None => {
                *left -= 1;
                self.sums.push(V::default());
                self.places.insert(key.into(), self.sums.len() - 1);
                self.sums.len() - 1
            }
        };
        &mut self.sums[place]
    }

    /// Every key with its sum, in no order; last the shared sum, without a key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Option<&K>, &V)> {
        let known = self.places.iter().map(|(key, place)| (Some(key), &self.sums[*place]));
        known.chain([(None, &self.sums[0])])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_beyond_the_limit_share_a_sum() {
        let (mut sums, mut left) = (Sums::<Box<[u8]>, u64>::default(), 2);
        for key in ["a", "b", "c", "a", "d"] {
            *sums.of(key.as_bytes(), &mut left) += 1;
        }
        let mut found: Vec<_> = sums.iter().map(|(key, sum)| (key.cloned(), *sum)).collect();
        found.sort();
        let key = |key: &str| Some(Box::from(key.as_bytes()));
        assert_eq!(found, [(None, 2), (key("a"), 2), (key("b"), 1)]);
    }
}
