//! status.cgi: what is relayed now, for people with a browser, for scripts and for Prometheus.
//!
//! It is started by a web server for each request (RFC 3875), asks dynrelayd, and changes nothing.
//! Who may see it is the web server's business.

mod answer;
mod daemon;
mod html;
mod metrics;
mod overview;
mod plot;
mod relay;
mod table;
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
