//! Why relays close, in people's words.

pub(crate) use crate::wording::meaning;

/// A close reason with what it means: `no-viewers (nobody watches there any more)`.
pub(crate) fn explained(reason: &str) -> String {
    match meaning(reason) {
        Some(meaning) => format!("{reason} ({meaning})"),
        None => reason.to_owned(),
    }
}
