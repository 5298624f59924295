//! The open relays, by number, by stream and edge, and by edge.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::input::{RelayId, RelayName};
use super::relay::Relay;

/// All relays that are open or being opened, at most one for a stream and an edge.
#[derive(Debug, Default)]
pub(crate) struct RelayTable {
    all: BTreeMap<RelayId, Relay>,
    by_stream: BTreeMap<String, BTreeMap<String, RelayId>>,
    by_edge: HashMap<String, usize>,
}

impl RelayTable {
    /// Adds a relay.
    pub(crate) fn insert(&mut self, relay: Relay) {
        let RelayName { stream, edge } = relay.name.clone();
        *self.by_edge.entry(edge.clone()).or_default() += 1;
        self.by_stream.entry(stream).or_default().insert(edge, relay.id);
        self.all.insert(relay.id, relay);
    }

    /// Takes a relay out.
    pub(crate) fn remove(&mut self, id: RelayId) -> Option<Relay> {
        let relay = self.all.remove(&id)?;
        let RelayName { stream, edge } = &relay.name;
        if let Some(count) = self.by_edge.get_mut(edge) {
            *count -= 1;
        }
        self.by_edge.retain(|_, count| *count > 0);
        if let Some(edges) = self.by_stream.get_mut(stream) {
            edges.remove(edge);
            if edges.is_empty() {
                self.by_stream.remove(stream);
            }
        }
        Some(relay)
    }

    /// The relay of a stream to an edge.
    pub(crate) fn find(&self, stream: &str, edge: &str) -> Option<&Relay> {
        self.all.get(self.by_stream.get(stream)?.get(edge)?)
    }

    /// The relays of a stream, by edge.
    pub(crate) fn of_stream(&self, stream: &str) -> impl Iterator<Item = &Relay> {
        let ids = self.by_stream.get(stream).into_iter().flat_map(BTreeMap::values);
        ids.filter_map(|id| self.all.get(id))
    }

    /// The streams that have a relay.
    pub(crate) fn streams(&self) -> impl Iterator<Item = &str> {
        self.by_stream.keys().map(String::as_str)
    }

    /// Whether a stream has a relay.
    pub(crate) fn has_stream(&self, stream: &str) -> bool {
        self.by_stream.contains_key(stream)
    }

    /// How many relays go to an edge.
    pub(crate) fn count_to(&self, edge: &str) -> usize {
        self.by_edge.get(edge).copied().unwrap_or(0)
    }

    /// The number of relays.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The relay of this number.
    pub(crate) fn get_mut(&mut self, id: RelayId) -> Option<&mut Relay> {
        self.all.get_mut(&id)
    }

    /// The relay of this number.
    pub(crate) fn get(&self, id: RelayId) -> Option<&Relay> {
        self.all.get(&id)
    }

    /// All, by stream and edge.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Relay> {
        self.by_stream.values().flat_map(BTreeMap::values).filter_map(|id| self.all.get(id))
    }

    /// All, by number.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Relay> {
        self.all.values_mut()
    }

    /// The names of those that are open.
    pub(crate) fn names(&self) -> BTreeSet<RelayName> {
        let open = self.all.values().filter(|relay| relay.opening.is_none());
        open.map(|relay| relay.name.clone()).collect()
    }
}
