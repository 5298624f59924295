//! What people are told in the same words at a terminal and in a browser.

mod number;
mod reason;
mod relay;
mod story;

pub use number::{age, count, grouped, rate, silence, size};
pub use reason::{is_trouble, meaning};
pub use relay::{flow_name, flow_note, silence_note};
pub use story::{closing, why};
