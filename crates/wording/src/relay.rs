//! A relay in short: its close reason, its flows, and notes on both.

use control::{FlowStatus, RelayDetail};
use model::{CloseReason, FlowKind, State};

use crate::count;

/// The meaning of a close reason.
pub fn meaning(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::NoViewers => "nobody watches there any more",
        CloseReason::NeverAccepted => "the edge never took it: no consent there, or no player came",
        CloseReason::EdgeUnreachable => "its host or the way to it went down",
        CloseReason::EdgeFirewalled => "a firewall on the way rejects its packets",
        CloseReason::SourceEnded => "nothing arrived from the encoder any more",
        CloseReason::LeaseExpired => "nobody asked for it again in time",
        CloseReason::Stopped => "by an administrator, or with the daemon",
        CloseReason::NotInCatalog => "its files were removed or changed",
        CloseReason::Failed => "it could not go on; the daemon's log says why",
    }
}

/// A close reason with its meaning: `no-viewers (nobody watches there any more)`.
pub fn explained(reason: CloseReason) -> String {
    format!("{reason} ({})", meaning(reason))
}

/// Whether an administrator should look into it.
pub fn is_trouble(reason: CloseReason) -> bool {
    matches!(
        reason,
        CloseReason::NeverAccepted
            | CloseReason::EdgeUnreachable
            | CloseReason::EdgeFirewalled
            | CloseReason::Failed
    )
}

/// A flow by its media and its kind: `video H264 RTP`.
pub fn flow_name(media: &str, kind: FlowKind) -> String {
    let kind = match kind {
        FlowKind::Rtp => "RTP",
        FlowKind::Rtcp => "RTCP",
    };
    format!("{media} {kind}")
}

/// The packets that a flow lost, and why; none if it lost none.
pub fn flow_note(flow: &FlowStatus) -> Option<String> {
    let mut notes = Vec::new();
    if flow.gaps > 0 {
        notes.push(format!("{} never arrived", count(flow.gaps, "packet")));
    }
    if flow.drops > 0 {
        notes.push(format!("{} came faster than they were read", count(flow.drops, "packet")));
    }
    if flow.lost > 0 {
        notes.push(format!("{} could not be sent", count(flow.lost, "packet")));
    }
    if flow.returned > 0 {
        let packets = count(flow.returned, "packet");
        notes.push(format!("{packets} came back from another host and were not forwarded"));
    }
    if flow.ssrc_changes > 0 {
        notes.push(format!("the sender restarted {}", count(flow.ssrc_changes, "time")));
    }
    (!notes.is_empty())
        .then(|| format!("{}: {}", flow_name(&flow.media, flow.kind), notes.join("; ")))
}

/// Explains that a running relay was never refused, and says what to do. Until the relay has sent a
/// packet, the edge had nothing to refuse.
pub fn silence_note(relay: &RelayDetail) -> Option<String> {
    let silent = !relay.answers && relay.relay.packets > 0 && relay.relay.state != State::Closed;
    silent.then(|| {
        format!(
            "No refusal has ever come back from {}. If none comes after its viewers have left, a \
             firewall drops ICMP errors, and refusals cannot close this relay: let ICMP \
             destination-unreachable through from there to here, or set a lease in [shutdown].",
            relay.address
        )
    })
}
