//! The words that several crates share, as types; and a stream with a deadline.
//!
//! Each enum has one spelling per variant, for JSON, logs and tables alike: [`std::fmt::Display`]
//! and serde agree, and `ALL` lists the variants in the order in which people see them.

mod name;
mod payload_types;
mod relay;
mod rules;
mod source;
mod timed;
mod word;

pub use name::{MAX_NAME, is_name};
pub use payload_types::PayloadTypes;
pub use relay::{Acceptance, CloseReason, FlowKind, Gate, State};
pub use rules::Rules;
pub use source::SourceState;
pub use timed::{Stream, Timed, left, timed_out};
pub use word::UnknownWord;
