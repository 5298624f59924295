//! The words that people read, the same at a terminal and in a browser: numbers, times, and what
//! happens to a relay and why.

mod explanation;
mod number;
mod relay;
mod time;

pub use explanation::{advice, closing, why};
pub use number::{age, count, grouped, rate, silence, size};
pub use relay::{explained, flow_name, flow_note, is_trouble, meaning, silence_note};
pub use time::{now, time_of_day, utc};
