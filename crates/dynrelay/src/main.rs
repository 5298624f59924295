//! dynrelay.
fn main() {}
