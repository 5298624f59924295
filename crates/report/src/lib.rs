//! What logs say of streams, edges, days and viewers' networks.
//!
//! [`Analysis::read`] takes dynrelayd's JSON log, the same out of systemd's journal
//! (`journalctl -o json`), and access logs in the W3C extended format, such as Darwin Streaming
//! Server's; each plain or compressed by gzip, and told apart line by line. Memory doesn't grow with
//! the length of a log, only with the number of names, days and networks in it, and that up to a
//! bound. [`Analysis::report`] sums up.

mod analysis;
mod batch;
mod chunk;
mod columns;
mod edge;
mod entry;
mod filter;
mod json;
mod ledger;
mod marks;
mod network;
mod number;
mod report;
mod time;
mod totals;
mod turns;

pub use analysis::{Analysis, Broken};
pub use filter::Filter;
pub use report::{Lines, Report, Row};
pub use time::{date, parse_time};
pub use totals::Totals;
