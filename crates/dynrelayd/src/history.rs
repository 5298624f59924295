//! The relays that closed recently.

use std::collections::VecDeque;

use control::RelayDetail;

/// How many are remembered.
const KEPT: usize = 200;

/// Closed relays, the latest first.
#[derive(Debug, Default)]
pub(crate) struct History(VecDeque<RelayDetail>);

impl History {
    /// Remembers a relay that has closed, and forgets the oldest if there are many.
    pub(crate) fn remember(&mut self, relay: RelayDetail) {
        self.0.push_front(relay);
        self.0.truncate(KEPT);
    }

    /// The latest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &RelayDetail> {
        self.0.iter()
    }
}
