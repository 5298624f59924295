//! The numbers of an ingest, which all its flows share.

use crate::cell::{AddressCell, Counter};
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Written by the ingest's worker.
#[derive(Debug, Default)]
pub(crate) struct IngestCounters {
    /// Datagrams received.
    pub(crate) received: Counter,
    /// Datagrams that the kernel dropped because the receive buffer was full.
    pub(crate) drops: Counter,
    /// RTP packets that are missing in the sequence.
    pub(crate) gaps: Counter,
    /// How often the RTP stream went on with another SSRC.
    pub(crate) ssrc_changes: Counter,
    /// Packets that came back in a loop and were dropped.
    pub(crate) returned: Counter,
    /// The sender of such a packet.
    pub(crate) returned_by: AddressCell,
    /// When the last datagram came, in [`coarse_millis`]; 0 is never.
    pub(crate) last: Counter,
}

/// The totals at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) received: u64,
    pub(crate) drops: u64,
    pub(crate) gaps: u64,
    pub(crate) ssrc_changes: u64,
    pub(crate) returned: u64,
}

impl IngestCounters {
    pub(crate) fn totals(&self) -> Totals {
        Totals {
            received: self.received.get(),
            drops: self.drops.get(),
            gaps: self.gaps.get(),
            ssrc_changes: self.ssrc_changes.get(),
            returned: self.returned.get(),
        }
    }

    /// How long ago the last datagram came, to within a few milliseconds.
    pub(crate) fn idle(&self) -> Option<Duration> {
        match self.last.get() {
            0 => None,
            last => Some(Duration::from_millis(coarse_millis().saturating_sub(last))),
        }
    }
}

impl Totals {
    pub(crate) fn since(self, earlier: Totals) -> Totals {
        Totals {
            received: self.received.saturating_sub(earlier.received),
            drops: self.drops.saturating_sub(earlier.drops),
            gaps: self.gaps.saturating_sub(earlier.gaps),
            ssrc_changes: self.ssrc_changes.saturating_sub(earlier.ssrc_changes),
            returned: self.returned.saturating_sub(earlier.returned),
        }
    }
}

/// Milliseconds since boot at the kernel's last tick. It costs no system call and is never 0.
pub(crate) fn coarse_millis() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE).map_or(Duration::ZERO, Duration::from);
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX).max(1)
}
