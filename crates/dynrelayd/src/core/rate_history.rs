//! How fast relays sent over the last ten minutes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use control::Rates;

use super::input::Moment;

/// The length of a step.
const STEP: Duration = Duration::from_secs(5);
/// The number of steps that are kept: ten minutes. A thousand relays need half a megabyte.
const KEPT: usize = 120;
/// The number of steps in a coarse one.
const COARSE: u16 = 3;

/// The bytes a second that a relay, or all relays together, sent in each step; the oldest first.
#[derive(Debug)]
pub(crate) struct RateHistory {
    /// A rate beyond 34 Gbit/s is stored as 34 Gbit/s.
    steps: VecDeque<u32>,
    /// The number of the last step, the same for all relays.
    number: u64,
    /// When the last step ended, in seconds since 1970.
    until: u64,
    /// The relay's bytes, and the time, at that end.
    bytes: u64,
    at: Instant,
}

impl RateHistory {
    /// Begins now.
    pub(crate) fn new(now: Instant) -> Self {
        Self { steps: VecDeque::new(), number: 0, until: 0, bytes: 0, at: now }
    }

    /// Ends the step with this number. `bytes` counts from the relay's beginning. Returns the bytes
    /// a second in this step.
    pub(crate) fn step(&mut self, number: u64, bytes: u64, at: Moment) -> u64 {
        let passed = at.now.saturating_duration_since(self.at);
        let rate = per_second(bytes.saturating_sub(self.bytes), passed);
        (self.bytes, self.at) = (bytes, at.now);
        self.note(number, rate, at.unix);
        rate
    }

    fn note(&mut self, number: u64, rate: u64, unix: u64) {
        if self.steps.len() >= KEPT {
            self.steps.pop_front();
        }
        self.steps.push_back(u32::try_from(rate).unwrap_or(u32::MAX));
        (self.number, self.until) = (number, unix);
    }

    /// Every step.
    pub(crate) fn fine(&self) -> Rates {
        self.rates(STEP.as_secs(), self.steps.iter().map(|rate| u64::from(*rate)).collect())
    }

    /// A third as many steps, each the mean of three; the last one may have fewer. Each group has
    /// the same steps every time, so a plot moves without changing its shape.
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
        self.rates(STEP.as_secs() * u64::from(COARSE), averages)
    }

    fn rates(&self, step: u64, bytes: Vec<u64>) -> Rates {
        Rates { step, until: self.until, bytes }
    }
}

/// The rates of all relays together, and the clock of the steps. All relays end a step at the same
/// time, so that their rates can be added.
#[derive(Debug)]
pub(crate) struct TotalRates {
    pub(crate) history: RateHistory,
    stepped: Instant,
    steps: u64,
}

impl TotalRates {
    /// Begins now.
    pub(crate) fn new(now: Instant) -> Self {
        Self { history: RateHistory::new(now), stepped: now, steps: 0 }
    }

    /// Ends the steps that are over. `step` ends a step of all relays, whose counters must be fresh,
    /// and returns their bytes a second.
    pub(crate) fn step(&mut self, at: Moment, mut step: impl FnMut(u64) -> u64) {
        while at.now >= self.stepped + STEP {
            self.stepped += STEP;
            self.steps += 1;
            // Skipped steps were idle: nothing was relayed.
            let last = at.now < self.stepped + STEP;
            let rate = if last { step(self.steps) } else { 0 };
            self.history.note(self.steps, rate, at.unix);
        }
    }
}

/// Bytes in this time, as bytes a second.
pub(crate) fn per_second(bytes: u64, passed: Duration) -> u64 {
    let rate = u128::from(bytes).saturating_mul(1000).checked_div(passed.as_millis()).unwrap_or(0);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A relay that sent these bytes in each step.
    fn history(steps: impl IntoIterator<Item = u64>) -> RateHistory {
        let begin = Instant::now();
        let (mut history, mut total, mut now) = (RateHistory::new(begin), 0, begin);
        for (number, bytes) in (7..).zip(steps) {
            total += bytes;
            now += STEP;
            history.step(number, total, Moment { now, unix: 1_700_000_001 });
        }
        history
    }

    #[test]
    fn ten_minutes_are_kept_and_no_more() {
        let history = history((0..1000).map(|rate| rate * 5));
        let Rates { step, until, bytes } = history.fine();
        assert_eq!((step, bytes.len(), bytes[0], bytes[KEPT - 1]), (5, KEPT, 880, 999));
        assert_eq!((until, history.steps.capacity() <= 128), (1_700_000_001, true));
    }

    #[test]
    fn a_coarse_step_is_the_average_of_the_same_three() {
        // Numbers 7 and 8, 9 to 11, 12.
        assert_eq!(history([10, 20, 30, 40, 50, 500]).coarse().bytes, [3, 8, 100]);
        assert_eq!(history([10, 20, 30, 40, 50]).coarse().bytes, [3, 8]);
        let whole = history([15; KEPT]).coarse();
        assert_eq!((whole.step, whole.bytes.iter().all(|rate| *rate == 3)), (15, true));
        assert!(history([]).coarse().bytes.is_empty());
    }

    #[test]
    fn a_rate_has_no_upper_limit_and_a_step_no_lower_one() {
        assert_eq!(history([u64::MAX]).fine().bytes, [u64::from(u32::MAX)]);
        assert_eq!(per_second(100, Duration::ZERO), 0);
    }
}
