//! Why relays close, in words.

/// Every reason there is.
pub const REASONS: [&str; 8] = [
    "no-viewers",
    "never-accepted",
    "edge-unreachable",
    "source-ended",
    "lease-expired",
    "stopped",
    "not-in-catalog",
    "failed",
];

/// What a reason means; nothing for one that isn't known here.
pub fn meaning(reason: &str) -> Option<&'static str> {
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

/// Whether somebody should look into it.
pub fn is_trouble(reason: &str) -> bool {
    matches!(reason, "never-accepted" | "edge-unreachable" | "failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_meaning() {
        assert!(REASONS.iter().all(|reason| meaning(reason).is_some()));
        assert_eq!(meaning("whim"), None);
    }
}
