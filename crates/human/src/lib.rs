//! What people are told in the same words at a terminal and in a browser.

mod number;
mod reason;

pub use number::{age, count, grouped, rate, silence, size};
pub use reason::{REASONS, is_trouble, meaning};
