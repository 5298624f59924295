//! Why relays close, in words.

/// All of them.
pub(crate) const ALL: [&str; 8] = [
    "no-viewers",
    "never-accepted",
    "edge-unreachable",
    "source-ended",
    "lease-expired",
    "stopped",
    "not-in-catalog",
    "failed",
];

/// What a reason means.
pub(crate) fn meaning(reason: &str) -> &'static str {
    match reason {
        "no-viewers" => "nobody watches there any more",
        "never-accepted" => "the edge never took it: no consent there, or no player came",
        "edge-unreachable" => "its host or the way to it went down",
        "source-ended" => "nothing arrived from the encoder any more",
        "lease-expired" => "nobody asked for it again in time",
        "stopped" => "somebody stopped it",
        "not-in-catalog" => "its files went away, or changed",
        "failed" => "it could not go on; the daemon's log says why",
        _ => "",
    }
}

/// Whether somebody should look into it.
pub(crate) fn is_trouble(reason: &str) -> bool {
    matches!(reason, "never-accepted" | "edge-unreachable" | "failed")
}
