//! What the service manager is told: sd_notify(3). Without one nobody listens, and nothing happens.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tracing::warn;

/// It serves.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// It reads its files again; [`ready`] ends that.
pub(crate) fn reloading() {
    let now = NotifyState::monotonic_usec_now().unwrap_or(NotifyState::MonotonicUsec(0));
    tell(&[NotifyState::Reloading, now]);
}

/// It takes everything down.
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

/// The sign of life that the service manager waits for. Whoever decides must give it, since a
/// thread of its own would be alive while the one that matters hangs.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// Twice as often as is asked for.
    every: Option<Duration>,
    due: Instant,
}

impl Watchdog {
    /// As the service manager asks for by `WATCHDOG_USEC`; else there is none.
    pub(crate) fn of_the_service(now: Instant) -> Self {
        let every = sd_notify::watchdog_enabled().map(|patience| patience / 2);
        Self { every: every.filter(|every| !every.is_zero()), due: now }
    }

    /// When the next sign is due.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.every.map(|_| self.due)
    }

    /// Gives the sign, if it is due.
    pub(crate) fn poll(&mut self, now: Instant) {
        if let Some(every) = self.every.filter(|_| now >= self.due) {
            tell(&[NotifyState::Watchdog]);
            self.due = now + every;
        }
    }
}
