//! Access logs of streaming servers in the W3C extended format. Their header names the columns.

use crate::bytes::{MAX_NAME, Positions, number};
use crate::network::Network;
use crate::time::{MAX_SECONDS, date_and_time};

/// No log has more columns.
const MAX_COLUMNS: usize = 256;

/// The columns of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns(Vec<Option<Column>>);

/// A column that the report uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Client,
    Date,
    Time,
    Stem,
    Duration,
    Status,
    Sent,
    Address,
    Name,
}

/// How many of them there are.
const KINDS: usize = 9;

/// A viewer's session. A missing text is empty, a missing number 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session<'a> {
    /// When it ended.
    pub(crate) time: u64,
    pub(crate) client: Option<Network>,
    pub(crate) stream: &'a [u8],
    /// The server's address.
    pub(crate) address: &'a [u8],
    /// The server's name.
    pub(crate) name: &'a [u8],
    pub(crate) seconds: u64,
    /// Three digits.
    pub(crate) status: &'a [u8],
    pub(crate) bytes: u64,
}

impl Columns {
    /// Reads a line that begins with `#`. Only `#Fields` changes the columns.
    pub(crate) fn learn(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let Some(names) = line.strip_prefix(b"#Fields:") else { return Ok(()) };
        let names = names.split(u8::is_ascii_whitespace).filter(|name| !name.is_empty());
        self.0 = names.take(MAX_COLUMNS).map(Column::named).collect();
        let needed = [Column::Date, Column::Time, Column::Stem, Column::Duration];
        if needed.iter().all(|column| self.0.contains(&Some(*column))) {
            return Ok(());
        }
        self.0.clear();
        Err("a header without date, time, cs-uri-stem or x-duration")
    }

    /// Reads a session. The error says what is wrong.
    pub(crate) fn session<'a>(&self, line: &'a [u8]) -> Result<Session<'a>, &'static str> {
        if self.0.is_empty() {
            return Err("neither JSON nor after a #Fields header");
        }
        let mut found: [&[u8]; KINDS] = [b""; KINDS];
        let mut columns = self.0.iter();
        let mut start = 0;
        for end in Positions::<b' ', b' '>::of(line).chain([line.len()]) {
            let field = &line[start..end];
            start = end + 1;
            if field.is_empty() {
                continue;
            }
            match columns.next() {
                Some(Some(column)) if field != b"-" => found[*column as usize] = field,
                Some(_) => {}
                None => return Err("more fields than the header names"),
            }
        }
        if columns.next().is_some() {
            return Err("fewer fields than the header names");
        }
        session(&found)
    }
}

impl Column {
    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"c-ip" => Self::Client,
            b"date" => Self::Date,
            b"time" => Self::Time,
            b"cs-uri-stem" => Self::Stem,
            b"x-duration" => Self::Duration,
            b"c-status" => Self::Status,
            b"sc-bytes" => Self::Sent,
            b"s-ip" => Self::Address,
            b"s-dns" => Self::Name,
            _ => return None,
        })
    }
}

fn session<'a>(found: &[&'a [u8]; KINDS]) -> Result<Session<'a>, &'static str> {
    let text = |column: Column| found[column as usize];
    let counter = |column: Column| match text(column) {
        b"" => Ok(0),
        digits => number(digits).ok_or("a number that can't be read"),
    };
    let time =
        date_and_time(text(Column::Date), text(Column::Time)).ok_or("a time that can't be read")?;
    let session = Session {
        time,
        client: Network::of(text(Column::Client)),
        stream: stream(text(Column::Stem)),
        address: text(Column::Address),
        name: text(Column::Name),
        seconds: counter(Column::Duration)?,
        status: text(Column::Status),
        bytes: counter(Column::Sent)?,
    };
    let is_status = |text: &[u8]| text.len() == 3 && text.iter().all(u8::is_ascii_digit);
    if !session.status.is_empty() && !is_status(session.status) {
        return Err("a status that can't be read");
    }
    if session.seconds > MAX_SECONDS {
        return Err("a session of more than ten years");
    }
    if [session.stream, session.address, session.name].iter().any(|name| name.len() > MAX_NAME) {
        return Err("a name that is too long");
    }
    Ok(session)
}

