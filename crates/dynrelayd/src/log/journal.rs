//! Sends an entry with its fields to systemd's journal by the native protocol: one datagram an
//! entry.

use std::io;
use std::os::unix::net::UnixDatagram;

use serde_json::Value;
use tracing::Level;

use super::entry::Entry;
use super::lines::{escaped, text};

/// The journal's socket.
const SOCKET: &str = "/run/systemd/journal/socket";

/// Longer values are cut, so that an entry always fits into a datagram.
const LONGEST: usize = 8 << 10;

/// A connection to the journal. Each entry names the socket, so that a restarted journal receives
/// entries again.
#[derive(Debug)]
pub(super) struct Journal(UnixDatagram);

impl Journal {
    pub(super) fn open() -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        // A slow journal must not delay the daemon.
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// Sends an entry. If the journal has no room, the entry is lost.
    pub(super) fn send(&self, entry: &Entry) -> io::Result<()> {
        match self.0.send_to(datagram(entry).as_bytes(), SOCKET) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}

/// `NAME=value` lines. No value contains a newline, because unsafe characters are escaped.
fn datagram(entry: &Entry) -> String {
    let mut message = String::new();
    text(&mut message, entry);
    let mut lines = String::new();
    add(&mut lines, "PRIORITY", priority(entry.level));
    add(&mut lines, "SYSLOG_IDENTIFIER", "dynrelayd");
    add(&mut lines, "MESSAGE", &message);
    add(&mut lines, "EVENT", entry.event);
    for (name, value) in &entry.fields {
        let name = name.to_ascii_uppercase();
        match value {
            Value::String(text) => add(&mut lines, &name, text),
            value => add(&mut lines, &name, &value.to_string()),
        }
    }
    lines
}

fn add(lines: &mut String, name: &str, value: &str) {
    lines.push_str(name);
    lines.push('=');
    let mut ends = (0..=LONGEST.min(value.len())).rev();
    let end = ends.find(|end| value.is_char_boundary(*end)).unwrap_or(0);
    escaped(lines, &value[..end]);
    lines.push('\n');
}

/// The level's number in syslog(3).
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_names_of_their_own() {
        let entry = Entry {
            time: String::new(),
            level: Level::WARN,
            event: "closed",
            message: "the relay is closed".into(),
            fields: vec![("stream", "a\nPRIORITY=0".into()), ("packets", 7.into())],
        };
        assert_eq!(
            datagram(&entry),
            "PRIORITY=4\nSYSLOG_IDENTIFIER=dynrelayd\n\
             MESSAGE=the relay is closed stream=\"a\\nPRIORITY=0\" packets=7\n\
             EVENT=closed\nSTREAM=a\\nPRIORITY=0\nPACKETS=7\n"
        );
        let long = Entry { message: "é".repeat(LONGEST), ..entry };
        assert!(datagram(&long).len() < 2 * LONGEST);
    }
}
