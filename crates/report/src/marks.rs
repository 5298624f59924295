//! Where certain bytes are in a text.

/// So many bytes are looked at together.
const BLOCK: usize = 64;

/// The places of the bytes `A` and `B` in a text, in order.
///
/// memchr finds a byte that is far away as fast as memory is read, but takes a while to begin. In a
/// line of a log the next quote or space is near: so all of a block are found at once, and handed
/// out bit by bit. This is several times as fast.
pub(crate) struct Marks<'a, const A: u8, const B: u8> {
    text: &'a [u8],
    /// Where the block begins that `bits` are of.
    at: usize,
    /// Those of the block that were not handed out.
    bits: u64,
}

impl<'a, const A: u8, const B: u8> Marks<'a, A, B> {
    pub(crate) fn of(text: &'a [u8]) -> Self {
        Self { text, at: 0, bits: bits::<A, B>(text) }
    }
}

impl<const A: u8, const B: u8> Iterator for Marks<'_, A, B> {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.bits == 0 {
            (self.at, self.bits) = next_block::<A, B>(self.text, self.at)?;
        }
        let place = self.at + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(place)
    }
}

/// The first block after the one at `at` that has any: where it begins, and its bits. It is handed
/// copies, so that those of [`Marks`] can stay in registers.
#[inline(never)]
fn next_block<const A: u8, const B: u8>(text: &[u8], mut at: usize) -> Option<(usize, u64)> {
    loop {
        at += BLOCK;
        match bits::<A, B>(text.get(at..)?) {
            0 => {}
            bits => return Some((at, bits)),
        }
    }
}

/// A bit for each of the first bytes of a text: whether it is one of those that are looked for.
#[inline]
fn bits<const A: u8, const B: u8>(text: &[u8]) -> u64 {
    if let Some(block) = text.first_chunk() {
        return bits_of_block::<A, B>(block);
    }
    let mut block = [0; BLOCK];
    block[..text.len()].copy_from_slice(text);
    // What was filled up may be looked for too.
    bits_of_block::<A, B>(&block) & ((1 << text.len()) - 1)
}

/// Written so that the compiler makes vectors of it: a byte that is looked for has its bit, and the
/// sum of eight is a byte of the result.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_is_found(text in "[ab\0\u{80}]{0,200}") {
            let text = text.as_bytes();
            let places = |looked_for: &[u8]| -> Vec<usize> {
                (0..text.len()).filter(|place| looked_for.contains(&text[*place])).collect()
            };
            prop_assert_eq!(Marks::<b'a', b'b'>::of(text).collect::<Vec<_>>(), places(b"ab"));
            prop_assert_eq!(Marks::<0, 0>::of(text).collect::<Vec<_>>(), places(b"\0"));
        }
    }
}