/// The stream that a URL or its path names: `news` of `/news.sdp`, or of `rtsp://host/news.sdp`.
fn stream(stem: &[u8]) -> &[u8] {
    let path = match memchr::memmem::find(stem, b"://") {
        Some(scheme) => {
            let rest = &stem[scheme + 3..];
            memchr::memchr(b'/', rest).map_or(&rest[rest.len()..], |host| &rest[host..])
        }
        None => stem,
    };
    let path = path.strip_prefix(b"/").unwrap_or(path);
    path.strip_suffix(b".sdp").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The header of Darwin Streaming Server 6.0.3.
    const HEADER: &str = "#Fields: c-ip date time c-dns cs-uri-stem c-starttime x-duration c-rate \
        c-status c-playerid c-playerversion c-playerlanguage cs(User-Agent) c-os c-osversion c-cpu \
        filelength filesize avgbandwidth protocol transport audiocodec videocodec sc-bytes cs-bytes \
        c-bytes s-pkts-sent c-pkts-received c-pkts-lost-client c-buffercount c-totalbuffertime \
        c-quality s-ip s-dns s-totalclients s-cpu-util cs-uri-query c-username sc(Realm) ";
    const LINE: &str = "203.0.113.9 2024-07-16 12:00:00 - /news.sdp 0 61 1 200 203.0.113.9 7.7.5 en \
        QTS%20(qtver=7.7.5;os=Windows%20NT%206.1) Windows NT%206.1 x86 0 0 0 RTP UDP MPA H264 \
        7625000 840 7625000 6100 6100 0 1 3 100 198.51.100.7 dss2.example.net 12 1 - - - ";

    fn columns() -> Columns {
        let mut columns = Columns::default();
        columns.learn(b"#Software: QTSS").unwrap();
        columns.learn(HEADER.as_bytes()).unwrap();
        columns
    }

    #[test]
    fn a_darwin_session() {
        assert_eq!(columns().0.len(), 39);
        let session = columns().session(LINE.as_bytes()).unwrap();
        assert_eq!(
            session,
            Session {
                time: 1_721_131_200,
                client: Some(Network::V4([203, 0, 113])),
                stream: b"news",
                address: b"198.51.100.7",
                name: b"dss2.example.net",
                seconds: 61,
                status: b"200",
                bytes: 7_625_000,
            }
        );
    }

    #[test]
    fn the_header_decides_the_order() {
        let mut columns = Columns::default();
        columns.learn(b"#Fields: time cs-uri-stem date x-duration").unwrap();
        let session = columns.session(b"12:00:00 rtsp://dss2/a/b.sdp 2024-07-16 -").unwrap();
        assert_eq!((session.time, session.stream), (1_721_131_200, &b"a/b"[..]));
        assert_eq!((session.seconds, session.client), (0, None));
        assert!(columns.learn(b"#Fields: date time").is_err());
        assert!(columns.session(b"2024-07-16 12:00:00").is_err());
    }

    #[test]
    fn broken_sessions() {
        for (from, to) in [
            (" 12 1 - - - ", ""),
            ("2024-07-16", "2024-02-30"),
            (" 61 ", " -61 "),
            (" 61 ", " 999999999999 "),
            ("7625000 840", "99999999999999999999 840"),
            (" - - - ", " - - - - "),
        ] {
            let line = LINE.replace(from, to);
            assert!(columns().session(line.as_bytes()).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_session_or_none(header: Vec<u8>, line: Vec<u8>) {
            let mut any = Columns::default();
            let _ = any.learn(&[b"#Fields:", &header[..]].concat());
            let _ = any.session(&line);
            let _ = columns().session(&line);
        }
    }
}
