//! Times in a log: seconds since 1970, in UTC. Days are days of UTC, too.

use chrono::{DateTime, Days, NaiveDate};

/// Seconds in a day.
pub(crate) const DAY: u64 = 86_400;
/// Microseconds in a second.
pub(crate) const MICROS: u64 = 1_000_000;

/// Ten years. A longer session or relay is an error in the log.
pub(crate) const MAX_SECONDS: u64 = 3653 * DAY;

/// Microseconds since 1970 of a time of RFC 3339: `2026-11-22T18:54:23.123456Z`.
pub(crate) fn rfc3339(text: &[u8]) -> Option<u64> {
    let time = DateTime::parse_from_rfc3339(str::from_utf8(text).ok()?).ok()?;
    u64::try_from(time.timestamp_micros()).ok()
}

/// Seconds since 1970 of a date and a time of day: `2026-11-22`, `18:54:23`.
pub(crate) fn date_and_time(date: &[u8], time: &[u8]) -> Option<u64> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else { return None };
    let &[h1, h2, b':', n1, n2, b':', s1, s2] = time else { return None };
    let year = i32::try_from(two(y1, y2)? * 100 + two(y3, y4)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, two(m1, m2)?, two(d1, d2)?)?;
    // A leap second counts as the one before it.
    let seconds = two(s1, s2).map(|seconds| if seconds == 60 { 59 } else { seconds })?;
    let time = date.and_hms_opt(two(h1, h2)?, two(n1, n2)?, seconds)?;
    u64::try_from(time.and_utc().timestamp()).ok()
}

fn two(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// The date so many days after 1970 began: `2026-11-22`.
pub fn date(day: u64) -> String {
    let date = NaiveDate::default().checked_add_days(Days::new(day));
    date.unwrap_or(NaiveDate::MAX).to_string()
}

/// Seconds since 1970 of a time in UTC as people write it: `2026-11-22`, or `2026-11-22T18:54:23`
/// with or without a `Z`.
pub fn parse_time(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = text.split_at_checked(10)?;
    let time = if time.is_empty() { "00:00:00" } else { time.strip_prefix(['T', ' '])? };
    date_and_time(date.as_bytes(), time.as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_of_logs() {
        assert_eq!(rfc3339(b"1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(rfc3339(b"2024-07-16T12:00:00.999999Z"), Some(1_721_131_200_999_999));
        assert_eq!(rfc3339(b"2024-07-16T12:00:00.123456789Z"), Some(1_721_131_200_123_456));
        assert_eq!(rfc3339(b"2024-07-16T14:00:00.5+02:00"), Some(1_721_131_200_500_000));
        assert_eq!(date_and_time(b"2000-02-29", b"23:59:60"), Some(951_868_799));
        assert_eq!(parse_time("2024-07-16"), Some(1_721_131_200 - DAY / 2));
        assert_eq!(parse_time("2024-07-16T12:00:00Z"), Some(1_721_131_200));
        for none in
            ["2023-02-29", "1969-12-31", "2024-13-01", "2024-7-16", "2024-07-16T24:00:00", ""]
        {
            assert_eq!(parse_time(none), None, "{none}");
        }
        for none in ["2024-07-16T12:00:00", "2024-07-16T12:00:00.Z", "1969-12-31T23:59:59Z"] {
            assert_eq!(rfc3339(none.as_bytes()), None, "{none}");
        }
        assert_eq!((date(0), date(11_016)), ("1970-01-01".into(), "2000-02-29".into()));
        date(u64::MAX);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_time_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..32)) {
            let _ = rfc3339(&bytes);
            let _ = parse_time(&String::from_utf8_lossy(&bytes));
        }
    }
}
