//! Reads logs and adds up their content.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use foldhash::HashMap;
use serde::Serialize;

use crate::access_log::Session;
use crate::batch::{Batch, Lines, NAMED_BROKEN, Record};
use crate::connections::{Connections, Ended};
use crate::daemon_log::{Entry, Event};
use crate::edge::{Addition, Counts, Edge, Limits, Relay};
use crate::filter::Filter;
use crate::network::{Network, Networks};
use crate::parallel::{self, Reading};
use crate::sums::{OTHERS, Totals};

/// How many reasons, codes or statuses are told apart. About ten of each exist.
const MAX_REASONS: usize = 100;

/// Stands for the edge of local viewers, who are sent to the origin. No edge can have this name.
const ORIGIN: &[u8] = b"(origin)";
/// Stands for a server whose log does not name it.
const NAMELESS: &[u8] = b"(server)";

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The name of its file.
    pub file: String,
    /// Its number, counted from 1.
    pub line: u64,
    /// Its fault.
    pub why: &'static str,
}

/// The sums of all logs that were read.
#[derive(Debug)]
pub struct Analysis {
    pub(crate) filter: Filter,
    /// Edges by the name or address that a log gives them.
    pub(crate) edges: Vec<(Box<[u8]>, Edge)>,
    places: HashMap<Box<[u8]>, usize>,
    /// The networks of all edges together.
    pub(crate) networks: Networks,
    /// The amounts to add to networks, with the index of the edge. They are added at the end of a
    /// batch: the processor then fetches several sums from memory at once.
    visits: Vec<(usize, Network, Totals)>,
    /// Connections in logs of events.
    connections: Connections,
    pub(crate) limits: Limits,
    /// The names of edges by their addresses.
    pub(crate) names: HashMap<Box<[u8]>, Box<[u8]>>,
    /// The first and the last time in dynrelayd's logs.
    pub(crate) period: Option<(u64, u64)>,
    /// When dynrelayd last started or stopped, in microseconds since 1970. Relays that opened before
    /// have ended.
    pub(crate) restarted: u64,
    /// How many viewers were turned away, by code.
    pub(crate) turned_away: Counts,
    pub(crate) lines: Lines,
    /// The first broken lines.
    pub(crate) broken: Vec<Broken>,
}

impl Analysis {
    /// An analysis of what `filter` covers, before any log.
    #[must_use]
    pub fn new(filter: Filter) -> Self {
        Self {
            filter,
            edges: Vec::new(),
            places: HashMap::default(),
            networks: Networks::default(),
            visits: Vec::new(),
            connections: Connections::new(50_000),
            limits: Limits { edges: 4096, streams: 50_000, days: 200_000, networks: 250_000 },
            names: HashMap::default(),
            period: None,
            restarted: 0,
            turned_away: Counts::new(),
            lines: Lines::default(),
            broken: Vec::new(),
        }
    }

    /// Adds a log of dynrelayd or a streaming server, or both mixed, plain or compressed by gzip.
    /// `file` names it in [`Broken`].
    ///
    /// # Errors
    /// An error of `input`, or of gzip. The lines before it are added.
    pub fn read(&mut self, file: &str, input: impl Read + Send) -> io::Result<()> {
        self.read_with(Reading::default(), file, input)
    }

