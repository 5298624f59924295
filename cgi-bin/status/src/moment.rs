//! Moments, in UTC: what a web server's own zone is, a page's reader can't know. The script shows
//! them in the reader's.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970, now.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// An HTML time, from seconds since 1970: `19:08:43 UTC`, and for machines the date too.
pub(crate) fn time(at: u64) -> String {
    let (year, month, day) = date(at / 86_400);
    let clock = format!("{:02}:{:02}:{:02}", at / 3600 % 24, at / 60 % 60, at % 60);
    format!("<time datetime=\"{year:04}-{month:02}-{day:02}T{clock}Z\">{clock} UTC</time>")
}

/// Year, month and day of so many days since 1970. It counts in years that begin with March, so
/// that a leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    // From 1 March of the year 0; an era is 400 years.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        for (days, is) in [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (19_782, (2024, 2, 29)),
            (20_453, (2025, 12, 31)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(date(days), is);
        }
    }

    #[test]
    fn a_time_is_for_people_and_machines() {
        let said = "<time datetime=\"2024-07-16T12:00:05Z\">12:00:05 UTC</time>";
        assert_eq!(time(1_721_131_205), said);
    }
}
