//! Sums up logs by stream, edge, relay, day and network of viewers.
//!
//! [`Analysis::read`] takes dynrelayd's JSON log, the same from systemd's journal
//! (`journalctl -o json`), and access logs in the W3C extended format, such as those of Darwin
//! Streaming Server and Wowza. Each may be compressed by gzip. Each line shows which kind it is. Memory does not
//! grow with the length of a log, only with the number of names, days and networks in it, up to a
//! limit. [`Report::of`] sums up.

mod access_log;
mod analysis;
mod batch;
mod bytes;
mod chunk;
mod connections;
mod daemon_log;
mod edge;
mod filter;
mod json;
mod network;
mod parallel;
mod report;
mod sums;
mod time;

pub use analysis::{Analysis, Broken};
pub use batch::Lines;
pub use filter::Filter;
pub use report::{Report, Row};
pub use sums::Totals;
pub use time::{date, parse_time};
