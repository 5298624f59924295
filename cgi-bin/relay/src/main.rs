//! relay.cgi: a viewer's player asks for a stream, dynrelayd is asked to relay it, and the player
//! is sent to where it can be watched.
//!
//! It is started by a web server for each request (RFC 3875), and answers whatever the request:
//! no environment makes it panic, hang or say nothing.

mod answer;
mod daemon;
mod environment;
mod gateway;
mod page;
mod problem;
#[cfg(test)]
mod tests;
mod wanted;

use std::io::{stderr, stdout};

use daemon::Socket;
use environment::Environment;

fn main() {
    let environment = Environment::new(|name| std::env::var_os(name));
    let mut daemon = Socket::new(&environment.socket);
    let response = answer::answer(&environment, &mut daemon, &mut stderr());
    // If the web server hung up there is nobody left to tell.
    if gateway::print(&response, environment.is_head(), &mut stdout()).is_ok()
        && environment.has_body
    {
        gateway::drain();
    }
}
