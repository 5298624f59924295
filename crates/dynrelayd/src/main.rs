//! dynrelayd: relays broadcasts to the servers where somebody watches, while somebody watches.

mod check;
mod core;
mod log;
mod sandbox;
mod shell;

#[cfg(test)]
mod manual;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};

use anyhow::{Context, Result};
use catalog::Catalog;
use clap::Parser;
use tracing::{error, info};

use crate::core::supervisor::Supervisor;
use crate::shell::clients::Guests;
use crate::shell::control_socket::Socket;
use crate::shell::{listener as door, signals, systemd};

/// Relays broadcasts to edges, each for as long as somebody watches there.
///
/// It stays in the foreground, logs to stderr, and needs no root. SIGHUP reads the configuration
/// and the streams folder again; SIGTERM and SIGINT close every relay and stop.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Files:\n  \
    /etc/dynrelay/dynrelay.toml   the configuration: dynrelay.toml(5)\n  \
    /etc/dynrelay/streams/        what may be relayed: NAME.sdp and NAME.EDGE.sdp\n\n\
    Ask a running daemon with dynrelay(1): `dynrelay list`, `dynrelay show news`."
)]
struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/dynrelay/dynrelay.toml")]
    config: PathBuf,
    /// Say what is wrong with the configuration and the streams folder, and stop. For a look at
    /// the running system too, use `dynrelay check`.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.check {
        return check::run(&arguments.config);
    }
    match run(&arguments.config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A line for each fault of the configuration.
            for line in format!("{error:#}").lines() {
                if log::is_up() {
                    error!(name: "failed", "{line}");
                } else {
                    eprintln!("dynrelayd: {line}");
                }
            }
            ExitCode::FAILURE
        }
    }
}

/// Sets everything up, serves until it is told to stop, and takes it all down.
fn run(config: &Path) -> Result<()> {
    let catalog = Catalog::load(config)?;
    let daemon = catalog.config().daemon.clone();
    log::start(daemon.log_level, daemon.log_format);
    let socket = Socket::open(&daemon.socket, daemon.socket_group.as_deref())?;
    // Before there is any other thread. The catalogue is read again from inside: what could not be
    // read at a reload is told of now.
    let catalog = if daemon.confine {
        sandbox::start(config, catalog.config());
        Catalog::load(config)?
    } else {
        catalog
    };
    core::reload::report(&catalog);

    let (post, inbox) = mpsc::channel();
    signals::listen(post.clone()).context("can't listen for signals")?;
    let guests = Guests::new(catalog.config().limits);
    let listener = socket.listener.try_clone().context("can't copy the control socket")?;

    let mut supervisor =
        Supervisor::new(config.to_owned(), catalog, Arc::clone(&guests), post.clone())?;
    door::open(listener, guests, post).context("can't serve the control socket")?;
    let version = env!("CARGO_PKG_VERSION");
    info!(name: "up", socket = %daemon.socket.display(), version, "dynrelayd is up");
    systemd::ready();
    supervisor.resume();
    supervisor.run(&inbox);
    systemd::stopping();
    supervisor.close_all();
    info!(name: "down", "dynrelayd stopped");
    Ok(())
}
