//! The time of day.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in seconds since 1970.
pub(crate) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A moment in seconds since 1970, as logs have it: `2024-07-16T12:00:00Z`.
pub(crate) fn utc(seconds: u64) -> String {
    format!("{}T{}", ::report::date(seconds / 86_400), time_of_day(seconds))
}

/// The same without its date: `12:00:00Z`.
pub(crate) fn time_of_day(seconds: u64) -> String {
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(utc(1_721_131_261), "2024-07-16T12:01:01Z");
    }
}
