//! dynrelayd: relays live streams to servers while somebody watches there.

mod check;
mod core;
mod log;
mod sandbox;
mod shell;

#[cfg(test)]
mod manual;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tracing::error;

/// Relays live streams to edges, each while somebody watches there.
///
/// Stays in the foreground, logs to stderr, and needs no root. SIGHUP reads the configuration and
/// the streams folder again. SIGTERM and SIGINT close every relay and stop the daemon.
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
    /// Report what is wrong with the configuration and the streams folder, and stop. `dynrelay
    /// check` also looks at the running system.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.check {
        return check::run(&arguments.config);
    }
    match shell::run(&arguments.config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Each fault of the configuration is one line.
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
