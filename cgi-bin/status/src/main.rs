//! status.cgi: shows what is relayed, to people with a browser, to scripts and to Prometheus.
//!
//! A web server runs it for each request (RFC 3875). It asks dynrelayd and changes nothing. The
//! web server decides who may see it.

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
