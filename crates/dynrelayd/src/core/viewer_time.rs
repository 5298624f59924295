//! Adds up how many viewers watch a relay's stream, and for how long.

use std::time::{Duration, Instant};

/// The viewers of a relay, as its edge reports them.
#[derive(Debug)]
pub(crate) struct ViewerTime {
    /// The most at a time; none if the edge never reported any.
    pub(crate) most: Option<u32>,
    /// The sum of each viewer's time.
    watched: Duration,
    counted: Instant,
}

impl ViewerTime {
    /// Nobody yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self { most: None, watched: Duration::ZERO, counted: now }
    }

    /// This many watch now, and have since the last call.
    pub(crate) fn count(&mut self, viewers: Option<u32>, now: Instant) {
        let passed = now.saturating_duration_since(self.counted);
        self.counted = now;
        if let Some(viewers) = viewers {
            self.most = self.most.max(Some(viewers));
            self.watched = self.watched.saturating_add(passed.saturating_mul(viewers));
        }
    }

    /// The sum of each viewer's time, in seconds; none if the edge never reported any.
    pub(crate) fn watched(&self) -> Option<u64> {
        self.most.map(|_| self.watched.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_all_viewers_is_added_up() {
        let began = Instant::now();
        let mut time = ViewerTime::new(began);
        let at = |seconds| began + Duration::from_secs(seconds);
        time.count(None, at(10));
        assert_eq!((time.most, time.watched()), (None, None));
        time.count(Some(3), at(12));
        time.count(Some(1), at(15));
        time.count(Some(0), at(99));
        assert_eq!((time.most, time.watched()), (Some(3), Some(9)));
    }
}
