//! What the log says of a relay's life.

use std::time::Instant;

use control::{FlowStatus, RelayDetail, RelayStatus};
use model::{CloseReason, State};
use tracing::Level;

use crate::core::relay::Relay;
use crate::log::log_at;

/// Says that the edge goes on refusing. While the relay is live it is one media of several that it
/// refuses: viewers miss something.
pub(crate) fn tell_of_storm(relay: &Relay, state: Option<State>, count: u64) {
    let level = if state == Some(State::Live) { Level::WARN } else { Level::INFO };
    let (stream, edge) = (relay.stream.as_str(), relay.edge.as_str());
    log_at!(level, name: "refusals", stream, edge, count, "the edge goes on refusing packets");
}

/// Says that a relay is over, with its final counters.
pub(crate) fn tell_of_end(relay: &Relay, end: &RelayDetail, reason: CloseReason) {
    let RelayStatus { stream, edge, packets, bytes, refusals, .. } = &end.relay;
    let total = |of: fn(&FlowStatus) -> u64| end.flows.iter().map(of).sum::<u64>();
    let never_came = end.flows.iter().all(|flow| flow.idle_ms.is_none());
    let level = match reason {
        CloseReason::Failed => Level::ERROR,
        CloseReason::EdgeUnreachable | CloseReason::NeverAccepted => Level::WARN,
        CloseReason::SourceEnded if never_came => Level::WARN,
        _ => Level::INFO,
    };
    log_at!(
        level,
        name: "closed",
        stream,
        edge,
        %reason,
        seconds = relay.audience.seconds(Instant::now()),
        packets,
        bytes,
        refusals,
        lost = total(|flow| flow.lost),
        drops = total(|flow| flow.drops),
        gaps = total(|flow| flow.gaps),
        viewers = relay.audience.most,
        watched = relay.audience.watched(),
        "the relay is closed"
    );
}
