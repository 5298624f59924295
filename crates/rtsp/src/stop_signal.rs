//! The signal that ends a pull's thread: one end of a pair of sockets is closed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The thread's end.
#[derive(Debug)]
pub(crate) struct StopSignal(UnixStream);

/// The owner's end. Dropping it is the signal.
#[derive(Debug)]
pub(crate) struct Stopper(
    #[expect(dead_code, reason = "it is closed when it is dropped")] UnixStream,
);

/// A signal with both its ends.
pub(crate) fn stop_signal() -> io::Result<(Stopper, StopSignal)> {
    let (stopper, signal) = UnixStream::pair()?;
    Ok((Stopper(stopper), StopSignal(signal)))
}

impl AsFd for StopSignal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl StopSignal {
    /// Waits this long for the signal; true if it came.
    pub(crate) fn within(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        loop {
            let mut fds = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
            let left = until.saturating_duration_since(Instant::now());
            match poll(&mut fds, timeout(left)) {
                Ok(1..) => return true,
                Ok(_) if left.is_zero() => return false,
                // Interrupted, or a millisecond early: the rest is waited for.
                _ => {}
            }
        }
    }
}

/// A duration, rounded up to milliseconds.
pub(crate) fn timeout(wait: Duration) -> PollTimeout {
    let whole = u64::from(!wait.subsec_nanos().is_multiple_of(1_000_000));
    let millis = wait.as_millis().saturating_add(u128::from(whole));
    u32::try_from(millis).ok().and_then(|millis| millis.try_into().ok()).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_the_other_end_is_the_signal() {
        let (stopper, signal) = stop_signal().unwrap();
        assert!(!signal.within(Duration::ZERO));
        assert!(!signal.within(Duration::from_millis(5)));
        drop(stopper);
        assert!(signal.within(Duration::from_secs(3600)));
    }

    #[test]
    fn a_timeout_is_never_shorter_than_the_wait() {
        let of = |wait| timeout(wait).as_millis().unwrap();
        assert_eq!(of(Duration::ZERO), 0);
        assert_eq!(of(Duration::from_micros(1)), 1);
        assert_eq!(of(Duration::from_millis(7)), 7);
        assert_eq!(of(Duration::MAX), i32::MAX.unsigned_abs());
    }
}
