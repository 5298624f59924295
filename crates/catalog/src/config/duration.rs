//! Durations as they are written in files: `3s`, `250ms`, `1h30m`.

use std::fmt;
use std::time::Duration;

use serde::{Deserializer, de};

/// The longest duration. No setting needs more, and sums with the clock can't overflow.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not numbers with units.
    #[error("`{0}` is not a duration: write for example \"250ms\", \"3s\", \"2h\" or \"1m30s\"")]
    Unreadable(String),
    /// Longer than a year.
    #[error("`{0}` is too long: a duration is at most 366d")]
    TooLong(String),
}

/// Reads whole numbers, each with its unit: `us`, `ms`, `s`, `m`, `h` or `d`.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let unreadable = || DurationError::Unreadable(text.to_owned());
    let too_long = || DurationError::TooLong(text.to_owned());
    let mut rest = text.trim();
    let mut sum = Duration::ZERO;
    if rest.is_empty() {
        return Err(unreadable());
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_lowercase()).len();
        let (unit, tail) = tail.split_at(letters);
        if number.is_empty() {
            return Err(unreadable());
        }
        let microseconds: u64 = match unit {
            "us" => 1,
            "ms" => 1000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => 86_400_000_000,
            _ => return Err(unreadable()),
        };
        let number: u64 = number.parse().map_err(|_| too_long())?;
        let part = number.checked_mul(microseconds).map(Duration::from_micros);
        sum = part.and_then(|part| sum.checked_add(part)).ok_or_else(too_long)?;
        rest = tail;
    }
    if sum > LONGEST { Err(too_long()) } else { Ok(sum) }
}

/// For serde: a duration that may be zero.
pub(crate) fn optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    struct Text;
    impl de::Visitor<'_> for Text {
        type Value = Duration;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a duration in quotes such as \"250ms\", \"3s\" or \"2h\"")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
            parse_duration(text).map_err(E::custom)
        }
    }
    from.deserialize_str(Text).map(Some)
}

/// The shortest time for which the daemon's counters can tell anything.
const SHORTEST: Duration = Duration::from_millis(100);

/// For serde: a duration of at least 100 ms.
pub(crate) fn positive<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    match optional(from)? {
        Some(short) if short < SHORTEST => {
            Err(de::Error::custom("this must be at least \"100ms\""))
        }
        duration => Ok(duration),
    }
}

/// For serde: a worker's rest, at most 10 ms.
pub(crate) fn short<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    match optional(from)?.unwrap_or_default() {
        rest if rest > Duration::from_millis(10) => {
            Err(de::Error::custom("this must be \"10ms\" at most"))
        }
        rest => Ok(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let read = |text| parse_duration(text).unwrap();
        assert_eq!(read("0s"), Duration::ZERO);
        assert_eq!(read("100us"), Duration::from_micros(100));
        assert_eq!(read("250ms"), Duration::from_millis(250));
        assert_eq!(read("3s"), Duration::from_secs(3));
        assert_eq!(read("1m30s"), Duration::from_secs(90));
        assert_eq!(read("2h"), Duration::from_secs(7200));
        assert_eq!(read("366d"), LONGEST);
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in ["", "3", "s", "-3s", "1.5s", "3 s", "3S", "3sec", "s3", "３s"] {
            assert!(matches!(parse_duration(bad), Err(DurationError::Unreadable(_))), "{bad}");
        }
        for long in ["367d", "99999999999999999999s", "18446744073709551615d", "366d1ms"] {
            assert!(matches!(parse_duration(long), Err(DurationError::TooLong(_))), "{long}");
        }
    }
}
