//! What is missing in a source's RTP sequence (RFC 3550, appendices A.1 and A.3).

use crate::packet::Header;

/// A step forward of this many packets or more is a new beginning, not a loss.
const MAX_DROPOUT: i64 = 3000;
/// A packet that is this late or later is a new beginning too.
const MAX_MISORDER: i64 = 100;

/// Follows one SSRC at a time. Packets are only read, never held back or reordered.
#[derive(Debug, Default)]
pub struct Sequence {
    span: Option<Span>,
    /// Missing in the spans that are over.
    before: u64,
    ssrc_changes: u64,
}

/// An unbroken stretch of one SSRC's sequence, in numbers that don't wrap.
#[derive(Clone, Copy, Debug)]
struct Span {
    ssrc: u32,
    first: i64,
    last: i64,
    received: u64,
    /// The number after one that was far off: if it comes, that was a new beginning.
    awaited: Option<u16>,
}

impl Sequence {
    /// Sees an RTP packet.
    pub fn see(&mut self, Header { ssrc, sequence: number, .. }: Header) {
        match &mut self.span {
            Some(span) if span.ssrc == ssrc => {
                if !span.take(number) {
                    self.begin(ssrc, number);
                }
            }
            Some(_) => {
                self.ssrc_changes += 1;
                self.begin(ssrc, number);
            }
            None => self.begin(ssrc, number),
        }
    }

    fn begin(&mut self, ssrc: u32, number: u16) {
        self.before = self.missing();
        let number = i64::from(number);
        let span = Span { ssrc, first: number, last: number, received: 1, awaited: None };
        self.span = Some(span);
    }

    /// How many packets are missing now. One that comes late lowers it again; a duplicate
    /// counts as received, as in the RFC.
    pub fn missing(&self) -> u64 {
        self.before + self.span.map_or(0, Span::missing)
    }

    /// How often another SSRC took over.
    pub fn ssrc_changes(&self) -> u64 {
        self.ssrc_changes
    }
}

impl Span {
    /// Takes a packet in; false if the sequence begins anew with it.
    fn take(&mut self, number: u16) -> bool {
        let [.., high, low] = self.last.to_be_bytes();
        let step = number.wrapping_sub(u16::from_be_bytes([high, low])).cast_signed();
        let step = i64::from(step);
        if step >= MAX_DROPOUT || step <= -MAX_MISORDER {
            // One stray packet is no new beginning; two in a row are.
            let begins = self.awaited == Some(number);
            self.awaited = Some(number.wrapping_add(1));
            return !begins;
        }
        self.first = self.first.min(self.last + step);
        self.last = self.last.max(self.last + step);
        self.received += 1;
        self.awaited = None;
        true
    }

    fn missing(self) -> u64 {
        let expected = u64::try_from(self.last - self.first + 1).unwrap_or(0);
        expected.saturating_sub(self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(ssrc: u32, sequence: u16) -> Header {
        Header { ssrc, payload_type: 96, sequence }
    }

    fn missing(numbers: impl IntoIterator<Item = u16>) -> u64 {
        let mut sequence = Sequence::default();
        numbers.into_iter().for_each(|number| sequence.see(header(1, number)));
        sequence.missing()
    }

    #[test]
    fn a_restart_is_not_a_loss() {
        assert_eq!(missing([1, 2, 4, 20_000, 20_001, 20_002]), 1);
        assert_eq!(missing([1, 2, 20_000, 3, 4]), 0);
    }

    #[test]
    fn another_ssrc_begins_anew() {
        let mut sequence = Sequence::default();
        for (ssrc, number) in [(1, 1), (1, 3), (2, 9), (2, 12)] {
            sequence.see(header(ssrc, number));
        }
        assert_eq!((sequence.missing(), sequence.ssrc_changes()), (3, 1));
    }

    proptest! {
        #[test]
        fn what_was_left_out_is_missing(start: u16, kept in prop::collection::vec(prop::bool::weighted(0.8), 1..2000)) {
            // The first and the last arrive, for nobody can miss what lies outside of them.
            let last = kept.len();
            let numbers = (0..=last).filter(|at| *at == 0 || *at == last || kept[*at]);
            let missing = missing(numbers.map(|at| start.wrapping_add(u16::try_from(at).unwrap())));
            let left_out = kept[1..].iter().filter(|kept| !**kept).count();
            prop_assert_eq!(missing, u64::try_from(left_out).unwrap());
        }

        #[test]
        fn a_change_of_order_is_no_loss(start: u16, order in prop::collection::vec(0_u16..90, 200..500)) {
            let mut numbers: Vec<u16> = (0..).take(order.len()).collect();
            numbers.sort_by_key(|number| number + order[usize::from(*number)]);
            prop_assert_eq!(missing(numbers.iter().map(|number| start.wrapping_add(*number))), 0);
        }
    }
}
