//! How many watch a relay, as its edge reports.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A count that the edge does not repeat is unknown after this time. Darwin Streaming Server repeats
/// it every 5 to 6 seconds.
const FRESH: Duration = Duration::from_secs(20);

/// This many reports in a row must count no viewer before they close a relay.
const SEVERAL: u32 = 3;

/// No edge has more viewers. A higher count is ignored.
const MOST: u32 = 1_000_000;

/// Reports in a row that all count no viewer, with no pause as long as [`FRESH`].
#[derive(Clone, Copy, Debug)]
struct Run {
    since: Instant,
    last: Instant,
    reports: u32,
}

/// The counts of one relay. Each flow may have one.
#[derive(Debug, Default)]
pub(crate) struct ViewerCount {
    flows: BTreeMap<usize, (u32, Instant)>,
    unwatched: Option<Run>,
}

impl ViewerCount {
    /// Records a report on a flow; false if it is not believed.
    pub(crate) fn report(&mut self, flow: usize, viewers: u32, now: Instant) -> bool {
        if viewers > MOST {
            return false;
        }
        self.flows.insert(flow, (viewers, now));
        self.unwatched = match (self.at(now), self.unwatched) {
            (Some(0), Some(run)) if now < run.last + FRESH => {
                Some(Run { last: now, reports: run.reports.saturating_add(1), ..run })
            }
            (Some(0), _) => Some(Run { since: now, last: now, reports: 1 }),
            _ => None,
        };
        true
    }

    /// The highest fresh count.
    pub(crate) fn at(&self, now: Instant) -> Option<u32> {
        let fresh = self.flows.values().filter(|(_, at)| now < *at + FRESH);
        fresh.map(|(viewers, _)| *viewers).max()
    }

    /// The edge refuses a flow: its count is no longer true.
    pub(crate) fn forget(&mut self, flow: usize) {
        self.flows.remove(&flow);
    }

    /// A viewer is on the way: the edge may report again from now on that nobody watches.
    pub(crate) fn restart(&mut self) {
        self.unwatched = None;
    }

    /// When `no_viewers` is over, if the edge reports that nobody watches.
    pub(crate) fn unwatched_until(&self, no_viewers: Duration) -> Option<Instant> {
        self.unwatched.map(|run| run.since + no_viewers)
    }

    /// Whether several reports over the whole of `no_viewers`, the last one fresh, counted nobody.
    pub(crate) fn is_unwatched(&self, no_viewers: Duration, now: Instant) -> bool {
        self.unwatched.is_some_and(|run| {
            let fresh = now < run.last + FRESH;
            fresh && run.reports >= SEVERAL && run.since + no_viewers <= now
        })
    }
}
