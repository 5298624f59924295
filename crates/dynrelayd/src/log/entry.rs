//! A log entry, made from a tracing event.

use std::fmt::{self, Write as _};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

/// The name of an event without a name of its own.
const NAMELESS: &str = "note";

/// One entry of the log.
#[derive(Debug)]
pub(super) struct Entry {
    /// The time as RFC 3339 in UTC, with microseconds.
    pub(super) time: String,
    pub(super) level: Level,
    /// The kind of event, a word that never changes.
    pub(super) event: &'static str,
    pub(super) message: String,
    /// The fields, in order. Names are lower-case ASCII letters and `_`.
    pub(super) fields: Vec<(&'static str, Value)>,
}

impl Entry {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let about = event.metadata();
        // tracing names such an event `event FILE:LINE`.
        let name = Some(about.name()).filter(|name| !name.starts_with("event "));
        let mut entry = Self {
            time: now(),
            level: *about.level(),
            event: name.unwrap_or(NAMELESS),
            message: String::new(),
            fields: Vec::new(),
        };
        event.record(&mut entry);
        entry
    }

    /// The level's name in dynrelay.toml.
    pub(super) fn level_word(&self) -> &'static str {
        match self.level {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        }
    }

    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.fields.push((field.name(), value.into()));
    }
}

impl Visit for Entry {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a string cannot fail.
            let _ = write!(self.message, "{value:?}");
        } else {
            self.add(field, format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }
}

fn now() -> String {
    let mut time = String::with_capacity(32);
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    time
}
