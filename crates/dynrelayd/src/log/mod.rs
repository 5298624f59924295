//! The log: entries with fields to the journal, or lines or JSON to stderr.

mod entry;
mod journal;
mod json;
mod lines;
pub(crate) mod relay_log;

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use catalog::{LogFormat, LogLevel};
use nix::sys::stat::fstat;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use entry::Entry;
use journal::Journal;

/// Logs at a level that is known only at run time: error, warn or info.
macro_rules! log_at {
    ($level:expr, $($what:tt)*) => {
        match $level {
            tracing::Level::ERROR => tracing::error!($($what)*),
            tracing::Level::WARN => tracing::warn!($($what)*),
            _ => tracing::info!($($what)*),
        }
    };
}
pub(crate) use log_at;

/// Starts the log.
pub(crate) fn start(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    tracing_subscriber::registry().with(level).with(Log::to(format)).init();
}

/// Whether [`start`] has been called.
pub(crate) fn is_up() -> bool {
    tracing::dispatcher::has_been_set()
}

/// The log's destination.
enum Log {
    Journal(Journal, Lines),
    Lines(Lines),
    Json,
}

/// The format of a line for people.
#[derive(Clone, Copy, Debug)]
struct Lines {
    /// Whether it begins with the time. The journal adds its own time.
    timed: bool,
    colour: bool,
}

impl Log {
    fn to(format: LogFormat) -> Self {
        let to_journal = is_journal();
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = io::stderr().is_terminal() && !unwanted;
        let lines = Lines { timed: !to_journal, colour };
        let wanted = match format {
            LogFormat::Json => return Self::Json,
            LogFormat::Lines => false,
            LogFormat::Journal => true,
            LogFormat::Auto => to_journal,
        };
        match wanted.then(Journal::open) {
            Some(Ok(journal)) => Self::Journal(journal, lines),
            Some(Err(_)) | None => Self::Lines(lines),
        }
    }

    fn write(&self, entry: &Entry) {
        let line = match self {
            Self::Journal(journal, lines) => match journal.send(entry) {
                Ok(()) => return,
                Err(_) => lines::line(entry, *lines),
            },
            Self::Lines(lines) => lines::line(entry, *lines),
            Self::Json => json::line(entry),
        };
        // Writes it in one call. If stderr is a full disk or a pipe without a reader, the line is
        // lost, and nothing else happens.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.write(&Entry::of(event));
    }
}

/// Whether stderr is the journal: systemd names its device and inode in JOURNAL_STREAM.
fn is_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    fstat(io::stderr().as_fd()).is_ok_and(|at| named == format!("{}:{}", at.st_dev, at.st_ino))
}

/// Whether a character could forge a line, control a terminal or reverse text.
fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
