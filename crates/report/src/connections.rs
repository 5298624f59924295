//! Sessions from logs that have a line for each event of a connection (`x-event`), such as Wowza's.

use foldhash::HashMap;

use crate::access_log::{Event, EventKind, Session};

/// The connections of viewers that have not ended yet.
#[derive(Debug)]
pub(crate) struct Connections {
    open: HashMap<Box<[u8]>, Connection>,
    /// How many connections may be open.
    limit: usize,
}

/// A connection between a client and a server.
#[derive(Debug, Default)]
struct Connection {
    /// The stream that it plays.
    plays: Option<Box<[u8]>>,
    /// The part of that stream that it played until it stopped.
    stopped: Option<Ended>,
    /// The server closed that stream, so that another play begins a new one.
    closed: bool,
    /// Seconds of the stream and bytes of the connection that earlier sessions have.
    counted: (u64, u64),
}

/// A session that has ended, with its own copy of the texts.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    session: Session<'static>,
    stream: Box<[u8]>,
    address: Box<[u8]>,
    name: Box<[u8]>,
    status: Box<[u8]>,
}

impl Ended {
    fn of(event: &Event<'_>, stream: &[u8], (seconds, bytes): (u64, u64)) -> Self {
        let Session { time, client, address, name, status, .. } = event.session;
        let session = Session {
            time,
            client,
            seconds: event.session.seconds.saturating_sub(seconds),
            bytes: event.session.bytes.saturating_sub(bytes),
            ..Session::default()
        };
        let (address, name, status) = (address.into(), name.into(), status.into());
        Self { session, stream: stream.into(), address, name, status }
    }

    /// The session.
    pub(crate) fn session(&self) -> Session<'_> {
        let Self { stream, address, name, status, .. } = self;
        Session { stream, address, name, status, ..self.session }
    }
}

impl Connections {
    pub(crate) fn new(limit: usize) -> Self {
        Self { open: HashMap::default(), limit }
    }

    /// Takes the next event. Returns a session if one is complete now.
    pub(crate) fn take(&mut self, event: &Event<'_>) -> Option<Ended> {
        let key = [event.session.address, b" ", event.connection].concat().into_boxed_slice();
        let before = match event.kind {
            EventKind::Connect => self.open.remove(&key).and_then(|before| before.stopped),
            EventKind::Disconnect => {
                return match self.open.remove(&key) {
                    Some(connection) => connection.end(event),
                    // The log begins in the middle of the connection. A viewer receives more than it
                    // sends.
                    None => (self.open.len() < self.limit
                        && !event.session.stream.is_empty()
                        && event.session.bytes > event.received)
                        .then(|| Ended::of(event, event.session.stream, (0, 0))),
                };
            }
            EventKind::Publish | EventKind::Play | EventKind::Stop | EventKind::Close => None,
        };
        if self.open.len() >= self.limit && !self.open.contains_key(&key) {
            let stops = event.kind == EventKind::Stop;
            return stops.then(|| Ended::of(event, event.session.stream, (0, 0)));
        }
        self.open.entry(key).or_default().take(event).or(before)
    }

    /// The sessions that had stopped when a log ended. Their connections may still be open.
    pub(crate) fn stopped(&mut self) -> Vec<Ended> {
        self.open.values_mut().filter_map(Connection::count).collect()
    }
}

impl Connection {
    fn take(&mut self, event: &Event<'_>) -> Option<Ended> {
        match event.kind {
            EventKind::Connect | EventKind::Publish | EventKind::Disconnect => None,
            EventKind::Play => {
                let stream = event.session.stream;
                let goes_on = !self.closed && self.plays.as_deref() == Some(stream);
                let ended = if goes_on { None } else { self.count() };
                (self.plays, self.stopped) = (Some(stream.into()), None);
                if std::mem::take(&mut self.closed) {
                    self.counted.0 = 0;
                }
                ended
            }
            EventKind::Stop | EventKind::Close => {
                let plays = self.plays.clone();
                // A stop is a viewer's, even if the log begins after the play.
                if event.kind == EventKind::Stop || plays.is_some() {
                    let stream = plays.unwrap_or_else(|| event.session.stream.into());
                    self.stopped = Some(Ended::of(event, &stream, self.counted));
                    self.plays = Some(stream);
                }
                self.closed = event.kind == EventKind::Close;
                None
            }
        }
    }

