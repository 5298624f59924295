//! Where a stream comes from, and its replicas, for people.

use control::{Origin, OriginKind, ReplicaStatus};
use model::SourceState;

use crate::color::Color;
use crate::wording::{age, count, size};

/// Describes a stream's origin, line by line. The first line is a heading.
pub(crate) fn lines(stream: &str, origin: &Origin, now: u64) -> Vec<(String, Color)> {
    let how = match origin.kind {
        OriginKind::Multicast => "arrives by multicast",
        OriginKind::Unicast => "arrives by unicast",
        OriginKind::Rtsp => "is pulled by RTSP",
    };
    let heading = with_detail(&format!("{stream} {how}: {}", origin.state), &origin.detail);
    let mut lines = vec![(heading, color(origin.state))];
    for replica in &origin.replicas {
        lines.push((format!("  replica  {}", told(replica, now)), color(replica.state)));
        if replica.packets > 0 || replica.lost > 0 {
            let sent = format!("{} in {}", size(replica.bytes), count(replica.packets, "packet"));
            let lost = match replica.lost {
                0 => String::new(),
                lost => format!("; {} could not be sent", count(lost, "packet")),
            };
            lines.push((format!("           sent {sent}{lost}"), Color::Plain));
        }
    }
    lines
}

/// An origin in two words, for a table: `unicast running`.
pub(crate) fn brief(origin: &Origin) -> String {
    let failed = origin.replicas.iter().any(|replica| replica.state == SourceState::Failed);
    let state = if failed { "replica failed" } else { origin.state.word() };
    format!("{} {state}", origin.kind)
}

/// The colour of an origin's or a replica's state.
pub(crate) fn color(state: SourceState) -> Color {
    match state {
        SourceState::Running => Color::Green,
        SourceState::Failed => Color::Red,
        SourceState::Idle | SourceState::Elsewhere => Color::Plain,
        SourceState::Connecting | SourceState::Waiting => Color::Yellow,
    }
}

fn told(replica: &ReplicaStatus, now: u64) -> String {
    let to: Vec<String> = replica.to.iter().map(ToString::to_string).collect();
    let to = to.join(", ");
    let state = match replica.state {
        SourceState::Elsewhere => return format!("to {to}, which another program sends"),
        SourceState::Idle => return format!("to {to}: idle until a relay runs"),
        state => format!("{state} for {}", age(now.saturating_sub(replica.since))),
    };
    with_detail(&format!("to {to}: {state}"), &replica.detail)
}

fn with_detail(what: &str, detail: &Option<String>) -> String {
    detail.as_ref().map_or_else(|| what.to_owned(), |detail| format!("{what} ({detail})"))
}
