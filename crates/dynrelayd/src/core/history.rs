//! The relays that closed recently.

use std::collections::{BTreeMap, VecDeque};

use control::RelayDetail;
use model::CloseReason;

/// The number of closed relays that are kept.
const KEPT: usize = 200;

/// Closed relays, the latest first, and the number of all of them.
#[derive(Debug, Default)]
pub(crate) struct History {
    relays: VecDeque<RelayDetail>,
    /// Numbers by reason, since the daemon began.
    counts: BTreeMap<CloseReason, u64>,
}

impl History {
    /// Adds a closed relay, and drops the oldest if there are too many.
    pub(crate) fn remember(&mut self, relay: RelayDetail, reason: CloseReason) {
        *self.counts.entry(reason).or_default() += 1;
        self.relays.push_front(relay);
        self.relays.truncate(KEPT);
    }

    /// How many relays have closed, by reason.
    pub(crate) fn counts(&self) -> &BTreeMap<CloseReason, u64> {
        &self.counts
    }

    /// The latest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &RelayDetail> {
        self.relays.iter()
    }
}
