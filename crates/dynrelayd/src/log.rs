//! Log lines on stderr.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use catalog::LogLevel;
use nix::sys::stat::fstat;
use tracing::level_filters::LevelFilter;

/// Starts the log: one line an event, with the stream, the edge and the reason as fields, coloured
/// only on a terminal. Under systemd the journal adds the time itself.
pub(crate) fn start(level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_target(false)
        // It would panic where stderr is a full disk, or a pipe that nobody reads any more.
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    if is_journal() {
        lines.without_time().init();
    } else {
        lines.init();
    }
}

/// Whether [`start`] was done.
pub(crate) fn is_up() -> bool {
    tracing::dispatcher::has_been_set()
}

/// Whether stderr is the journal: systemd names its device and inode in JOURNAL_STREAM.
fn is_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    fstat(io::stderr().as_fd()).is_ok_and(|at| named == format!("{}:{}", at.st_dev, at.st_ino))
}
