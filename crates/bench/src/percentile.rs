//! Percentiles of delays.

use serde::Serialize;

/// Percentiles of delays in nanoseconds (nearest rank).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub(crate) struct Percentiles {
    min: u64,
    pub(crate) median: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

impl Percentiles {
    /// Sorts the values; all are 0 if there is none.
    pub(crate) fn of(values: &mut [u64]) -> Percentiles {
        values.sort_unstable();
        let at = |per_mille| nearest_rank(values, per_mille);
        Percentiles {
            min: at(0),
            median: at(500),
            p90: at(900),
            p99: at(990),
            p999: at(999),
            max: at(1000),
        }
    }
}

/// The smallest value that at least `per_mille` thousandths of the sorted values do not exceed.
fn nearest_rank(sorted: &[u64], per_mille: usize) -> u64 {
    let rank = (sorted.len() * per_mille).div_ceil(1000);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rank_counts() {
        let mut values: Vec<u64> = (1..=1000).rev().collect();
        let of = Percentiles::of(&mut values);
        assert_eq!(
            of,
            Percentiles { min: 1, median: 500, p90: 900, p99: 990, p999: 999, max: 1000 }
        );
        let few = Percentiles::of(&mut [9, 3]);
        assert_eq!((few.min, few.median, few.p99, few.max), (3, 3, 9, 9));
        assert_eq!(Percentiles::of(&mut []), Percentiles::default());
    }
}