    /// Returns the session that has stopped, and remembers that it was counted.
    fn count(&mut self) -> Option<Ended> {
        let ended = self.stopped.take()?;
        self.counted.0 = self.counted.0.saturating_add(ended.session.seconds);
        self.counted.1 = self.counted.1.saturating_add(ended.session.bytes);
        self.plays = None;
        Some(ended)
    }

    /// The last session, when the connection ends.
    fn end(self, event: &Event<'_>) -> Option<Ended> {
        let bytes = event.session.bytes.saturating_sub(self.counted.1);
        match (self.stopped, self.plays) {
            (Some(mut ended), _) => {
                ended.session.bytes = ended.session.bytes.max(bytes);
                Some(ended)
            }
            (None, Some(stream)) => Some(Ended::of(event, &stream, (0, self.counted.1))),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sessions of events: kind, connection, stream, seconds, bytes.
    fn sessions(events: &[(EventKind, &str, &str, u64, u64)], limit: usize) -> Vec<String> {
        let mut connections = Connections::new(limit);
        let mut all = Vec::new();
        for (kind, connection, stream, seconds, bytes) in events {
            let (stream, connection) = (stream.as_bytes(), connection.as_bytes());
            let session =
                Session { stream, seconds: *seconds, bytes: *bytes, ..Session::default() };
            all.extend(connections.take(&Event { kind: *kind, connection, received: 50, session }));
        }
        all.extend(connections.stopped());
        let said = |ended: &Ended| {
            let Session { stream, seconds, bytes, .. } = ended.session();
            format!("{} {seconds} {bytes}", String::from_utf8_lossy(stream))
        };
        all.iter().map(said).collect()
    }

    #[test]
    fn a_viewer_has_one_session() {
        use EventKind::{Close, Connect, Disconnect, Play, Publish, Stop};
        let viewer = [
            (Connect, "1", "", 0, 9),
            (Play, "1", "news", 0, 9),
            (Stop, "1", "news", 599, 740),
            (Close, "1", "news", 600, 740),
            (Disconnect, "1", "", 600, 750),
        ];
        assert_eq!(sessions(&viewer, 9), ["news 600 750"]);
        // Some of the lines are missing.
        assert_eq!(sessions(&viewer[2..], 9), ["news 600 750"]);
        assert_eq!(sessions(&viewer[..4], 9), ["news 600 740"]);
        assert_eq!(sessions(&[viewer[1], viewer[4]], 9), ["news 600 750"]);
        assert_eq!(sessions(&[viewer[0], viewer[4]], 9), Vec::<String>::new());
        // Two viewers at once, of whom the second pauses.
        let both = [
            viewer[1],
            (Play, "2", "news", 0, 9),
            (Stop, "2", "news", 5, 100),
            (Play, "2", "news", 8, 100),
            viewer[3],
            (Stop, "2", "news", 20, 300),
            viewer[4],
            (Disconnect, "2", "", 20, 300),
        ];
        assert_eq!(sessions(&both, 9), ["news 600 750", "news 20 300"]);
        assert_eq!(sessions(&both, 1), ["news 5 100", "news 20 300", "news 600 750"]);
        let publisher = [
            (Connect, "1", "", 0, 9),
            (Publish, "1", "news", 0, 9),
            (Close, "1", "news", 900, 40),
            (Disconnect, "1", "news", 900, 40),
        ];
        assert!(sessions(&publisher, 9).is_empty());
        assert!(sessions(&publisher[3..], 9).is_empty(), "it sent more than it received");
    }

    #[test]
    fn streams_on_one_connection_are_counted_one_by_one() {
        use EventKind::{Close, Disconnect, Play, Stop};
        let switched = [
            (Play, "1", "a", 0, 10),
            (Stop, "1", "a", 60, 600),
            (Close, "1", "a", 60, 600),
            (Play, "1", "b", 0, 610),
            (Close, "1", "b", 30, 900),
            (Disconnect, "1", "", 95, 910),
        ];
        assert_eq!(sessions(&switched, 9), ["a 60 600", "b 30 310"]);
    }
}
