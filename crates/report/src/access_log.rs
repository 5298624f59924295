//! Access logs of streaming servers in the W3C extended format. Their header names the columns.
//!
//! Darwin Streaming Server writes a line when a session ends. Wowza writes a line for each event of a
//! connection, named in the column `x-event`; its fields are separated by tabs.

use crate::bytes::{MAX_NAME, Positions, number};
use crate::network::Network;
use crate::time::{MAX_SECONDS, date_and_time};

/// No log has more columns.
const MAX_COLUMNS: usize = 256;

/// The columns of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    columns: Vec<Option<Column>>,
    has_tabs: bool,
    has_events: bool,
    /// Why lines cannot be read.
    unfit: Option<&'static str>,
}

impl Default for Columns {
    fn default() -> Self {
        let unfit = Some("neither JSON nor after a #Fields header");
        Self { columns: Vec::new(), has_tabs: false, has_events: false, unfit }
    }
}

/// A column that the report uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Client,
    Date,
    Time,
    Zone,
    Stem,
    StreamName,
    Duration,
    Status,
    Sent,
    Received,
    Address,
    Name,
    ServerUrl,
    Event,
    Connection,
}

/// How many of them there are.
const KINDS: usize = 15;

/// A line of an access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    Session(Session<'a>),
    Event(Event<'a>),
    /// An event that has nothing to do with viewers.
    Other,
}

/// An event of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    pub(crate) kind: EventKind,
    /// Identifies the connection at its server.
    pub(crate) connection: &'a [u8],
    /// Bytes that the client has sent.
    pub(crate) received: u64,
    /// The stream or connection up to now: its seconds, and the bytes of the connection.
    pub(crate) session: Session<'a>,
}

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    Connect,
    Publish,
    Play,
    Stop,
    /// The server closes a stream that a client played or published.
    Close,
    Disconnect,
}

/// A viewer's session. A missing text is empty, a missing number 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
        self.has_tabs = names.contains(&b'\t');
        let separates = |byte: &u8| if self.has_tabs { *byte == b'\t' } else { *byte == b' ' };
        let names = names.split(separates).map(<[u8]>::trim_ascii);
        let names = names.filter(|name| !name.is_empty()).take(MAX_COLUMNS);
        self.columns = names.map(Column::named).collect();
        let has = |column| self.columns.contains(&Some(column));
        self.has_events = has(Column::Event);
        let stream = [Column::Stem, Column::StreamName].into_iter().any(has);
        let (missing, unfit) = if !has(Column::Date) {
            ("the #Fields header has no date", "under a #Fields header without date")
        } else if !has(Column::Time) {
            ("the #Fields header has no time", "under a #Fields header without time")
        } else if !has(Column::Duration) {
            ("the #Fields header has no x-duration", "under a #Fields header without x-duration")
        } else if !stream {
            ("the #Fields header has no cs-uri-stem", "under a #Fields header without cs-uri-stem")
        } else if self.has_events && !has(Column::Connection) {
            ("the #Fields header has no c-client-id", "under a #Fields header without c-client-id")
        } else {
            self.unfit = None;
            return Ok(());
        };
        self.unfit = Some(unfit);
        Err(missing)
    }

    /// Reads a line. The error says what is wrong.
    pub(crate) fn line<'a>(&self, line: &'a [u8]) -> Result<Line<'a>, &'static str> {
        if let Some(unfit) = self.unfit {
            return Err(unfit);
        }
        let found =
            if self.has_tabs { self.fields::<b'\t'>(line)? } else { self.fields::<b' '>(line)? };
        if !self.has_events {
            return session(&found).map(Line::Session);
        }
        let kind = match found[Column::Event as usize] {
            b"connect" => EventKind::Connect,
            b"publish" => EventKind::Publish,
            b"play" => EventKind::Play,
            b"stop" => EventKind::Stop,
            b"destroy" => EventKind::Close,
            b"disconnect" => EventKind::Disconnect,
            _ => return Ok(Line::Other),
        };
        let connection = found[Column::Connection as usize];
        let received = counter(found[Column::Received as usize])?;
        Ok(Line::Event(Event { kind, connection, received, session: session(&found)? }))
    }

    /// The fields of a line that the report uses, separated by the byte `SEPARATOR`.
    fn fields<'a, const SEPARATOR: u8>(
        &self,
        line: &'a [u8],
    ) -> Result<[&'a [u8]; KINDS], &'static str> {
        let mut found: [&[u8]; KINDS] = [b""; KINDS];
        let mut columns = self.columns.iter();
        let mut start = 0;
        for end in Positions::<SEPARATOR, SEPARATOR>::of(line).chain([line.len()]) {
            let field = &line[start..end];
            start = end + 1;
            // Between tabs, a field may be empty.
            if field.is_empty() && SEPARATOR == b' ' {
                continue;
            }
            match columns.next() {
                Some(Some(column)) if field != b"-" => found[*column as usize] = field,
                Some(_) => {}
                None if field.is_empty() => {}
                None => return Err("more fields than the header names"),
            }
        }
        match columns.next() {
            None => Ok(found),
            Some(_) => Err("fewer fields than the header names"),
        }
    }
}

impl Column {
    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"c-ip" => Self::Client,
            b"date" => Self::Date,
            b"time" => Self::Time,
            b"tz" => Self::Zone,
            b"cs-uri-stem" => Self::Stem,
            b"x-sname" => Self::StreamName,
            b"x-duration" => Self::Duration,
            b"c-status" | b"x-status" => Self::Status,
            b"sc-bytes" => Self::Sent,
            b"cs-bytes" => Self::Received,
            b"s-ip" => Self::Address,
            b"s-dns" => Self::Name,
            b"s-uri" => Self::ServerUrl,
            b"x-event" => Self::Event,
            b"c-client-id" => Self::Connection,
            _ => return None,
        })
    }
}

