//! A line of dynrelayd's log, as it writes JSON or as the journal hands it out.

use crate::json::{Value, fields};
use crate::number::number;
use crate::time::{MICROS, rfc3339};

/// What dynrelayd said. Texts are empty and numbers 0 where it said nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// In seconds since 1970.
    pub(crate) time: u64,
    /// The same in microseconds, which tell what came first.
    pub(crate) moment: u64,
    pub(crate) event: &'a [u8],
    pub(crate) stream: &'a [u8],
    pub(crate) edge: &'a [u8],
    pub(crate) address: &'a [u8],
    pub(crate) client: &'a [u8],
    pub(crate) reason: &'a [u8],
    pub(crate) code: &'a [u8],
    pub(crate) count: u64,
    pub(crate) seconds: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) refusals: u64,
    pub(crate) watched: u64,
}

impl<'a> Entry<'a> {
    /// Reads a line; none if it is another program's. The error says what is wrong.
    pub(crate) fn read(line: &'a [u8]) -> Result<Option<Self>, &'static str> {
        let mut entry = Self::default();
        let mut time = None;
        let mut wrong = None;
        let whole = fields(line, |name, value| {
            if let Err(what) = entry.take(name, value, &mut time) {
                wrong = Some(what);
            }
        });
        whole.ok_or("not a whole JSON object")?;
        if entry.event.is_empty() {
            return Ok(None);
        }
        if let Some(what) = wrong {
            return Err(what);
        }
        entry.moment = time.ok_or("an event without a time")?;
        entry.time = entry.moment / MICROS;
        Ok(Some(entry))
    }

    fn take(
        &mut self,
        name: &[u8],
        value: Value<'a>,
        time: &mut Option<u64>,
    ) -> Result<(), &'static str> {
        let (Value::Text(text) | Value::Bare(text)) = value else { return Ok(()) };
        let counter = match name {
            b"time" => {
                *time = Some(rfc3339(text).ok_or("a time that can't be read")?);
                return Ok(());
            }
            b"__REALTIME_TIMESTAMP" => {
                *time = Some(number(text).ok_or("a time that can't be read")?);
                return Ok(());
            }
            b"count" | b"COUNT" => &mut self.count,
            b"seconds" | b"SECONDS" => &mut self.seconds,
            b"packets" | b"PACKETS" => &mut self.packets,
            b"bytes" | b"BYTES" => &mut self.bytes,
            b"refusals" | b"REFUSALS" => &mut self.refusals,
            b"watched" | b"WATCHED" => &mut self.watched,
            _ => return self.take_text(name, text),
        };
        *counter = number(text).ok_or("a number that can't be read")?;
        Ok(())
    }

    fn take_text(&mut self, name: &[u8], text: &'a [u8]) -> Result<(), &'static str> {
        let field = match name {
            b"event" | b"EVENT" => &mut self.event,
            b"stream" | b"STREAM" => &mut self.stream,
            b"edge" | b"EDGE" => &mut self.edge,
            b"address" | b"ADDRESS" => &mut self.address,
            b"client" | b"CLIENT" => &mut self.client,
            b"reason" | b"REASON" => &mut self.reason,
            b"code" | b"CODE" => &mut self.code,
            _ => return Ok(()),
        };
        if text.len() > crate::analysis::LONGEST_NAME {
            return Err("a name that is too long");
        }
        *field = text;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_the_daemon_and_from_the_journal() {
        let daemon = br#"{"time":"2024-07-16T12:00:00.5Z","level":"info","event":"closed","stream":"news","edge":"dss2","reason":"no-viewers","seconds":60,"bytes":1200,"message":"the relay is closed"}"#;
        let journal = br#"{"__REALTIME_TIMESTAMP":"1721131200500000","_PID":"7","PRIORITY":"6","EVENT":"closed","STREAM":"news","EDGE":"dss2","REASON":"no-viewers","SECONDS":"60","BYTES":"1200","MESSAGE":[1,2]}"#;
        let entry = Entry::read(daemon).unwrap().unwrap();
        assert_eq!((entry.time, entry.moment), (1_721_131_200, 1_721_131_200_500_000));
        assert_eq!((entry.stream, entry.edge), (&b"news"[..], &b"dss2"[..]));
        assert_eq!((entry.reason, entry.seconds, entry.bytes), (&b"no-viewers"[..], 60, 1200));
        assert_eq!(Entry::read(journal), Ok(Some(entry)));
    }

    #[test]
    fn others_lines_and_broken_ones() {
        assert_eq!(Entry::read(br#"{"__REALTIME_TIMESTAMP":"1","MESSAGE":"sshd"}"#), Ok(None));
        for broken in [
            &br#"{"time":"2024-07-16T12:00:00Z","event":"closed","stream":"ne"#[..],
            br#"{"event":"closed"}"#,
            br#"{"time":"yesterday","event":"closed"}"#,
            br#"{"time":"2024-07-16T12:00:00Z","event":"closed","bytes":-1}"#,
        ] {
            assert!(Entry::read(broken).is_err(), "{}", String::from_utf8_lossy(broken));
        }
    }
}
