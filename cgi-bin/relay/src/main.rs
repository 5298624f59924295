//! relay.cgi.
fn main() {}
