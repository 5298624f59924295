//! Numbers, sizes and times as people write them.

/// Bytes, in powers of a thousand: `1.4 GB`.
pub fn size(bytes: u64) -> String {
    scaled(bytes, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// Bytes a second, as bits a second: `1.2 Mbit/s`.
pub fn rate(bytes: u64) -> String {
    scaled(bytes.saturating_mul(8), &["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"])
}

/// Seconds, in the two largest units: `45s`, `2m 5s`, `2h 14m`, `3d 4h`.
pub fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m {}s", seconds % 60),
        3600..86_400 => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// Milliseconds: `20ms`; from a second on like [`age`].
pub fn silence(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds}ms"),
        _ => age(milliseconds / 1000),
    }
}

/// A number and its noun: `1 packet`, `2 packets`.
pub fn count(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A number with separated thousands: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// One decimal below ten, none above. Rounding never gives `1000 kB`: that is `1.0 MB`.
fn scaled(number: u64, units: &[&str]) -> String {
    let mut tenths = u128::from(number) * 10;
    for (at, unit) in units.iter().enumerate() {
        let whole = (tenths + 5) / 10;
        if at > 0 && tenths < 100 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        if whole < 1000 || at + 1 == units.len() {
            return format!("{whole} {unit}");
        }
        tenths = (tenths + 500) / 1000;
    }
    number.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_rates() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1000), "1.0 kB");
        assert_eq!(size(12_345), "12 kB");
        assert_eq!(size(999_999), "1.0 MB");
        assert_eq!(size(1_440_000_000), "1.4 GB");
        assert_eq!(size(u64::MAX), "18 EB");
        assert_eq!(rate(150_000), "1.2 Mbit/s");
        assert_eq!(rate(u64::MAX), "18446744 Tbit/s");
    }

    #[test]
    fn ages() {
        let said: Vec<_> = [0, 59, 60, 3599, 3600, 8040, 86_400, 273_600].map(age).into();
        assert_eq!(said, ["0s", "59s", "1m 0s", "59m 59s", "1h 0m", "2h 14m", "1d 0h", "3d 4h"]);
        assert_eq!(silence(20), "20ms");
        assert_eq!(silence(61_000), "1m 1s");
    }

    #[test]
    fn counts() {
        assert_eq!(count(1_u64, "packet"), "1 packet");
        assert_eq!(count(0_usize, "packet"), "0 packets");
        assert_eq!(grouped(123), "123");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