fn session<'a>(found: &[&'a [u8]; KINDS]) -> Result<Session<'a>, &'static str> {
    let text = |column: Column| found[column as usize];
    let time =
        date_and_time(text(Column::Date), text(Column::Time)).ok_or("a time that can't be read")?;
    // Wowza calls an address `[any]` if it listens at all of them.
    let address = match text(Column::Address) {
        b"" | b"[any]" => host(text(Column::ServerUrl)),
        address => address,
    };
    let session = Session {
        time: time.saturating_add_signed(-ahead_of_utc(text(Column::Zone))),
        client: Network::of(text(Column::Client)),
        stream: match text(Column::StreamName) {
            b"" => stream(text(Column::Stem)),
            name => stream(name),
        },
        address,
        name: text(Column::Name),
        seconds: seconds(text(Column::Duration))?,
        status: text(Column::Status),
        bytes: counter(text(Column::Sent))?,
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

fn counter(text: &[u8]) -> Result<u64, &'static str> {
    if text.is_empty() { Ok(0) } else { number(text).ok_or("a number that can't be read") }
}

/// A duration, perhaps with a fraction, to the nearest second.
fn seconds(text: &[u8]) -> Result<u64, &'static str> {
    let point = memchr::memchr(b'.', text).unwrap_or(text.len());
    let rounds_up = text.get(point + 1).is_some_and(|digit| (b'5'..=b'9').contains(digit));
    Ok(counter(&text[..point])?.saturating_add(rounds_up.into()))
}

/// How many seconds a time zone is ahead of UTC. An unknown zone counts as UTC.
fn ahead_of_utc(zone: &[u8]) -> i64 {
    let hours = match zone {
        b"CET" | b"WEST" | b"BST" => 1,
        b"CEST" | b"EET" => 2,
        b"EEST" | b"MSK" => 3,
        b"JST" | b"KST" => 9,
        b"EDT" => -4,
        b"EST" | b"CDT" => -5,
        b"CST" | b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        _ => 0,
    };
    hours * 3600
}

/// The host of a URL, without its port.
fn host(url: &[u8]) -> &[u8] {
    let Some(scheme) = memchr::memmem::find(url, b"://") else { return b"" };
    let rest = &url[scheme + 3..];
    let rest = &rest[..memchr::memchr(b'/', rest).unwrap_or(rest.len())];
    match rest {
        [b'[', inside @ ..] => inside.split(|byte| *byte == b']').next().unwrap_or_default(),
        _ => rest.split(|byte| *byte == b':').next().unwrap_or_default(),
    }
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
        assert_eq!(columns().columns.len(), 39);
        assert_eq!(
            columns().line(LINE.as_bytes()),
            Ok(Line::Session(Session {
                time: 1_721_131_200,
                client: Some(Network::V4([203, 0, 113])),
                stream: b"news",
                address: b"198.51.100.7",
                name: b"dss2.example.net",
                seconds: 61,
                status: b"200",
                bytes: 7_625_000,
            }))
        );
    }

    #[test]
    fn the_header_decides_the_order() {
        let mut columns = Columns::default();
        columns.learn(b"#Fields: time cs-uri-stem date x-duration").unwrap();
        let line = columns.line(b"12:00:00 rtsp://dss2/a/b.sdp 2024-07-16 -").unwrap();
        let Line::Session(session) = line else { panic!("no session") };
        assert_eq!((session.time, session.stream), (1_721_131_200, &b"a/b"[..]));
        assert_eq!((session.seconds, session.client), (0, None));
        let unfit = columns.learn(b"#Fields: date time");
        assert_eq!(unfit, Err("the #Fields header has no x-duration"));
        let unfit = columns.line(b"2024-07-16 12:00:00");
        assert_eq!(unfit, Err("under a #Fields header without x-duration"));
    }

    #[test]
    fn a_wowza_event() {
        let mut columns = Columns::default();
        let header = b"#Fields: date\ttime\ttz\tx-event\tx-duration\ts-ip\ts-uri\tc-user-agent\t\
            c-client-id\tcs-bytes\tsc-bytes\tx-sname\tcs-uri-stem";
        columns.learn(header).unwrap();
        let line =
            b"2024-07-16\t14:00:00\tCEST\tstop\t599.5\t[any]\trtsp://198.51.100.7:554/live\t\
            VLC media player\t7\t20\t7500\tnews.sdp\trtsp://198.51.100.7/live/news.sdp";
        let session = Session {
            time: 1_721_131_200,
            stream: b"news",
            address: b"198.51.100.7",
            seconds: 600,
            bytes: 7500,
            ..Session::default()
        };
        let event = Event { kind: EventKind::Stop, connection: b"7", received: 20, session };
        assert_eq!(columns.line(line), Ok(Line::Event(event)));
        let start = b"2024-07-16\t14:00:00\tCEST\tvhost-start\t0.5\t-\t\t\t-\t-\t-\t-\t-";
        assert_eq!(columns.line(start), Ok(Line::Other));
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
            assert!(columns().line(line.as_bytes()).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_session_or_none(header: Vec<u8>, line: Vec<u8>) {
            let mut any = Columns::default();
            let _ = any.learn(&[b"#Fields:", &header[..]].concat());
            let _ = any.line(&line);
            let _ = columns().line(&line);
        }
    }
}
