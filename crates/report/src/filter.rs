//! Which part of the logs is reported on.

use crate::time::DAY;

/// What is asked for; by default everything. Times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Nothing before this.
    pub since: Option<u64>,
    /// Nothing from this on.
    pub until: Option<u64>,
    /// This stream alone.
    pub stream: Option<String>,
    /// This edge alone: its name, its address, or as its own log calls it.
    pub edge: Option<String>,
}

impl Filter {
    /// Whether this point in time is in the window.
    pub(crate) fn has(&self, time: u64) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }

    pub(crate) fn wants_stream(&self, stream: &[u8]) -> bool {
        self.stream.as_ref().is_none_or(|wanted| wanted.as_bytes() == stream)
    }

    /// The part of a span of time that is in the window.
    pub(crate) fn clip(&self, (from, to): (u64, u64)) -> (u64, u64) {
        let from = from.max(self.since.unwrap_or(0));
        (from, to.min(self.until.unwrap_or(u64::MAX)).max(from))
    }

    /// Hands over a span's days, as far as they are in the window: the day, how many of its seconds,
    /// and the part of each amount that goes with these. A moment has all of it.
    pub(crate) fn spread<const N: usize>(
        &self,
        (from, to): (u64, u64),
        amounts: [u64; N],
        mut each: impl FnMut(u64, u64, [u64; N]),
    ) {
        let length = to.saturating_sub(from);
        if length == 0 {
            if self.has(from) {
                each(from / DAY, 0, amounts);
            }
            return;
        }
        // What had gone by a time: sums of such differences lose nothing by rounding.
        let gone = |amount: u64, until: u64| match until - from {
            0 => 0,
            // As most do; and dividing takes long.
            all if all == length => amount,
            part => {
                let part = u128::from(amount) * u128::from(part) / u128::from(length);
                u64::try_from(part).unwrap_or(u64::MAX)
            }
        };
        let (mut at, end) = self.clip((from, to));
        while at < end {
            let next = end.min((at / DAY + 1) * DAY);
            each(at / DAY, next - at, amounts.map(|all| gone(all, next) - gone(all, at)));
            at = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_span_is_divided_among_its_days() {
        let mut parts = Vec::new();
        Filter::default().spread((DAY - 10, DAY + 20), [300, 1], |day, seconds, amounts| {
            parts.push((day, seconds, amounts));
        });
        assert_eq!(parts, [(0, 10, [100, 0]), (1, 20, [200, 1])]);
        let since = Filter { since: Some(DAY), ..Filter::default() };
        parts.clear();
        since.spread((DAY - 10, DAY + 20), [300], |day, seconds, [amount]| {
            parts.push((day, seconds, [amount, 0]));
        });
        assert_eq!(parts, [(1, 20, [200, 0])]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(from in 0_u64..1000 * DAY, length in 0..9 * DAY, amount: u64, cut: u64) {
            let cut = from + cut % (length + 1);
            let (mut seconds, mut sum) = (0, 0);
            for filter in [
                Filter { until: Some(cut), ..Filter::default() },
                Filter { since: Some(cut), ..Filter::default() },
            ] {
                filter.spread((from, from + length), [amount], |_, part, [part_of_amount]| {
                    seconds += part;
                    sum += part_of_amount;
                });
            }
            prop_assert_eq!((seconds, sum), (length, amount));
        }
    }
}
