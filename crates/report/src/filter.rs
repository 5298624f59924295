//! Which part of the logs a report covers.

use crate::time::DAY;

/// The scope of a report; by default everything. Times are in seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Nothing before this time.
    pub since: Option<u64>,
    /// Nothing from this time on.
    pub until: Option<u64>,
    /// Only this stream.
    pub stream: Option<String>,
    /// Only this edge: its name, its address, or its name in its own log.
    pub edge: Option<String>,
}

impl Filter {
    /// Whether a time is between `since` and `until`.
    pub(crate) fn has(&self, time: u64) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }

    pub(crate) fn wants_stream(&self, stream: &[u8]) -> bool {
        self.stream.as_ref().is_none_or(|wanted| wanted.as_bytes() == stream)
    }

    /// The part of a time span between `since` and `until`.
    pub(crate) fn clip(&self, (from, to): (u64, u64)) -> (u64, u64) {
        let from = from.max(self.since.unwrap_or(0));
        (from, to.min(self.until.unwrap_or(u64::MAX)).max(from))
    }

    /// Divides a time span among its days, between `since` and `until`: calls `each` with the day,
    /// its seconds in the span, and its share of each amount. An empty span has all of it.
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
        // The share up to a time. Differences of such shares add up exactly, despite rounding.
        let gone = |amount: u64, until: u64| match until - from {
            0 => 0,
            // The usual case; divisions are slow.
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
        fn shares_add_up(from in 0_u64..1000 * DAY, length in 0..9 * DAY, amount: u64, cut: u64) {
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
