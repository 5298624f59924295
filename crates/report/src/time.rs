//! Times in a log: seconds since 1970, in UTC. Days are those of UTC too.

use crate::number::number;

/// The seconds of a day.
pub(crate) const DAY: u64 = 86_400;
/// The microseconds of a second.
pub(crate) const MICROS: u64 = 1_000_000;

/// The days of dates. In a log a date is mostly that of the line before, and need not be read again.
#[derive(Debug)]
pub(crate) struct Calendar {
    date: [u8; 10],
    day: u64,
}

impl Default for Calendar {
    fn default() -> Self {
        Self { date: *b"1970-01-01", day: 0 }
    }
}

impl Calendar {
    fn day(&mut self, date: &[u8]) -> Option<u64> {
        let date: &[u8; 10] = date.try_into().ok()?;
        if *date != self.date {
            *self = Self { date: *date, day: day(date)? };
        }
        Some(self.day)
    }
}

/// Microseconds since 1970 of a time as RFC 3339 has it, in UTC: `2026-11-22T18:54:23.123456Z`.
pub(crate) fn rfc3339(text: &[u8], calendar: &mut Calendar) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let time = rest.strip_prefix(b"T")?.strip_suffix(b"Z")?;
    let (time, fraction) = time.split_at_checked(8)?;
    let micros = match fraction {
        [] => 0,
        [b'.', digits @ ..] => {
            let digits = &digits[..digits.len().min(6)];
            let missing = u32::try_from(6 - digits.len()).ok()?;
            number(digits)? * 10_u64.pow(missing)
        }
        _ => return None,
    };
    date_and_time(date, time, calendar).map(|seconds| seconds * MICROS + micros)
}

/// A date and a time of day: `2026-11-22`, `18:54:23`.
pub(crate) fn date_and_time(date: &[u8], time: &[u8], calendar: &mut Calendar) -> Option<u64> {
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = time else { return None };
    let (hours, minutes, seconds) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    // There are leap seconds, if rarely.
    (hours < 24 && minutes < 60 && seconds <= 60)
        .then_some(calendar.day(date)? * DAY + hours * 3600 + minutes * 60 + seconds.min(59))
}

fn two(tens: u8, ones: u8) -> Option<u64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u64::from(tens) * 10 + u64::from(ones))
}

/// The days from 1970 to a date.
fn day(date: &[u8]) -> Option<u64> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else { return None };
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, two(m1, m2)?, two(d1, d2)?);
    if year < 1970
        || !(1..=12).contains(&month)
        || day == 0
        || (day > 28 && day > length(year, month))
    {
        return None;
    }
    // A year that begins in March has its leap day at its end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    days.checked_sub(TO_1970)
}

/// The days from March of the year 0 to 1970.
const TO_1970: u64 = 719_468;

/// The days of a month.
fn length(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The date so many days after 1970 began: `2026-11-22`.
pub fn date(day: u64) -> String {
    let days = day.saturating_add(TO_1970);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (next, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + next)
}

/// A point in time as people write it, in UTC: `2026-11-22`, or `2026-11-22T18:54:23`, with or
/// without a `Z`. Gives seconds since 1970.
pub fn parse_time(text: &str) -> Option<u64> {
    let text = text.as_bytes();
    let text = text.strip_suffix(b"Z").unwrap_or(text);
    match text.split_at_checked(10)? {
        (date, b"") => day(date).map(|day| day * DAY),
        (date, [b'T' | b' ', time @ ..]) => date_and_time(date, time, &mut Calendar::default()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rfc3339(text: &[u8]) -> Option<u64> {
        super::rfc3339(text, &mut Calendar::default())
    }

    #[test]
    fn times_as_they_are_logged() {
        assert_eq!(rfc3339(b"1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(rfc3339(b"2024-07-16T12:00:00.999999Z"), Some(1_721_131_200_999_999));
        assert_eq!(rfc3339(b"2024-07-16T12:00:00.5Z"), Some(1_721_131_200_500_000));
        assert_eq!(rfc3339(b"2024-07-16T12:00:00.123456789Z"), Some(1_721_131_200_123_456));
        assert_eq!(rfc3339(b"2000-02-29T23:59:60Z"), Some(951_868_799 * MICROS));
        assert_eq!(parse_time("2024-07-16"), Some(1_721_131_200 - DAY / 2));
        assert_eq!(parse_time("2024-07-16T12:00:00Z"), Some(1_721_131_200));
        for none in
            ["2023-02-29", "1969-12-31", "2024-13-01", "2024-7-16", "2024-07-16T24:00:00", ""]
        {
            assert_eq!(parse_time(none), None, "{none}");
        }
        for none in [
            "2024-07-16T12:00:00",
            "2024-07-16T12:00:00+01:00",
            "2024-07-16 12:00:00Z",
            "2024-07-16T12:00:00.Z",
            "2024-07-16T12:00:00,5Z",
        ] {
            assert_eq!(rfc3339(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn every_day_has_its_date() {
        let mut calendar = Calendar::default();
        for number in 0..2_000_000 {
            let text = date(number);
            if text.len() == 10 {
                for _ in 0..2 {
                    assert_eq!(calendar.day(text.as_bytes()), Some(number), "{text}");
                }
            }
        }
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_time_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..32)) {
            let _ = rfc3339(&bytes);
            let _ = parse_time(&String::from_utf8_lossy(&bytes));
        }
    }
}
