//! The receiver's half of RTCP (RFC 3550, section 6): what goes back to the server.

use crate::reception::Block;

/// The receiver as RTCP knows it.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    ssrc: u32,
    /// Tells nothing of this host (RFC 7022).
    name: String,
}

impl Reporter {
    /// A receiver that nobody knows yet; `chance` makes it another one than others.
    pub(crate) fn new(chance: u64) -> Self {
        let [a, b, c, d, ..] = chance.to_be_bytes();
        Self { ssrc: u32::from_be_bytes([a, b, c, d]), name: format!("{chance:016x}") }
    }

    /// A compound packet: a receiver report, who makes it, and perhaps its goodbye.
    pub(crate) fn compound(&self, block: Option<Block>, goodbye: bool) -> Vec<u8> {
        let mut packet = Vec::with_capacity(72);
        let count = u8::from(block.is_some());
        packet.extend([0x80 | count, 201, 0, 1 + 6 * count]);
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(block.iter().flat_map(bytes));
        self.describe(&mut packet);
        if goodbye {
            packet.extend([0x81, 203, 0, 1]);
            packet.extend(self.ssrc.to_be_bytes());
        }
        packet
    }

    /// SDES with a CNAME: an item's kind, its length, its text; then zeroes up to a whole word.
    fn describe(&self, packet: &mut Vec<u8>) {
        let mut item = vec![1, u8::try_from(self.name.len()).unwrap_or(0)];
        item.extend(self.name.bytes());
        item.push(0);
        item.resize(item.len().next_multiple_of(4), 0);
        let words = 1 + item.len() / 4;
        packet.extend([0x81, 202, 0, u8::try_from(words).unwrap_or(0)]);
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(item);
    }
}

fn bytes(block: &Block) -> [u8; 24] {
    let mut bytes = [0; 24];
    let [_, lost @ ..] = block.lost.to_be_bytes();
    bytes[0..4].copy_from_slice(&block.ssrc.to_be_bytes());
    bytes[4] = block.fraction_lost;
    bytes[5..8].copy_from_slice(&lost);
    bytes[8..12].copy_from_slice(&block.highest.to_be_bytes());
    bytes[12..16].copy_from_slice(&block.jitter.to_be_bytes());
    bytes[16..20].copy_from_slice(&block.last_report.to_be_bytes());
    bytes[20..24].copy_from_slice(&block.since_report.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: Block = Block {
        ssrc: 1,
        fraction_lost: 2,
        lost: -3,
        highest: 4,
        jitter: 5,
        last_report: 6,
        since_report: 7,
    };

    /// Type and length in words of each packet of a compound.
    fn parts(mut compound: &[u8]) -> Vec<(u8, usize)> {
        let mut parts = Vec::new();
        while let [first, kind, high, low, rest @ ..] = compound {
            assert_eq!(first >> 6, 2);
            let words = usize::from(u16::from_be_bytes([*high, *low]));
            parts.push((*kind, words));
            compound = &rest[words * 4..];
        }
        assert!(compound.is_empty());
        parts
    }

    #[test]
    fn a_compound_is_a_report_and_a_name_and_at_last_a_goodbye() {
        let reporter = Reporter::new(0x0102_0304_0506_0708);
        assert_eq!(parts(&reporter.compound(None, false)), [(201, 1), (202, 6)]);
        let whole = reporter.compound(Some(BLOCK), true);
        assert_eq!(parts(&whole), [(201, 7), (202, 6), (203, 1)]);
        assert_eq!(whole[..8], [0x81, 201, 0, 7, 1, 2, 3, 4]);
        let block = [0, 0, 0, 1, 2, 255, 255, 253, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7];
        assert_eq!(whole[8..32], block);
        assert_eq!(whole[36..47], *b"\x01\x02\x03\x04\x01\x1001020");
    }
}
