//! Writes an entry as a JSON object on one line, for programs.

use std::fmt::Write as _;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::entry::Entry;
use super::is_unsafe;

/// The line, with its newline. Unsafe characters are escaped in its strings.
pub(super) fn line(entry: &Entry) -> String {
    // This could fail only for a map with keys that are not strings.
    let json = serde_json::to_string(entry).unwrap_or_default();
    let mut line = String::with_capacity(json.len() + 1);
    for letter in json.chars() {
        if is_unsafe(letter) {
            let _ = write!(line, "\\u{:04x}", u32::from(letter));
        } else {
            line.push(letter);
        }
    }
    line.push('\n');
    line
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut object = to.serialize_map(None)?;
        object.serialize_entry("time", &self.time)?;
        object.serialize_entry("level", self.level_word())?;
        object.serialize_entry("event", self.event)?;
        for (name, value) in &self.fields {
            object.serialize_entry(name, value)?;
        }
        object.serialize_entry("message", &self.message)?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tracing::Level;

    use super::*;

    #[test]
    fn an_object_a_line_whatever_is_in_it() {
        let evil = "x\n{\"event\":\"closed\"}\u{9b}2J\u{202e}";
        let entry = Entry {
            time: "2026-11-22T18:54:23.123456Z".into(),
            level: Level::WARN,
            event: "closed",
            message: evil.into(),
            fields: vec![("stream", evil.into()), ("packets", 7.into())],
        };
        let said = line(&entry);
        assert!(!said.trim_end_matches('\n').contains(is_unsafe), "{said:?}");
        assert!(said.starts_with(
            r#"{"time":"2026-11-22T18:54:23.123456Z","level":"warn","event":"closed","stream":"#
        ));
        let read: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((&read["stream"], &read["message"]), (&evil.into(), &evil.into()));
        assert_eq!(read["packets"], 7);
    }
}