    pub(crate) fn read_with(
        &mut self,
        reading: Reading,
        file: &str,
        mut input: impl Read + Send,
    ) -> io::Result<()> {
        let mut magic = Vec::new();
        (&mut input).take(2).read_to_end(&mut magic)?;
        let is_gzip = magic == [0x1f, 0x8b];
        let whole = io::Cursor::new(magic).chain(input);
        let plain: Box<dyn Read + Send + '_> = if is_gzip {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, whole)))
        } else {
            Box::new(whole)
        };
        let before = self.lines.read;
        let outcome = parallel::read(plain, reading, |batch| {
            let first = self.lines.read - before;
            let broken = batch.broken.iter().map(|(line, why)| Broken {
                file: file.to_owned(),
                line: first + line,
                why,
            });
            self.broken.extend(broken.take(NAMED_BROKEN - self.broken.len()));
            self.add(batch);
        });
        for ended in self.connections.stopped() {
            self.take_ended(&ended);
        }
        self.add_visits();
        outcome
    }

    fn add(&mut self, batch: &Batch<'_>) {
        self.lines += batch.lines;
        if let Some((from, to)) = batch.period {
            let (first, last) = self.period.unwrap_or((from, to));
            self.period = Some((first.min(from), last.max(to)));
        }
        for record in &batch.records {
            match record {
                Record::Entry(entry) => self.take_entry(entry),
                Record::Session(session) => self.take_session(session),
                Record::Event(event) => {
                    if let Some(ended) = self.connections.take(event) {
                        self.take_ended(&ended);
                    }
                }
            }
        }
        self.add_visits();
    }

    fn add_visits(&mut self) {
        let Self { visits, edges, networks, limits, .. } = self;
        let by_edge = self.filter.edge.is_some();
        for (edge, network, totals) in visits.drain(..) {
            let networks = if by_edge { &mut edges[edge].1.networks } else { &mut *networks };
            networks.add(network, &totals, &mut limits.networks);
        }
    }

    fn take_entry(&mut self, entry: &Entry<'_>) {
        let is_wanted = self.filter.wants_stream(entry.stream);
        match entry.event {
            Some(Event::UpOrDown) => self.restarted = self.restarted.max(entry.moment),
            Some(Event::Start) if is_wanted => {
                let now = entry.time();
                let place = self.place(if entry.edge.is_empty() { ORIGIN } else { entry.edge });
                let new = Addition {
                    stream: entry.stream,
                    client: entry.client,
                    span: (now, now),
                    moment: now,
                    counts: Totals { starts: entry.count.max(1), ..Totals::default() },
                    amounts: [0; 3],
                    totals: |_, _| Totals::default(),
                };
                self.add_to(place, &new);
            }
            Some(Event::TurnedAway) if is_wanted && self.filter.has(entry.time()) => {
                count(&mut self.turned_away, entry.code, entry.count.max(1));
            }
            Some(Event::Opened) => {
                let known = self.names.get(entry.address).is_some_and(|name| **name == *entry.edge);
                if !known && self.names.len() < self.limits.edges {
                    self.names.insert(entry.address.into(), entry.edge.into());
                }
                if is_wanted {
                    let place = self.place(entry.edge);
                    let last = &mut self.relay(place, entry.stream).last;
                    last.0 = last.0.max(entry.moment);
                }
            }
            Some(Event::Closed) if is_wanted => self.closed(entry),
            _ => {}
        }
    }

    fn closed(&mut self, entry: &Entry<'_>) {
        let Entry { seconds, bytes, packets, .. } = *entry;
        let end = entry.time();
        let place = self.place(entry.edge);
        let relay = self.relay(place, entry.stream);
        relay.last.1 = relay.last.1.max(entry.moment);
        let (time, sent) = relay.closed;
        relay.closed = (time.saturating_add(seconds), sent.saturating_add(bytes));
        let new = Addition {
            stream: entry.stream,
            client: None,
            span: (end.saturating_sub(seconds), end),
            moment: end,
            counts: Totals { relays: 1, refusals: entry.refusals, ..Totals::default() },
            amounts: [packets, bytes, entry.watched],
            totals: |relayed, [packets, sent, reported]| Totals {
                relayed,
                packets,
                sent,
                reported,
                ..Totals::default()
            },
        };
        self.add_to(place, &new);
        if self.filter.has(end) {
            count(&mut self.edges[place].1.reasons, entry.reason, 1);
        }
    }

    /// Takes a session that several lines made up. One of them counts as the session.
    fn take_ended(&mut self, ended: &Ended) {
        self.lines.sessions += 1;
        self.lines.others -= 1;
        self.take_session(&ended.session());
    }

    fn take_session(&mut self, session: &Session<'_>) {
        let Session { time: end, stream, address, name, seconds, bytes, .. } = *session;
        if !self.filter.wants_stream(stream) {
            return;
        }
        let key = [address, name, NAMELESS].into_iter().find(|key| !key.is_empty());
        let key = key.unwrap_or(NAMELESS);
        let begin = end.saturating_sub(seconds);
        // A viewer who received nothing watched nothing.
        let failed = u64::from(bytes == 0);
        let new = Addition {
            stream,
            client: session.client,
            span: if failed == 1 { (begin, begin) } else { (begin, end) },
            moment: begin,
            counts: Totals { sessions: 1 - failed, failed, ..Totals::default() },
            amounts: [bytes, 0, 0],
            totals: |watched, [served, ..]| Totals { watched, served, ..Totals::default() },
        };
        let place = self.place(key);
        self.add_to(place, &new);
        let edge = &mut self.edges[place].1;
        if edge.alias.is_empty() && !name.is_empty() {
            edge.alias = name.into();
        }
        if self.filter.has(begin) && !session.status.is_empty() {
            count(&mut edge.statuses, session.status, 1);
        }
    }

    fn add_to(&mut self, place: usize, new: &Addition<'_>) {
        let totals = self.edges[place].1.add(new, &self.filter, &mut self.limits);
        if let Some(network) = new.client
            && totals != Totals::default()
        {
            self.visits.push((place, network, totals));
        }
    }

    fn relay(&mut self, place: usize, stream: &[u8]) -> &mut Relay {
        let Self { edges, limits, .. } = self;
        edges[place].1.relays.of(stream, &mut limits.streams)
    }

    /// The index of an edge. All edges beyond the limit share one.
    fn place(&mut self, name: &[u8]) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let name = if self.edges.len() < self.limits.edges { name } else { OTHERS };
        let next = self.edges.len();
        let place = *self.places.entry(name.into()).or_insert(next);
        if place == next {
            self.edges.push((name.into(), Edge::default()));
        }
        place
    }
}

/// Counts a word, unless there are too many different words.
fn count(counts: &mut Counts, what: &[u8], times: u64) {
    if let Some(count) = counts.get_mut(what) {
        *count = count.saturating_add(times);
    } else if counts.len() < MAX_REASONS {
        counts.insert(what.into(), times);
    }
}
