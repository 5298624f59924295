//! Writes an entry as a line for people: `2026-11-22T18:54:23.123456Z  INFO the relay is live
//! stream=news`.

use std::fmt::Write as _;

use serde_json::Value;
use tracing::Level;

use super::entry::Entry;
use super::{Lines, is_unsafe};

/// The line, with its newline.
pub(super) fn line(entry: &Entry, look: Lines) -> String {
    let mut line = String::new();
    if look.timed {
        line.push_str(&entry.time);
        line.push(' ');
    }
    let (on, off) = if look.colour { (colour(entry.level), "\x1b[0m") } else { ("", "") };
    let _ = write!(line, "{on}{:>5}{off} ", entry.level);
    text(&mut line, entry);
    line.push('\n');
    line
}

/// The message and the fields, without time and level.
pub(super) fn text(out: &mut String, entry: &Entry) {
    escaped(out, &entry.message);
    for (name, value) in &entry.fields {
        let _ = write!(out, " {name}=");
        match value {
            Value::String(text) if is_plain(text) => out.push_str(text),
            // In quotes, with escapes.
            Value::String(text) => drop(write!(out, "{text:?}")),
            value => drop(write!(out, "{value}")),
        }
    }
}

/// Appends the text, with unsafe characters escaped.
pub(super) fn escaped(out: &mut String, text: &str) {
    for letter in text.chars() {
        if is_unsafe(letter) {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
}

/// Whether a field's value needs no quotes.
fn is_plain(text: &str) -> bool {
    let odd = |letter: char| letter.is_whitespace() || letter == '"' || is_unsafe(letter);
    !text.is_empty() && !text.contains(odd)
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(message: &str, fields: Vec<(&'static str, Value)>) -> Entry {
        Entry {
            time: "2026-11-22T18:54:23.123456Z".into(),
            level: Level::INFO,
            event: "closed",
            message: message.into(),
            fields,
        }
    }

    fn plain(entry: &Entry, timed: bool) -> String {
        line(entry, Lines { timed, colour: false })
    }

    #[test]
    fn fields_follow_the_message() {
        let fields = vec![("stream", "news".into()), ("packets", 7.into()), ("why", "a b".into())];
        let entry = entry("the relay is closed", fields);
        let said = "the relay is closed stream=news packets=7 why=\"a b\"\n";
        assert_eq!(plain(&entry, true), format!("2026-11-22T18:54:23.123456Z  INFO {said}"));
        assert_eq!(plain(&entry, false), format!(" INFO {said}"));
        let coloured = line(&entry, Lines { timed: false, colour: true });
        assert_eq!(coloured, format!("\x1b[32m INFO\x1b[0m {said}"));
    }

    #[test]
    fn nothing_forges_a_line_or_a_field() {
        let evil = "x\n2026 ERROR forged\x1b[31m\u{9b}2J\u{202e}\0 a=b";
        let said = plain(&entry(evil, vec![("stream", evil.into()), ("edge", "".into())]), true);
        assert_eq!(said.matches('\n').count(), 1);
        assert!(!said.trim_end().contains(is_unsafe), "{said:?}");
        assert!(said.contains("stream=\"x\\n2026") && said.ends_with("edge=\"\"\n"), "{said}");
    }
}
