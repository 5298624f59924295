//! The sums of one edge.

use std::collections::BTreeMap;

use crate::filter::Filter;
use crate::network::{Network, Networks};
use crate::sums::{Sums, Totals};
use crate::time::DAY;

/// How often each word came.
pub(crate) type Counts = BTreeMap<Box<[u8]>, u64>;

/// The sums of one edge.
#[derive(Debug, Default)]
pub(crate) struct Edge {
    /// Its name in its own log, if that differs.
    pub(crate) alias: Box<[u8]>,
    /// By stream.
    pub(crate) relays: Sums<Box<[u8]>, Relay>,
    /// By days since 1970.
    pub(crate) days: Sums<Day, Totals>,
    /// Used only if the filter names an edge, since which one that is may be known only at the end.
    /// Otherwise one table for all edges is smaller and faster.
    pub(crate) networks: Networks,
    /// How many relays closed for which reason.
    pub(crate) reasons: Counts,
    /// How many sessions ended with which status.
    pub(crate) statuses: Counts,
}

/// A stream at one edge.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Relay {
    pub(crate) totals: Totals,
    /// The seconds and bytes of all closed relays, whatever the filter's times. They give the mean
    /// rate.
    pub(crate) closed: (u64, u64),
    /// When the last relay opened and when the last one closed, in microseconds since 1970.
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

/// How many more names, days and networks may be told apart.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) edges: usize,
    pub(crate) streams: usize,
    pub(crate) days: usize,
    pub(crate) networks: usize,
}

/// The amounts that one line of a log adds to the sums.
pub(crate) struct Addition<'a> {
    pub(crate) stream: &'a [u8],
    /// None if it is not known.
    pub(crate) client: Option<Network>,
    /// Its beginning and end.
    pub(crate) span: (u64, u64),
    /// When `counts` count, and on which day.
    pub(crate) moment: u64,
    /// Numbers of events.
    pub(crate) counts: Totals,
    /// Amounts that are divided among the days of `span`.
    pub(crate) amounts: [u64; 3],
    /// Makes totals of seconds and these amounts.
    pub(crate) totals: fn(u64, [u64; 3]) -> Totals,
}

impl Edge {
    /// Adds the part that `filter` covers, and returns it.
    pub(crate) fn add(
        &mut self,
        new: &Addition<'_>,
        filter: &Filter,
        limits: &mut Limits,
    ) -> Totals {
        let mut all = Totals::default();
        // Most spans lie within a day.
        let mut day = new.moment / DAY;
        let mut of_day = if filter.has(new.moment) { new.counts } else { Totals::default() };
        let mut add = |day, of_day: Totals| {
            if of_day != Totals::default() {
                *self.days.of(&Day(day), &mut limits.days) += of_day;
                all += of_day;
            }
        };
        filter.spread(new.span, new.amounts, |next, seconds, amounts| {
            if next != day {
                add(day, std::mem::take(&mut of_day));
                day = next;
            }
            of_day += (new.totals)(seconds, amounts);
        });
        add(day, of_day);
        if all != Totals::default() {
            self.relays.of(new.stream, &mut limits.streams).totals += all;
        }
        all
    }
}
