//! Why relays close, in people's words.

/// A close reason with what it means: `no-viewers (nobody watches there any more)`.
pub(crate) fn explained(reason: &str) -> String {
    match meaning(reason) {
        Some(meaning) => format!("{reason} ({meaning})"),
        None => reason.to_owned(),
    }
}

/// What a close reason means; none if it is of a later time.
pub(crate) fn meaning(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "no-viewers" => "nobody watches there any more",
        "never-accepted" => "the edge never took it: no consent there, or no player came",
        "edge-unreachable" => "its host or the way to it went down",
        "source-ended" => "nothing arrived from the encoder any more",
        "lease-expired" => "nobody asked for it again in time",
        "stopped" => "by an administrator, or with the daemon",
        "not-in-catalog" => "its files went away, or changed",
        "failed" => "it could not go on; the daemon's log says why",
        _ => return None,
    })
}
