//! relay.cgi: asks dynrelayd to relay a stream, and sends the viewer's player to where it can
//! watch.
//!
//! A web server runs it for each request (RFC 3875). It answers every request: no environment
//! makes it panic, hang, or end without an answer.

mod answer;
mod page;
mod problem;
#[cfg(test)]
mod tests;
mod wanted;

use std::io::stderr;

use cgi::{Environment, Socket};

fn main() {
    let environment = Environment::new(|name| std::env::var_os(name));
    let mut daemon = Socket::new(&environment.socket, answer::PATIENCE);
    cgi::serve(&environment, &answer::answer(&environment, &mut daemon, &mut stderr()));
}
