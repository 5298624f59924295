//! Finds bytes and reads numbers in the lines of a log.

/// The longest name of a stream, an edge or a server, in bytes.
pub(crate) const MAX_NAME: usize = 255;

/// Bytes are examined in blocks of this size.
const BLOCK: usize = 64;

/// The positions of the bytes `A` and `B` in a text, in order.
///
/// memchr finds a distant byte as fast as memory is read, but each search costs time to begin. In a
/// log line the next quote or space is near. So all matches in a block are found at once, and
/// returned bit by bit. This is several times as fast.
pub(crate) struct Positions<'a, const A: u8, const B: u8> {
    text: &'a [u8],
    /// Where the current block begins.
    block: usize,
    /// A bit for each match in the current block that was not returned yet.
    bits: u64,
}

impl<'a, const A: u8, const B: u8> Positions<'a, A, B> {
    pub(crate) fn of(text: &'a [u8]) -> Self {
        Self { text, block: 0, bits: bits::<A, B>(text) }
    }
}

impl<const A: u8, const B: u8> Iterator for Positions<'_, A, B> {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.bits == 0 {
            (self.block, self.bits) = next_block::<A, B>(self.text, self.block)?;
        }
        let position = self.block + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(position)
    }
}

/// The first block with a match after the one at `block`: where it begins, and its bits. It takes
/// copies, so that the fields of [`Positions`] can stay in registers.
#[inline(never)]
fn next_block<const A: u8, const B: u8>(text: &[u8], mut block: usize) -> Option<(usize, u64)> {
    loop {
        block += BLOCK;
        match bits::<A, B>(text.get(block..)?) {
            0 => {}
            bits => return Some((block, bits)),
        }
    }
}

/// A bit for each byte of the first block of a text: whether it is `A` or `B`.
#[inline]
fn bits<const A: u8, const B: u8>(text: &[u8]) -> u64 {
    if let Some(block) = text.first_chunk() {
        return bits_of_block::<A, B>(block);
    }
    let mut block = [0; BLOCK];
    block[..text.len()].copy_from_slice(text);
    // The padding may match, too.
    bits_of_block::<A, B>(&block) & ((1 << text.len()) - 1)
}

/// Written so that the compiler makes vector instructions of it: each match sets its bit, and the
/// sum of eight bytes is one byte of the result.
#[inline]
fn bits_of_block<const A: u8, const B: u8>(block: &[u8; BLOCK]) -> u64 {
    let mut found = [0_u8; BLOCK];
    for place in 0..BLOCK {
        let byte = block[place];
        found[place] = if byte == A || byte == B { 1 << (place % 8) } else { 0 };
    }
    let mut bits = 0;
    for (place, eight) in found.as_chunks::<8>().0.iter().enumerate() {
        let sum = eight.iter().fold(0_u8, |sum, bit| sum.wrapping_add(*bit));
        bits |= u64::from(sum) << (8 * place);
    }
    bits
}

/// A decimal number without a sign.
#[inline]
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    // The parser of u64 takes a sign.
    digits.first().filter(|first| first.is_ascii_digit())?;
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_match_is_found(text in "[ab\0\u{80}]{0,200}") {
            let text = text.as_bytes();
            let wanted = |bytes: &[u8]| -> Vec<usize> {
                (0..text.len()).filter(|place| bytes.contains(&text[*place])).collect()
            };
            prop_assert_eq!(Positions::<b'a', b'b'>::of(text).collect::<Vec<_>>(), wanted(b"ab"));
            prop_assert_eq!(Positions::<0, 0>::of(text).collect::<Vec<_>>(), wanted(b"\0"));
        }
    }

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for none in
            ["", "-", "-1", "+1", "1.5", "1 ", "18446744073709551616", "99999999999999999999"]
        {
            assert_eq!(number(none.as_bytes()), None, "{none}");
        }
    }
}
