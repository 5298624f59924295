//! Sums by key, for a bounded number of keys.

use std::borrow::Borrow;
use std::hash::Hash;

use foldhash::HashMap;

/// How many more keys may be told apart.
pub(crate) type Room = usize;

/// A sum for each key; those for which there is no room have one together.
#[derive(Debug)]
pub(crate) struct Ledger<K, V> {
    places: HashMap<K, usize>,
    /// The first is the rest's.
    sums: Vec<V>,
}

impl<K, V: Default> Default for Ledger<K, V> {
    fn default() -> Self {
        Self { places: HashMap::default(), sums: vec![V::default()] }
    }
}

impl<K: Hash + Eq, V: Default> Ledger<K, V> {
    /// The sum of a key.
    pub(crate) fn of<Q>(&mut self, key: &Q, room: &mut Room) -> &mut V
    where
        K: Borrow<Q> + for<'a> From<&'a Q>,
        Q: Hash + Eq + ?Sized,
    {
        let place = match self.places.get(key) {
            Some(place) => *place,
            None if *room == 0 => 0,
            None => {
                *room -= 1;
                self.sums.push(V::default());
                self.places.insert(key.into(), self.sums.len() - 1);
                self.sums.len() - 1
            }
        };
        &mut self.sums[place]
    }

    /// Every key with its sum, in no order; then the rest, which has no key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Option<&K>, &V)> {
        let known = self.places.iter().map(|(key, place)| (Some(key), &self.sums[*place]));
        known.chain([(None, &self.sums[0])])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_no_room_for_is_summed_up_together() {
        let (mut ledger, mut room) = (Ledger::<Box<[u8]>, u64>::default(), 2);
        for key in ["a", "b", "c", "a", "d"] {
            *ledger.of(key.as_bytes(), &mut room) += 1;
        }
        let mut sums: Vec<_> = ledger.iter().map(|(key, sum)| (key.cloned(), *sum)).collect();
        sums.sort();
        let key = |key: &str| Some(Box::from(key.as_bytes()));
        assert_eq!(sums, [(None, 2), (key("a"), 2), (key("b"), 1)]);
    }
}
