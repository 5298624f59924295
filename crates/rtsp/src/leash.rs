//! How a pull's thread is told to end: by the other end of a pair of sockets, which closes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The thread's end.
#[derive(Debug)]
pub(crate) struct Leash(UnixStream);

/// The owner's end: dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Hold(#[expect(dead_code, reason = "it is closed when it is dropped")] UnixStream);

/// A leash with both its ends.
pub(crate) fn leash() -> io::Result<(Hold, Leash)> {
    let (hold, leash) = UnixStream::pair()?;
    Ok((Hold(hold), Leash(leash)))
}

impl AsFd for Leash {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Leash {
    /// Waits so long; true if it is time to end.
    pub(crate) fn pulled_within(&self, wait: Duration) -> bool {
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

/// So long, to the next whole millisecond.
pub(crate) fn timeout(wait: Duration) -> PollTimeout {
    let whole = u64::from(!wait.subsec_nanos().is_multiple_of(1_000_000));
    let millis = wait.as_millis().saturating_add(u128::from(whole));
    u32::try_from(millis).ok().and_then(|millis| millis.try_into().ok()).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lets_go_ends_the_wait() {
        let (hold, leash) = leash().unwrap();
        assert!(!leash.pulled_within(Duration::ZERO));
        assert!(!leash.pulled_within(Duration::from_millis(5)));
        drop(hold);
        assert!(leash.pulled_within(Duration::from_secs(3600)));
    }

    #[test]
    fn a_wait_is_never_shorter() {
        let of = |wait| timeout(wait).as_millis().unwrap();
        assert_eq!(of(Duration::ZERO), 0);
        assert_eq!(of(Duration::from_micros(1)), 1);
        assert_eq!(of(Duration::from_millis(7)), 7);
        assert_eq!(of(Duration::MAX), i32::MAX.unsigned_abs());
    }
}
