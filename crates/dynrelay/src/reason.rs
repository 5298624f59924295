//! Why relays close, in people's words.

use model::CloseReason;

use crate::wording::meaning;

/// A close reason with what it means: `no-viewers (nobody watches there any more)`.
pub(crate) fn explained(reason: CloseReason) -> String {
    format!("{reason} ({})", meaning(reason))
}
