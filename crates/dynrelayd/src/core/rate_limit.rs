//! Limits how much may happen in a second.

use std::time::{Duration, Instant};

/// A token bucket: it holds one second's worth and fills steadily.
#[derive(Debug)]
pub(crate) struct RateLimit {
    per_second: u32,
    left: f64,
    filled: Instant,
}

impl RateLimit {
    /// A full bucket.
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self { per_second, left: f64::from(per_second), filled: now }
    }

    /// Changes the rate. The remaining tokens stay, as far as they fit.
    pub(crate) fn set_rate(&mut self, per_second: u32) {
        self.per_second = per_second;
    }

    /// Takes a token, or returns the time until there is one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.fill(now);
        let rate = f64::from(self.per_second);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        let wait = if rate > 0.0 { (1.0 - self.left) / rate } else { 3600.0 };
        Err(Duration::from_secs_f64(wait))
    }

    /// Gives a token back.
    pub(crate) fn give_back(&mut self) {
        self.left = (self.left + 1.0).min(f64::from(self.per_second));
    }

    /// Takes more tokens afterwards. The bucket may then be below zero for a while.
    pub(crate) fn charge(&mut self, more: u32) {
        self.left -= f64::from(more);
    }

    /// Whether nothing was taken for a second.
    pub(crate) fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.left >= f64::from(self.per_second)
    }

    /// The rate, and the current tokens.
    #[cfg(test)]
    pub(crate) fn available(&self, now: Instant) -> (u32, f64) {
        let rate = f64::from(self.per_second);
        let grown = now.saturating_duration_since(self.filled).as_secs_f64() * rate;
        (self.per_second, (self.left + grown).min(rate))
    }

    fn fill(&mut self, now: Instant) {
        let rate = f64::from(self.per_second);
        let grown = now.saturating_duration_since(self.filled).as_secs_f64() * rate;
        self.left = (self.left + grown).min(rate);
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_the_steady_rate() {
        let begin = Instant::now();
        let mut starts = RateLimit::new(20, begin);
        assert!((0..20).all(|_| starts.take(begin).is_ok()));
        let wait = starts.take(begin).unwrap_err();
        assert!(wait <= Duration::from_millis(50));
        assert!(starts.take(begin + Duration::from_millis(51)).is_ok());
        assert!(starts.take(begin + Duration::from_millis(52)).is_err());
        let later = begin + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| starts.take(later).is_ok()).count(), 20);
    }

    #[test]
    fn charges_are_paid_for_later() {
        let begin = Instant::now();
        let mut looks = RateLimit::new(10, begin);
        assert!(looks.take(begin).is_ok() && !looks.is_full(begin));
        looks.charge(19);
        assert!(looks.take(begin + Duration::from_millis(1050)).is_err());
        assert!(looks.take(begin + Duration::from_millis(1150)).is_ok());
        assert!(looks.is_full(begin + Duration::from_millis(2300)));
    }

    #[test]
    fn a_rate_of_zero_lets_nothing_through() {
        let now = Instant::now();
        assert!(RateLimit::new(0, now).take(now).is_err());
    }
}
