//! Notifies the service manager: sd_notify(3). Without a service manager, nothing happens.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tracing::warn;

/// The daemon serves.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The daemon reads its files again; [`ready`] ends that.
pub(crate) fn reloading() {
    let now = NotifyState::monotonic_usec_now().unwrap_or(NotifyState::MonotonicUsec(0));
    tell(&[NotifyState::Reloading, now]);
}

/// The daemon closes everything.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("closing the relays")]);
}

/// A line for `systemctl status`.
pub(crate) fn status(line: &str) {
    tell(&[NotifyState::Status(line)]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "can't notify the service manager");
    }
}

/// The sign of life for the service manager's watchdog. The main thread gives it: a separate thread
/// would go on while the main thread hangs.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// Twice as often as the service manager requires.
    every: Option<Duration>,
    due: Instant,
}

impl Watchdog {
    /// The watchdog of `WATCHDOG_USEC`; none without it.
    pub(crate) fn of_the_service(now: Instant) -> Self {
        let every = sd_notify::watchdog_enabled().map(|patience| patience / 2);
        Self { every: every.filter(|every| !every.is_zero()), due: now }
    }

    /// The time of the next sign.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.every.map(|_| self.due)
    }

    /// Gives the sign if it is due.
    pub(crate) fn poll(&mut self, now: Instant) {
        if let Some(every) = self.every.filter(|_| now >= self.due) {
            tell(&[NotifyState::Watchdog]);
            self.due = now + every;
        }
    }
}
