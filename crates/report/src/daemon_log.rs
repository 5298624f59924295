//! A line of dynrelayd's log in JSON, as dynrelayd or the journal writes it.

use crate::bytes::{MAX_NAME, number};
use crate::json::{Value, fields};
use crate::network::Network;
use crate::time::{MAX_SECONDS, MICROS, rfc3339};

/// An entry of dynrelayd's log. A missing text is empty, a missing number 0.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// In microseconds since 1970.
    pub(crate) moment: u64,
    /// None if the report does not count it. Then the other fields were not read.
    pub(crate) event: Option<Event>,
    pub(crate) stream: &'a [u8],
    pub(crate) edge: &'a [u8],
    pub(crate) address: &'a [u8],
    pub(crate) reason: &'a [u8],
    pub(crate) code: &'a [u8],
    pub(crate) client: Option<Network>,
    pub(crate) count: u64,
    pub(crate) seconds: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) refusals: u64,
    pub(crate) watched: u64,
}

/// An event that the report counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// dynrelayd started or stopped.
    UpOrDown,
    Start,
    TurnedAway,
    Opened,
    Closed,
}

/// A field that the report uses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Time,
    Realtime,
    Event,
    Stream,
    Edge,
    Address,
    Client,
    Reason,
    Code,
    Count,
    Seconds,
    Packets,
    Bytes,
    Refusals,
    Watched,
}

/// How many of them there are.
const FIELDS: usize = 15;

impl<'a> Entry<'a> {
    /// Reads a line. Returns none if another program wrote it, and an error if it is broken.
    #[inline]
    pub(crate) fn read(line: &'a [u8]) -> Result<Option<Self>, &'static str> {
        let mut found: [&[u8]; FIELDS] = [b""; FIELDS];
        let whole = fields(line, |name, value| {
            if let Value::Text(text) | Value::Bare(text) = value
                && let Some(field) = Field::named(name)
            {
                found[field as usize] = text;
                // Of an event that is not counted, only the time is needed.
                let time =
                    found[Field::Time as usize].len() + found[Field::Realtime as usize].len();
                return time == 0 || field != Field::Event || Event::named(text).is_some();
            }
            true
        });
        whole.ok_or("not a whole JSON object")?;
        if found[Field::Event as usize].is_empty() {
            return Ok(None);
        }
        Self::of(&found).map(Some)
    }

    fn of(found: &[&'a [u8]; FIELDS]) -> Result<Self, &'static str> {
        let text = |field: Field| match found[field as usize] {
            long if long.len() > MAX_NAME => Err("a name that is too long"),
            text => Ok(text),
        };
        let counter = |field: Field| match found[field as usize] {
            b"" => Ok(0),
            digits => number(digits).ok_or("a number that can't be read"),
        };
        let moment = match (found[Field::Time as usize], found[Field::Realtime as usize]) {
            (b"", b"") => return Err("an event without a time"),
            (b"", realtime) => number(realtime),
            (time, _) => rfc3339(time),
        };
        let moment = moment.ok_or("a time that can't be read")?;
        let event = Event::named(found[Field::Event as usize]);
        if event.is_none() {
            return Ok(Self { moment, ..Self::default() });
        }
        let entry = Self {
            moment,
            event,
            stream: text(Field::Stream)?,
            edge: text(Field::Edge)?,
            address: text(Field::Address)?,
            reason: text(Field::Reason)?,
            code: text(Field::Code)?,
            client: Network::of(found[Field::Client as usize]),
            count: counter(Field::Count)?,
            seconds: counter(Field::Seconds)?,
            packets: counter(Field::Packets)?,
            bytes: counter(Field::Bytes)?,
            refusals: counter(Field::Refusals)?,
            watched: counter(Field::Watched)?,
        };
        if entry.seconds > MAX_SECONDS {
            return Err("a relay of more than ten years");
        }
        Ok(entry)
    }

    /// Its time in seconds since 1970.
    pub(crate) fn time(&self) -> u64 {
        self.moment / MICROS
    }
}

impl Event {
    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"up" | b"down" => Self::UpOrDown,
            b"start" => Self::Start,
            b"turned-away" => Self::TurnedAway,
            b"opened" => Self::Opened,
            b"closed" => Self::Closed,
            _ => return None,
        })
    }
}

