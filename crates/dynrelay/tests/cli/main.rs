//! Tests of the command as users run it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod check;
mod completions;
mod daemon;
mod sandbox;
mod scan;
