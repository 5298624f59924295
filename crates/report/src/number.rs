//! Numbers in a log.

/// A decimal number without a sign.
#[inline]
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 20 {
        return None;
    }
    let (most, last) = digits.split_at(digits.len().min(19));
    let mut number = 0_u64;
    // So many digits fit.
    for byte in most {
        number = number * 10 + digit(*byte)?;
    }
    for byte in last {
        number = number.checked_mul(10)?.checked_add(digit(*byte)?)?;
    }
    Some(number)
}

#[inline]
fn digit(byte: u8) -> Option<u64> {
    let digit = byte.wrapping_sub(b'0');
    (digit <= 9).then_some(digit.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_nothing_else() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for none in
            ["", "-", "-1", "+1", "1.5", "1 ", "18446744073709551616", "99999999999999999999"]
        {
            assert_eq!(number(none.as_bytes()), None, "{none}");
        }
    }
}
