//! relay.cgi: a viewer's player asks for a stream, dynrelayd is asked to relay it, and the player
//! is sent to where it can be watched.
//!
//! It is started by a web server for each request (RFC 3875), and answers whatever the request:
//! no environment makes it panic, hang or say nothing.

mod answer;
mod daemon;
mod page;
mod problem;
#[cfg(test)]
mod tests;
mod wanted;

use std::io::stderr;

use cgi::{Environment, Socket};
use daemon::PATIENCE;

fn main() {
    let environment = Environment::new(|name| std::env::var_os(name));
    let mut daemon = Socket::new(&environment.socket, PATIENCE);
    cgi::serve(&environment, &answer::answer(&environment, &mut daemon, &mut stderr()));
}
