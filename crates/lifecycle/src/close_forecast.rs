//! What would close a relay next.

use std::time::{Duration, Instant};

use model::{CloseReason, State};

use crate::flow::Flow;
use crate::relay::Relay;

/// One thing that would close a relay if all stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseForecast {
    /// The reason it would be closed with.
    pub reason: CloseReason,
    /// When.
    pub when: When,
}

/// What a closing waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A time.
    At(Instant),
    /// About so many more refused probes (or turns without a packet to probe with).
    Refusals(u32),
    /// So much more silence of the source.
    Silence(Duration),
}

impl Relay {
    /// What is under way, the likeliest first: refusals while Suspect, a count of no viewers, the
    /// source's silence once it is a second old, the lease.
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
