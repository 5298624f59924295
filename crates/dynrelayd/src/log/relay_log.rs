//! Writes the core's events to the log: their names, fields and messages.

use control::{ErrorCode, FlowStatus, RelayStatus};
use model::{CloseReason, SourceState};
use tracing::field::display;
use tracing::{Level, debug, error, info, warn};

use super::log_at;
use crate::core::{Closed, LogEvent, OpenCause};

/// Writes an event.
pub(crate) fn write(event: &LogEvent) {
    match event {
        LogEvent::Opened { stream, edge, address } => {
            info!(name: "opened", stream, edge, %address, "a relay starts");
        }
        LogEvent::State { stream, edge, state } => {
            info!(name: "state", stream, edge, %state, "the relay is {state}");
        }
        LogEvent::Closed(closed) => write_closed(closed),
        LogEvent::Refusals { stream, edge, live, count } => {
            // While the relay is live, the edge refuses one of its media, and viewers miss it.
            let level = if *live { Level::WARN } else { Level::INFO };
            log_at!(level, name: "refusals", stream, edge, count, "the edge goes on refusing packets");
        }
        LogEvent::Forged { stream, edge, offender, count } => {
            warn!(
                name: "forged", stream, edge, %offender, count,
                "ignored ICMP errors that fit no packet of the relay, the last one from {offender}"
            );
        }
        LogEvent::Failed { stream, edge, cause, why, count } => match cause {
            OpenCause::Start => {
                error!(name: "failed", stream, edge, count, error = %why, "the relay can't start");
            }
            OpenCause::Reroute => {
                error!(name: "failed", stream, edge, error = %why, "the changed relay can't start");
            }
            OpenCause::Resume => {
                warn!(
                    name: "failed", stream, edge,
                    "a relay that ran before the restart can't go on: {why}"
                );
            }
        },
        LogEvent::Start { .. } | LogEvent::TurnedAway { .. } | LogEvent::PassedOver { .. } => {
            write_start(event);
        }
        LogEvent::Replica { stream, to, state, why } => {
            write_replica(stream, to, *state, why.as_deref());
        }
        LogEvent::Pull { .. }
        | LogEvent::PullPlays { .. }
        | LogEvent::PullStray { .. }
        | LogEvent::PullFailed { .. }
        | LogEvent::PullEnded { .. } => write_pull(event),
        LogEvent::Returned { stream, sender, returned } => {
            let sender = match sender.ip().is_loopback() {
                true => "a program on this host".to_owned(),
                false => sender.to_string(),
            };
            warn!(
                name: "returned", stream, %sender, returned,
                "packets of {stream} come back: {sender} sends them here again, and they are not \
                 sent on; a second encoder that sends the same does no harm"
            );
        }
        LogEvent::Fault { text, error: true } => error!(name: "fault", "{text}"),
        LogEvent::Fault { text, error: false } => warn!(name: "fault", "{text}"),
        LogEvent::Reloaded { streams, edges } => {
            info!(name: "reloaded", streams, edges, "reloaded");
        }
        LogEvent::NeedsRestart => {
            warn!("changes in [daemon] take effect when dynrelayd is restarted");
        }
    }
}

/// Has everything about a relay, so that a report needs no other entry.
fn write_closed(closed: &Closed) {
    let Closed { end, reason, seconds, viewers, watched } = closed;
    let RelayStatus { stream, edge, packets, bytes, refusals, .. } = &end.relay;
    let total = |of: fn(&FlowStatus) -> u64| end.flows.iter().map(of).sum::<u64>();
    let never_came = end.flows.iter().all(|flow| flow.idle_ms.is_none());
    let level = match reason {
        CloseReason::Failed => Level::ERROR,
        CloseReason::EdgeUnreachable | CloseReason::EdgeFirewalled | CloseReason::NeverAccepted => {
            Level::WARN
        }
        CloseReason::SourceEnded if never_came => Level::WARN,
        _ => Level::INFO,
    };
    log_at!(
        level,
        name: "closed",
        stream,
        edge,
        %reason,
        seconds,
        packets,
        bytes,
        refusals,
        lost = total(|flow| flow.lost),
        drops = total(|flow| flow.drops),
        gaps = total(|flow| flow.gaps),
        viewers,
        watched,
        "the relay is closed"
    );
}

fn write_start(event: &LogEvent) {
    match event {
        LogEvent::Start { stream, edge: Some(edge), client, count } => {
            let client = client.as_ref().map(display);
            info!(name: "start", stream, edge, client, count, "viewers are sent to the edge");
        }
        LogEvent::Start { stream, edge: None, client, count } => {
            let client = client.as_ref().map(display);
            info!(
                name: "start", stream, via = "origin", client, count,
                "viewers are sent to the origin"
            );
        }
        LogEvent::TurnedAway { stream, code, client, count, why: Some(why) } => {
            let client = client.as_ref().map(display);
            let (level, code) = (level(*code), code.to_string());
            log_at!(
                level,
                name: "turned-away", stream, code, client, count, "a viewer is turned away: {why}"
            );
        }
        LogEvent::TurnedAway { stream, code, count, why: None, .. } => {
            let code = code.to_string();
            info!(name: "turned-away", stream, code, count, "more viewers are turned away");
        }
        LogEvent::PassedOver { stream, edge, why } => {
            debug!(name: "passed-over", stream, edge, "passed over: {why}");
        }
        _ => {}
    }
}

/// The level of a refusal, by what the administrator can do.
fn level(code: ErrorCode) -> Level {
    match code {
        ErrorCode::Internal => Level::ERROR,
        ErrorCode::NoConsent
        | ErrorCode::EdgeUnreachable
        | ErrorCode::NoEdge
        | ErrorCode::SourceRefuses
        | ErrorCode::SourceUnreachable
        | ErrorCode::Limit => Level::WARN,
        ErrorCode::BadRequest
        | ErrorCode::UnknownStream
        | ErrorCode::SourceStarting
        | ErrorCode::Forbidden => Level::INFO,
    }
}

fn write_replica(stream: &str, to: &str, state: Option<SourceState>, why: Option<&str>) {
    let name = format!("the replica of {stream} to {to}");
    match (state, why) {
        (Some(state), Some(why)) => {
            let state = state.word();
            warn!(name: "replica", stream, state, "{name} has failed, trying again: {why}");
        }
        (Some(state), None) => {
            let state = state.word();
            info!(name: "replica", stream, state, "{name} is {state}");
        }
        (None, _) => info!(name: "replica", stream, state = "ended", "{name} has ended"),
    }
}

fn write_pull(event: &LogEvent) {
    match event {
        LogEvent::Pull { stream, source } => {
            info!(name: "pull", stream, source, "the stream is being pulled");
        }
        LogEvent::PullPlays { stream, source, transport, from } => {
            info!(
                name: "pull-plays", stream, source, %transport, %from,
                "the stream comes over {transport}"
            );
        }
        LogEvent::PullStray { stream, source, skipped } => {
            warn!(
                name: "pull-stray", stream, source, skipped,
                "the source of {stream} sends bytes that are neither RTSP nor packets; dynrelayd \
                 skips them"
            );
        }
        LogEvent::PullFailed { stream, source, why } => {
            warn!(
                name: "pull-failed", stream, source,
                "the stream can't be pulled, trying again: {why}"
            );
        }
        LogEvent::PullEnded { stream } => {
            info!(name: "pull-ended", stream, "the stream is no longer pulled: nobody needs it");
        }
        _ => {}
    }
}
