//! Why relays close, in words.

use model::CloseReason;

/// What a reason means.
pub fn meaning(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::NoViewers => "nobody watches there any more",
        CloseReason::NeverAccepted => "the edge never took it: no consent there, or no player came",
        CloseReason::EdgeUnreachable => "its host or the way to it went down",
        CloseReason::SourceEnded => "nothing arrived from the encoder any more",
        CloseReason::LeaseExpired => "nobody asked for it again in time",
        CloseReason::Stopped => "by an administrator, or with the daemon",
        CloseReason::NotInCatalog => "its files went away, or changed",
        CloseReason::Failed => "it could not go on; the daemon's log says why",
    }
}

/// Whether an administrator should look into it.
pub fn is_trouble(reason: CloseReason) -> bool {
    matches!(
        reason,
        CloseReason::NeverAccepted | CloseReason::EdgeUnreachable | CloseReason::Failed
    )
}
