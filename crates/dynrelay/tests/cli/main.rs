//! The command as it is installed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod check;
mod daemon;
mod scan;
mod world;
