//! The documents a player follows: SMIL, QuickTime link, RAM, M3U, XSPF.
//!
//! An [`Entry`] is one place to watch, with its title; [`Entry::document`] writes it in any
//! [`Format`]. What each document holds is what most players follow, and nothing else.

mod entry;
mod escape;
mod format;

pub use entry::{BadUrl, Entry};
pub use escape::escape;
pub use format::Format;
