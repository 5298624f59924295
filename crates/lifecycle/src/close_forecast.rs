//! Forecasts the close of a relay.

use std::time::{Duration, Instant};

use model::{CloseReason, State};

use crate::flow::Flow;
use crate::relay::Relay;

/// An event that closes a relay unless something changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseForecast {
    /// The reason that it will be closed with.
    pub reason: CloseReason,
    /// When.
    pub when: When,
}

/// The condition of the close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A time.
    At(Instant),
    /// About this many more refused probes, or turns without a packet.
    Refusals(u32),
    /// This much more silence of the source.
    Silence(Duration),
}

impl Relay {
    /// The events that may close it, the likeliest first: refusals while Suspect, reports of no
    /// viewer, silence of the source for a second or more, the lease.
    pub(crate) fn close_forecasts(&self) -> Vec<CloseForecast> {
        let suspect = self.state == State::Suspect;
        let refusals = suspect.then(|| When::Refusals(self.errors_left()));
        let silence = self.rtp().map(Flow::silence).min().unwrap_or_default();
        let silent = silence >= Duration::from_secs(1);
        let left = silent.then(|| self.rules.source_silence.saturating_sub(silence));
        let all = [
            (self.refusal_reason(), refusals),
            (CloseReason::NoViewers, self.unwatched_until().map(When::At)),
            (CloseReason::SourceEnded, left.map(When::Silence)),
            (CloseReason::LeaseExpired, self.lease_until().map(When::At)),
        ];
        all.into_iter()
            .filter_map(|(reason, when)| Some(CloseForecast { reason, when: when? }))
            .collect()
    }
}
