//! Why relays close, in people's words.

/// A close reason with what it means: `no-viewers (nobody watches there any more)`.
pub(crate) fn explained(reason: &str) -> String {
    let meaning = match reason {
        "no-viewers" => "nobody watches there any more",
        "never-accepted" => "the edge never took it: no consent there, or no player came",
        "edge-unreachable" => "its host or the way to it went down",
        "source-ended" => "nothing arrived from the encoder any more",
        "lease-expired" => "nobody asked for it again in time",
        "stopped" => "somebody stopped it",
        "not-in-catalog" => "its files went away, or changed",
        "failed" => "it could not go on; the daemon's log says why",
        _ => return reason.to_owned(),
    };
    format!("{reason} ({meaning})")
}
