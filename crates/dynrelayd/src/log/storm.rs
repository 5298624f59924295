//! Refusals that go on: a line with their number now and then, not one for each.

use std::time::{Duration, Instant};

/// How long after a relay's start the first line comes, at the earliest.
const FIRST: Duration = Duration::from_secs(60);
/// The lines of a storm that doesn't end become rarer, down to one in so long.
const RAREST: Duration = Duration::from_secs(3600);

/// The refusals of one relay, as far as they were told of.
#[derive(Debug)]
pub(crate) struct Storm {
    told: u64,
    next: Instant,
    pause: Duration,
}

impl Storm {
    /// Nothing was refused yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self { told: 0, next: now + FIRST, pause: FIRST }
    }

    /// Passes over the first `total` refusals: they came before the edge accepted.
    pub(crate) fn forgive(&mut self, total: u64) {
        self.told = self.told.max(total);
    }

    /// How many of `total` refusals were not told of yet, if it is time to.
    pub(crate) fn look(&mut self, total: u64, now: Instant) -> Option<u64> {
        if now < self.next {
            return None;
        }
        let count = total.saturating_sub(self.told);
        self.told = total;
        self.pause = if count == 0 { FIRST } else { (self.pause * 2).min(RAREST) };
        self.next = now + self.pause;
        (count > 0).then_some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_is_told_of_ever_more_rarely() {
        let began = Instant::now();
        let mut storm = Storm::new(began);
        let seconds = 0..6 * 3600;
        let told: Vec<(u64, u64)> = seconds
            .filter_map(|at| Some((at, storm.look(at, began + Duration::from_secs(at))?)))
            .collect();
        assert_eq!(told[..4], [(60, 60), (180, 120), (420, 240), (900, 480)]);
        assert_eq!(told.last().unwrap().1, 3600);
        assert!(told.len() < 12, "{told:?}");
    }

    #[test]
    fn refusals_from_before_the_edge_accepted_are_not_told() {
        let began = Instant::now();
        let mut storm = Storm::new(began);
        storm.forgive(40);
        assert_eq!(storm.look(40, began + FIRST), None);
        assert_eq!(storm.look(43, began + FIRST * 2), Some(3));
    }

    #[test]
    fn where_nothing_is_refused_nothing_is_told() {
        let began = Instant::now();
        let mut storm = Storm::new(began);
        let mut look = |total, after| storm.look(total, began + Duration::from_secs(after));
        assert_eq!(look(5, 59), None);
        assert_eq!(look(5, 60), Some(5));
        assert_eq!(look(5, 600), None);
        assert_eq!(look(6, 601), None);
        assert_eq!(look(7, 660), Some(2));
    }
}