impl Field {
    /// dynrelayd writes names in lower case, the journal in upper case.
    #[inline]
    fn named(name: &[u8]) -> Option<Self> {
        // Length and first letter leave one name to compare; most fields have another name.
        let (field, is_it) = match (name.len(), name.first()? | 0x20) {
            (4, b't') => (Self::Time, name == b"time"),
            (4, b'e') => (Self::Edge, matches!(name, b"edge" | b"EDGE")),
            (4, b'c') => (Self::Code, matches!(name, b"code" | b"CODE")),
            (5, b'e') => (Self::Event, matches!(name, b"event" | b"EVENT")),
            (5, b'c') => (Self::Count, matches!(name, b"count" | b"COUNT")),
            (5, b'b') => (Self::Bytes, matches!(name, b"bytes" | b"BYTES")),
            (6, b's') => (Self::Stream, matches!(name, b"stream" | b"STREAM")),
            (6, b'c') => (Self::Client, matches!(name, b"client" | b"CLIENT")),
            (6, b'r') => (Self::Reason, matches!(name, b"reason" | b"REASON")),
            (7, b'a') => (Self::Address, matches!(name, b"address" | b"ADDRESS")),
            (7, b's') => (Self::Seconds, matches!(name, b"seconds" | b"SECONDS")),
            (7, b'p') => (Self::Packets, matches!(name, b"packets" | b"PACKETS")),
            (7, b'w') => (Self::Watched, matches!(name, b"watched" | b"WATCHED")),
            (8, b'r') => (Self::Refusals, matches!(name, b"refusals" | b"REFUSALS")),
            (20, _) => (Self::Realtime, name == b"__REALTIME_TIMESTAMP"),
            _ => return None,
        };
        is_it.then_some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[u8]) -> Result<Option<Entry<'_>>, &'static str> {
        Entry::read(line)
    }

    #[test]
    fn the_daemon_and_the_journal_write_the_same_entry() {
        let daemon = br#"{"time":"2024-07-16T12:00:00.5Z","level":"info","event":"closed","stream":"news","edge":"dss2","reason":"no-viewers","seconds":60,"bytes":1200,"message":"the relay is closed"}"#;
        let journal = br#"{"__REALTIME_TIMESTAMP":"1721131200500000","_PID":"7","PRIORITY":"6","EVENT":"closed","STREAM":"news","EDGE":"dss2","REASON":"no-viewers","SECONDS":"60","BYTES":"1200","MESSAGE":[1,2]}"#;
        let entry = read(daemon).unwrap().unwrap();
        assert_eq!((entry.time(), entry.moment), (1_721_131_200, 1_721_131_200_500_000));
        assert_eq!((entry.stream, entry.edge), (&b"news"[..], &b"dss2"[..]));
        assert_eq!((entry.reason, entry.seconds, entry.bytes), (&b"no-viewers"[..], 60, 1200));
        assert_eq!(read(journal), Ok(Some(entry)));
    }

    #[test]
    fn lines_of_others_and_broken_lines() {
        assert_eq!(read(br#"{"__REALTIME_TIMESTAMP":"1","MESSAGE":"sshd"}"#), Ok(None));
        for broken in [
            &br#"{"time":"2024-07-16T12:00:00Z","event":"closed","stream":"ne"#[..],
            br#"{"event":"closed"}"#,
            br#"{"time":"2024-07-16T12:00:00Z","event":"state","stream":"ne"#,
            br#"{"time":"yesterday","event":"closed"}"#,
            br#"{"time":"2024-07-16T12:00:00Z","event":"closed","bytes":-1}"#,
        ] {
            assert!(read(broken).is_err(), "{}", String::from_utf8_lossy(broken));
        }
    }
}
