//! Losses in an RTP sequence (RFC 3550, appendices A.1 and A.3).

use crate::packet::Header;

/// A step forward of this many packets or more is a restart, not a loss.
const MAX_DROPOUT: i64 = 3000;
/// A packet that is this late or later is a restart, too.
const MAX_MISORDER: i64 = 100;

/// Follows one SSRC at a time and counts what is missing. It holds back no packet.
#[derive(Debug, Default)]
pub struct Sequence {
    span: Option<Span>,
    /// Missing in the spans before this one.
    before: u64,
    ssrc_changes: u64,
}

/// A stretch of one SSRC's sequence without a restart.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    ssrc: u32,
    first: i64,
    last: i64,
    received: u64,
    confirmed: bool,
    /// The number after a packet that was far off: if it comes, that packet was a restart.
    awaited: Option<u16>,
}

impl Sequence {
    /// Takes in the next RTP packet, in the order of arrival.
    pub fn push(&mut self, Header { ssrc, sequence: number, .. }: Header) {
        match &mut self.span {
            Some(span) if span.ssrc == ssrc => {
                if !span.push(number) {
                    self.begin(ssrc, number, true);
                }
            }
            Some(_) => {
                self.ssrc_changes += 1;
                self.begin(ssrc, number, false);
            }
            None => self.begin(ssrc, number, false),
        }
    }

    fn begin(&mut self, ssrc: u32, number: u16, confirmed: bool) {
        self.before = self.missing();
        let number = i64::from(number);
        let span =
            Span { ssrc, first: number, last: number, received: 1, confirmed, awaited: None };
        self.span = Some(span);
    }

    /// How many packets are missing in all. A late packet lowers it again; a duplicate counts as
    /// received, as in the RFC.
    pub fn missing(&self) -> u64 {
        self.before + self.span.map_or(0, |span| span.missing())
    }

    /// How often another SSRC took over.
    pub fn ssrc_changes(&self) -> u64 {
        self.ssrc_changes
    }

    /// The stretch since the last restart or change of SSRC; `None` before the first packet.
    pub fn span(&self) -> Option<&Span> {
        self.span.as_ref()
    }
}

impl Span {
    /// Takes a packet in; false if it is a restart.
    fn push(&mut self, number: u16) -> bool {
        let [.., high, low] = self.last.to_be_bytes();
        let step = number.wrapping_sub(u16::from_be_bytes([high, low])).cast_signed();
        let step = i64::from(step);
        if step >= MAX_DROPOUT || step <= -MAX_MISORDER {
            // One stray packet is no restart; two in a row are.
            let restarts = self.awaited == Some(number);
            self.awaited = Some(number.wrapping_add(1));
            return !restarts;
        }
        self.first = self.first.min(self.last + step);
        self.last = self.last.max(self.last + step);
        self.received += 1;
        self.confirmed |= step != 0;
        self.awaited = None;
        true
    }

    /// The synchronisation source.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// How many packets came, duplicates included.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// How many packets were sent from the first to the last that came.
    pub fn expected(&self) -> u64 {
        u64::try_from(self.last - self.first + 1).unwrap_or(0)
    }

    /// How many of them are missing.
    pub fn missing(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// The highest sequence number, extended by the count of its wraps (RFC 3550, 6.4.1).
    pub fn highest(&self) -> u32 {
        let [.., a, b, c, d] = self.last.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// Whether a second packet followed the first. Any bytes may look like RTP once, but not twice
    /// with one SSRC and neighbouring numbers.
    pub fn is_confirmed(&self) -> bool {
        self.confirmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pushed(numbers: impl IntoIterator<Item = (u32, u16)>) -> Sequence {
        let mut sequence = Sequence::default();
        for (ssrc, sequence_number) in numbers {
            let (payload_type, timestamp) = (96, 0);
            sequence.push(Header { ssrc, payload_type, sequence: sequence_number, timestamp });
        }
        sequence
    }

    fn missing(numbers: impl IntoIterator<Item = u16>) -> u64 {
        pushed(numbers.into_iter().map(|number| (1, number))).missing()
    }

    #[test]
    fn a_restart_is_not_a_loss() {
        assert_eq!(missing([1, 2, 4, 20_000, 20_001, 20_002]), 1);
        assert_eq!(missing([1, 2, 20_000, 3, 4]), 0);
    }

    #[test]
    fn another_ssrc_starts_a_new_span() {
        let sequence = pushed([(1, 1), (1, 3), (2, 9), (2, 12)]);
        assert_eq!((sequence.missing(), sequence.ssrc_changes()), (3, 1));
        let span = sequence.span().unwrap();
        assert_eq!((span.ssrc(), span.received(), span.expected()), (2, 2, 4));
    }

    #[test]
    fn the_highest_number_counts_wraps() {
        let highest = |numbers: &[u16]| {
            pushed(numbers.iter().map(|number| (1, *number))).span().map(Span::highest)
        };
        assert_eq!(highest(&[65_533, 65_534, 1, 0, 2]), Some(65_538));
        assert_eq!(highest(&[1, 0, 65_535]), Some(1));
        assert_eq!(highest(&[]), None);
    }

    #[test]
    fn a_neighbour_confirms_a_span() {
        let confirmed = |numbers: &[u16]| {
            let sequence = pushed(numbers.iter().map(|number| (1, *number)));
            sequence.span().is_some_and(Span::is_confirmed)
        };
        assert!(!confirmed(&[65_535]) && !confirmed(&[65_535, 65_535, 30_000]));
        assert!(confirmed(&[65_535, 1]) && confirmed(&[65_535, 30_000, 30_001]));
    }

    proptest! {
        #[test]
        fn counts_each_gap(start: u16, kept in prop::collection::vec(prop::bool::weighted(0.8), 1..2000)) {
            // The first and the last arrive: nothing outside of them can count as missing.
            let last = kept.len();
            let numbers = (0..=last).filter(|at| *at == 0 || *at == last || kept[*at]);
            let missing = missing(numbers.map(|at| start.wrapping_add(u16::try_from(at).unwrap())));
            let gaps = kept[1..].iter().filter(|kept| !**kept).count();
            prop_assert_eq!(missing, u64::try_from(gaps).unwrap());
        }

        #[test]
        fn a_change_of_order_is_no_loss(start: u16, order in prop::collection::vec(0_u16..90, 200..500)) {
            let mut numbers: Vec<u16> = (0..).take(order.len()).collect();
            numbers.sort_by_key(|number| number + order[usize::from(*number)]);
            prop_assert_eq!(missing(numbers.iter().map(|number| start.wrapping_add(*number))), 0);
        }
    }
}
