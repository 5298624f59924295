//! dynrelayd.
fn main() {}
