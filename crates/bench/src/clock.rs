//! CLOCK_MONOTONIC in nanoseconds: the same for all processes of one host, whatever their network
//! namespace.

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use std::time::Duration;

pub(crate) fn now() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// The CPU time that this process has used, in nanoseconds.
pub(crate) fn cpu() -> u64 {
    read(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).map_or(Duration::ZERO, Duration::from);
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Sleeps until a time of [`now`]. Returns at once if it is past.
pub(crate) fn sleep_until(at: u64) {
    if at > now() {
        let at = TimeSpec::from(Duration::from_nanos(at));
        // A signal may end the sleep early; then a packet leaves early.
        let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &at);
    }
}
