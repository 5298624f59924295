//! Who watches a relay's stream at its edge, and for how long.

use std::time::{Duration, Instant};

/// Who watched, as far as the edge says so.
#[derive(Debug)]
pub(crate) struct Audience {
    /// The most at a time; none if the edge never said.
    pub(crate) most: Option<u32>,
    /// Each viewer's time, added up.
    watched: Duration,
    counted: Instant,
    began: Instant,
}

impl Audience {
    /// Nobody yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self { most: None, watched: Duration::ZERO, counted: now, began: now }
    }

    /// So many watch now, and did since the last time this was asked.
    pub(crate) fn count(&mut self, viewers: Option<u32>, now: Instant) {
        let passed = now.saturating_duration_since(self.counted);
        self.counted = now;
        if let Some(viewers) = viewers {
            self.most = self.most.max(Some(viewers));
            self.watched = self.watched.saturating_add(passed.saturating_mul(viewers));
        }
    }

    /// Each viewer's time, added up, in seconds; none if the edge never said.
    pub(crate) fn watched(&self) -> Option<u64> {
        self.most.map(|_| self.watched.as_secs())
    }

    /// Seconds since the relay began.
    pub(crate) fn seconds(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn viewers_times_are_added_up() {
        let began = Instant::now();
        let mut audience = Audience::new(began);
        let at = |seconds| began + Duration::from_secs(seconds);
        audience.count(None, at(10));
        assert_eq!((audience.most, audience.watched()), (None, None));
        audience.count(Some(3), at(12));
        audience.count(Some(1), at(15));
        audience.count(Some(0), at(99));
        assert_eq!((audience.most, audience.watched()), (Some(3), Some(9)));
        assert_eq!(audience.seconds(at(99)), 99);
    }
}
