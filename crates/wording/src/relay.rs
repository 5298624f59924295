//! What is worth knowing of a relay, in words.

use std::net::IpAddr;

use control::{FlowStatus, RelayDetail};
use model::{FlowKind, State};

use crate::count;

/// A flow by its media and its kind: `video H264 RTP`.
pub fn flow_name(media: &str, kind: FlowKind) -> String {
    let kind = match kind {
        FlowKind::Rtp => "RTP",
        FlowKind::Rtcp => "RTCP",
    };
    format!("{media} {kind}")
}

/// What went wrong on a flow's way here, if anything did.
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
        notes.push(format!("{packets} came back from another host, and went no further"));
    }
    if flow.ssrc_changes > 0 {
        notes.push(format!("the sender restarted {}", count(flow.ssrc_changes, "time")));
    }
    (!notes.is_empty())
        .then(|| format!("{}: {}", flow_name(&flow.media, flow.kind), notes.join("; ")))
}

/// What it means that a relay which runs was never refused, and what to do. Before anything was sent
/// there was nothing to refuse.
pub fn silence_note(relay: &RelayDetail) -> Option<String> {
    let silent = !relay.answers && relay.relay.packets > 0 && relay.relay.state != State::Closed;
    silent.then(|| never_refused(relay.address))
}

fn never_refused(edge: IpAddr) -> String {
    format!(
        "No refusal has ever come back from {edge}. If none comes when its viewers have left, a \
         firewall drops ICMP errors, and refusals can't close this relay: let ICMP \
         destination-unreachable through from there to here, or set a lease in [shutdown]."
    )
}
