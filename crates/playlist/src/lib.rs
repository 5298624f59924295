//! The documents a player follows: SMIL, QuickTime link, RAM, M3U, XSPF, PLS, ASX.
//!
//! An [`Entry`] is a place to watch, with its title. [`Entry::document`] writes it in any
//! [`Format`]. Each document has only what most players follow.

mod entry;
mod format;

pub use entry::{BadUrl, Entry, escape};
pub use format::Format;
