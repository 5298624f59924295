//! How fast a relay went over the last minutes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use control::Rates;

use crate::core::relay::unix_time;
use crate::core::supervisor::Supervisor;

/// How long a step is.
const STEP: Duration = Duration::from_secs(5);
/// How many steps are remembered: ten minutes. A thousand relays take half a megabyte.
const KEPT: usize = 120;
/// How many steps make a coarse one.
const COARSE: u16 = 3;

/// The bytes that a relay, or all together, sent each second, on the average of each step; the oldest first.
#[derive(Debug)]
pub(crate) struct Pace {
    /// A rate beyond 34 Gbit/s is told as that.
    steps: VecDeque<u32>,
    /// The number of the last step, which all relays have in common.
    number: u64,
    /// When that ended, in seconds since 1970.
    until: u64,
    /// The relay's bytes, and the time, then.
    bytes: u64,
    at: Instant,
}

impl Pace {
    /// Of a relay that begins now.
    pub(crate) fn new(now: Instant) -> Self {
        Self { steps: VecDeque::new(), number: 0, until: 0, bytes: 0, at: now }
    }

    /// The step of this number is over, and the relay has sent so many bytes since it began. What
    /// it sent each second in that time.
    pub(crate) fn step(&mut self, number: u64, bytes: u64, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.at);
        let rate = per_second(bytes.saturating_sub(self.bytes), passed);
        (self.bytes, self.at) = (bytes, now);
        self.note(number, rate);
        rate
    }

    /// The step of this number is over, with this rate.
    pub(crate) fn note(&mut self, number: u64, rate: u64) {
        if self.steps.len() >= KEPT {
            self.steps.pop_front();
        }
        self.steps.push_back(u32::try_from(rate).unwrap_or(u32::MAX));
        (self.number, self.until) = (number, unix_time());
    }

    /// Every step.
    pub(crate) fn fine(&self) -> Rates {
        self.told(STEP.as_secs(), self.steps.iter().map(|rate| u64::from(*rate)).collect())
    }

    /// A third as many steps, each the average of three; the last one may be of fewer. Which steps
    /// belong together stays the same, so that a plot moves but doesn't change.
    pub(crate) fn coarse(&self) -> Rates {
        let steps = u64::try_from(self.steps.len()).unwrap_or(u64::MAX);
        let first = (self.number + 1).saturating_sub(steps);
        let mut groups: Vec<(u64, u64, u64)> = Vec::new();
        for (number, rate) in (first..).zip(&self.steps) {
            let group = number / u64::from(COARSE);
            match groups.last_mut() {
                Some((same, sum, count)) if *same == group => {
                    *sum += u64::from(*rate);
                    *count += 1;
                }
                _ => groups.push((group, u64::from(*rate), 1)),
            }
        }
        let averages = groups.iter().map(|(_, sum, count)| sum / count).collect();
        self.told(STEP.as_secs() * u64::from(COARSE), averages)
    }

    fn told(&self, step: u64, bytes: Vec<u64>) -> Rates {
        Rates { step, until: self.until, bytes }
    }
}

impl Supervisor {
    /// Notes how fast each relay went, when a step is over. All do it at the same time, so that
    /// their rates can be added up.
    pub(crate) fn step(&mut self, now: Instant) {
        while now >= self.stepped + STEP {
            self.stepped += STEP;
            self.steps += 1;
            // Of several, all but the last passed in a rest, in which nothing was relayed.
            let over = now < self.stepped + STEP;
            let relays = self.relays.values_mut().filter(|_| over);
            let rate = relays.map(|relay| relay.step(self.steps, now)).sum();
            self.pace.note(self.steps, rate);
        }
    }
}

/// Bytes in so much time, as bytes a second.
pub(crate) fn per_second(bytes: u64, passed: Duration) -> u64 {
    let rate = u128::from(bytes).saturating_mul(1000).checked_div(passed.as_millis()).unwrap_or(0);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A relay that sent so many bytes in each step.
    fn pace(steps: impl IntoIterator<Item = u64>) -> Pace {
        let begin = Instant::now();
        let (mut pace, mut total, mut now) = (Pace::new(begin), 0, begin);
        for (number, bytes) in (7..).zip(steps) {
            total += bytes;
            now += STEP;
            pace.step(number, total, now);
        }
        pace
    }

    #[test]
    fn the_last_minutes_are_remembered_and_no_more() {
        let pace = pace((0..1000).map(|rate| rate * 5));
        let Rates { step, until, bytes } = pace.fine();
        assert_eq!((step, bytes.len(), bytes[0], bytes[KEPT - 1]), (5, KEPT, 880, 999));
        assert!(until > 1_700_000_000);
        assert!(pace.steps.capacity() <= 128);
    }

    #[test]
    fn a_coarse_step_is_the_average_of_the_same_three() {
        // Numbers 7 and 8, 9 to 11, 12.
        assert_eq!(pace([10, 20, 30, 40, 50, 500]).coarse().bytes, [3, 8, 100]);
        assert_eq!(pace([10, 20, 30, 40, 50]).coarse().bytes, [3, 8]);
        let whole = pace([15; KEPT]).coarse();
        assert_eq!((whole.step, whole.bytes.iter().all(|rate| *rate == 3)), (15, true));
        assert!(pace([]).coarse().bytes.is_empty());
    }

    #[test]
    fn no_rate_is_too_high_and_no_step_too_short() {
        assert_eq!(pace([u64::MAX]).fine().bytes, [u64::from(u32::MAX)]);
        assert_eq!(per_second(100, Duration::ZERO), 0);
    }
}
