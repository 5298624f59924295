//! How long to wait before a source that failed is tried again.

use std::time::Duration;

/// The wait after the first failure.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait, without the luck.
const LONGEST: Duration = Duration::from_secs(8);

/// The wait after so many failures in a row: half a second at first, twice as long each time, and
/// eight seconds at most. `luck` makes it up to a quarter longer, so that the pulls of a server that
/// went down don't come back all at once.
pub fn backoff(failures: u32, luck: u8) -> Duration {
    let doubled =
        FIRST.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    let wait = doubled.min(LONGEST);
    wait + wait / 4 * u32::from(luck) / u32::from(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits: Vec<u128> = (0..8).map(|failures| backoff(failures, 0).as_millis()).collect();
        assert_eq!(waits, [500, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(backoff(u32::MAX, u8::MAX), Duration::from_secs(10));
    }

    proptest! {
        #[test]
        fn luck_adds_a_quarter_at_most_and_no_failure_shortens_the_wait(failures: u32, luck: u8) {
            let wait = backoff(failures, luck);
            prop_assert!(wait >= backoff(failures, 0));
            prop_assert!(wait <= backoff(failures, 0) * 5 / 4);
            prop_assert!(backoff(failures.saturating_add(1), luck) >= wait);
        }
    }
}
