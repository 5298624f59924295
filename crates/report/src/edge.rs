//! What the logs say of one edge.

use std::collections::BTreeMap;

use crate::filter::Filter;
use crate::ledger::{Ledger, Room};
use crate::network::{Network, Networks};
use crate::time::DAY;
use crate::totals::Totals;

/// How often, by the word for it.
pub(crate) type Counts = BTreeMap<Box<[u8]>, u64>;

/// Sums over one edge.
#[derive(Debug, Default)]
pub(crate) struct Edge {
    /// What its own log calls it, where that is another name.
    pub(crate) alias: Box<[u8]>,
    /// By stream.
    pub(crate) relays: Ledger<Box<[u8]>, Relay>,
    /// By days since 1970.
    pub(crate) days: Ledger<Day, Totals>,
    /// Only where one edge alone is asked for: which one it is may be known at the end only. One
    /// table for all edges is smaller, and faster.
    pub(crate) networks: Networks,
    /// Why its relays closed.
    pub(crate) reasons: Counts,
    /// How its sessions ended.
    pub(crate) statuses: Counts,
}

/// A stream at one edge.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Relay {
    pub(crate) totals: Totals,
    /// How long the relays lasted that have closed, and what they sent, with no regard to a window:
    /// how much is sent in a time.
    pub(crate) closed: (u64, u64),
    /// When the last one began, and when the last one closed, as far as is logged: in microseconds.
    pub(crate) last: (u64, u64),
}

/// A day, by its number since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Day(pub(crate) u64);

impl From<&Day> for Day {
    fn from(day: &Day) -> Self {
        *day
    }
}

/// How many more names, days and networks there is memory for.
#[derive(Debug)]
pub(crate) struct Rooms {
    pub(crate) edges: Room,
    pub(crate) streams: Room,
    pub(crate) days: Room,
    pub(crate) networks: Room,
}

/// What is added to a stream's, a day's and perhaps a network's sums.
pub(crate) struct Share<'a> {
    pub(crate) stream: &'a [u8],
    /// None if it isn't known.
    pub(crate) client: Option<Network>,
    /// From when to when.
    pub(crate) span: (u64, u64),
    /// Counted where the moment is in the window and on the day of.
    pub(crate) moment: u64,
    /// What is counted.
    pub(crate) counts: Totals,
    /// What goes with the time.
    pub(crate) flows: [u64; 3],
    /// Makes sums of seconds and the three flows.
    pub(crate) sums: fn(u64, [u64; 3]) -> Totals,
}

impl Edge {
    /// Adds what is in the window, and returns how much that is.
    pub(crate) fn add(&mut self, share: &Share<'_>, filter: &Filter, rooms: &mut Rooms) -> Totals {
        let mut all = Totals::default();
        // Most of what happens takes less than a day.
        let mut day = share.moment / DAY;
        let mut of_day = if filter.has(share.moment) { share.counts } else { Totals::default() };
        let mut add = |day, of_day: Totals| {
            if of_day != Totals::default() {
                *self.days.of(&Day(day), &mut rooms.days) += of_day;
                all += of_day;
            }
        };
        filter.spread(share.span, share.flows, |next, seconds, flows| {
            if next != day {
                add(day, std::mem::take(&mut of_day));
                day = next;
            }
            of_day += (share.sums)(seconds, flows);
        });
        add(day, of_day);
        if all != Totals::default() {
            self.relays.of(share.stream, &mut rooms.streams).totals += all;
        }
        all
    }
}
