//! The documents a player follows: SMIL, QuickTime link, RAM, M3U, XSPF.
//!
//! An [`Entry`] is a place to watch, with its title. [`Entry::document`] writes it in any
//! [`Format`]. Each document has only what most players follow.

mod entry;
mod escape;
mod format;

pub use entry::{BadUrl, Entry};
pub use escape::escape;
pub use format::Format;
