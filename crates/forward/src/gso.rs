//! Sending several datagrams in one call (UDP_SEGMENT, "generic segmentation offload").

use std::io::IoSlice;

/// The kernel's limit on datagrams in one call.
const MAX_DATAGRAMS: usize = 64;

/// With its headers, a run must stay below 65,536 bytes.
const MAX_BYTES: usize = 65_000;

/// Cuts datagrams, in order, into runs that the kernel takes in one call. The datagrams of a run
/// have one size; only the last may be shorter. An empty datagram is a run of its own, because the
/// kernel would drop an empty segment.
pub(crate) fn runs<'s, 'd>(
    mut datagrams: &'s [IoSlice<'d>],
) -> impl Iterator<Item = &'s [IoSlice<'d>]> {
    std::iter::from_fn(move || {
        let (run, rest) = datagrams.split_at(length_of_first(datagrams));
        datagrams = rest;
        (!run.is_empty()).then_some(run)
    })
}

fn length_of_first(datagrams: &[IoSlice<'_>]) -> usize {
    let Some(size) = datagrams.first().map(|first| first.len()) else { return 0 };
    let mut bytes = size;
    for (length, next) in datagrams.iter().enumerate().skip(1) {
        bytes += next.len();
        let fits = length < MAX_DATAGRAMS && bytes <= MAX_BYTES;
        if !fits || next.is_empty() || next.len() > size {
            return length;
        }
        if next.len() < size {
            return length + 1;
        }
    }
    datagrams.len()
}

/// The length of a control message's header: a length as wide as a pointer, level, and type.
const CONTROL_HEADER: usize = size_of::<usize>() + 8;
/// The header and a u16, padded to a pointer's width.
const CONTROL: usize = CONTROL_HEADER + size_of::<usize>();

/// A UDP_SEGMENT control message: the kernel cuts the data into datagrams of `size` bytes.
pub(crate) fn segment_control(size: u16) -> [u8; CONTROL] {
    let mut control = [0; CONTROL];
    let (length, rest) = control.split_at_mut(size_of::<usize>());
    length.copy_from_slice(&(CONTROL_HEADER + size_of::<u16>()).to_ne_bytes());
    rest[..4].copy_from_slice(&libc::SOL_UDP.to_ne_bytes());
    rest[4..8].copy_from_slice(&libc::UDP_SEGMENT.to_ne_bytes());
    rest[8..10].copy_from_slice(&size.to_ne_bytes());
    control
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lengths(sizes: &[usize]) -> Vec<Vec<usize>> {
        let data = vec![0; 65_536];
        let slices: Vec<_> = sizes.iter().map(|size| IoSlice::new(&data[..*size])).collect();
        runs(&slices).map(|run| run.iter().map(|slice| slice.len()).collect()).collect()
    }

    #[test]
    fn a_run_has_equal_sizes_and_may_end_with_a_shorter_one() {
        assert_eq!(lengths(&[9, 9, 9, 5, 9, 9]), [vec![9, 9, 9, 5], vec![9, 9]]);
        assert_eq!(lengths(&[5, 9, 9]), [vec![5], vec![9, 9]]);
        assert!(lengths(&[]).is_empty());
    }

    #[test]
    fn an_empty_datagram_is_a_run_of_its_own() {
        assert_eq!(lengths(&[9, 0, 0, 9]), [vec![9], vec![0], vec![0], vec![9]]);
    }

    #[test]
    fn a_large_datagram_is_a_run_of_its_own() {
        assert_eq!(lengths(&[65_507, 65_507, 1]), [vec![65_507], vec![65_507], vec![1]]);
    }

    proptest! {
        #[test]
        fn each_datagram_is_in_one_run_that_the_kernel_takes(
            sizes in prop::collection::vec(prop_oneof![Just(1200), Just(1316), 0_usize..65_508], 0..200)
        ) {
            let runs = lengths(&sizes);
            prop_assert_eq!(runs.concat(), sizes);
            for run in runs {
                prop_assert!(run.len() <= MAX_DATAGRAMS);
                if let [equal @ .., last] = run.as_slice() && !equal.is_empty() {
                    prop_assert!(run.iter().sum::<usize>() <= MAX_BYTES);
                    prop_assert!(equal.iter().all(|size| *size == equal[0]));
                    prop_assert!((1..=equal[0]).contains(last));
                }
            }
        }
    }
}
