//! Points in time, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat};

/// The last second of the year 9999. Later times are shown as this one.
const LATEST: u64 = 253_402_300_799;

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Seconds since 1970 as RFC 3339 has them: `2024-07-16T12:00:00Z`.
pub fn utc(seconds: u64) -> String {
    let seconds = i64::try_from(seconds.min(LATEST)).unwrap_or_default();
    let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Only the time of day: `12:00:00Z`.
pub fn time_of_day(seconds: u64) -> String {
    utc(seconds).split_off("2024-07-16T".len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(utc(951_868_800), "2000-03-01T00:00:00Z");
        assert_eq!(utc(u64::MAX), "9999-12-31T23:59:59Z");
        assert_eq!(time_of_day(1_721_131_261), "12:01:01Z");
    }
}
