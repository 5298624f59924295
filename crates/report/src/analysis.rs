//! Reading logs, and adding up what they say.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use foldhash::HashMap;
use serde::Serialize;

use crate::batch::{Batch, Record, TOLD};
use crate::columns::Session;
use crate::edge::{Counts, Edge, Rooms, Share};
use crate::entry::{Entry, Event};
use crate::filter::Filter;
use crate::network::{Network, Networks, Visits};
use crate::report::{Lines, Report};
use crate::time::DAY;
use crate::totals::Totals;
use crate::turns::{self, Pace};

/// A longer name is not a name.
pub(crate) const LONGEST_NAME: usize = 255;
/// A longer session or relay is an error of whoever wrote the log.
pub(crate) const LONGEST: u64 = 3653 * DAY;
/// So many reasons, codes or statuses are told apart; there are ten or so of each.
const REASONS: usize = 100;

/// Where viewers are sent who are local to the origin. It can't be an edge's name.
pub(crate) const ORIGIN: &[u8] = b"(origin)";
/// A server whose log doesn't name it.
const NAMELESS: &[u8] = b"(server)";

/// A line that says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The file, as it was called.
    pub file: String,
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Logs, added up.
#[derive(Debug)]
pub struct Analysis {
    pub(crate) filter: Filter,
    pub(crate) edges: Vec<(Box<[u8]>, Edge)>,
    places: HashMap<Box<[u8]>, usize>,
    /// Of all edges together.
    pub(crate) networks: Networks,
    /// Visits to edges from networks. They are added at the end of a batch: while the processor waits
    /// for the memory of one sum, it fetches the next ones, if it has nothing else to do.
    visits: Vec<(usize, Network, Visits)>,
    pub(crate) rooms: Rooms,
    /// Edges' names by their addresses.
    pub(crate) names: HashMap<Box<[u8]>, Box<[u8]>>,
    /// The first and the last time that dynrelayd logged anything.
    pub(crate) period: Option<(u64, u64)>,
    /// When dynrelayd last came up or went down: what was open before that is not any more. In
    /// microseconds.
    pub(crate) began: u64,
    /// How often viewers were turned away, by code.
    pub(crate) turned_away: Counts,
    pub(crate) lines: Lines,
    pub(crate) told: Vec<Broken>,
}

impl Analysis {
    /// Nothing yet.
    #[must_use]
    pub fn new(filter: Filter) -> Self {
        Self {
            filter,
            edges: Vec::new(),
            places: HashMap::default(),
            networks: Networks::default(),
            visits: Vec::new(),
            rooms: Rooms { edges: 4096, streams: 50_000, days: 200_000, networks: 250_000 },
            names: HashMap::default(),
            period: None,
            began: 0,
            turned_away: Counts::new(),
            lines: Lines::default(),
            told: Vec::new(),
        }
    }

    /// Adds a log: of dynrelayd or a streaming server, or both mixed, plain or compressed by gzip.
    /// `file` is what it is called where a line of it is broken.
    ///
    /// # Errors
    /// What reading fails with. The lines before that are added.
    pub fn read(&mut self, file: &str, input: impl Read + Send) -> io::Result<()> {
        self.read_at(Pace::default(), file, input)
    }

    pub(crate) fn read_at(
        &mut self,
        pace: Pace,
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
        turns::read(plain, pace, |batch| {
            let first = self.lines.read - before;
            let broken = batch.told.iter().map(|(line, why)| Broken {
                file: file.to_owned(),
                line: first + line,
                why,
            });
            self.told.extend(broken.take(TOLD - self.told.len()));
            self.add(batch);
        })
    }

    /// The summary.
    #[must_use]
    pub fn report(&self) -> Report {
        Report::of(self)
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
            }
        }
        let Self { visits, edges, networks, rooms, .. } = self;
        let apart = self.filter.edge.is_some();
        for (edge, network, more) in visits.drain(..) {
            let networks = if apart { &mut edges[edge].1.networks } else { &mut *networks };
            networks.add(network, more, &mut rooms.networks);
        }
    }

    fn take_entry(&mut self, entry: &Entry<'_>) {
        let is_wanted = self.filter.wants_stream(entry.stream);
        match entry.event {
            Some(Event::UpOrDown) => self.began = self.began.max(entry.moment),
            Some(Event::Start) if is_wanted => {
                let now = entry.time();
                let place = self.place(if entry.edge.is_empty() { ORIGIN } else { entry.edge });
                let share = Share {
                    stream: entry.stream,
                    client: entry.client,
                    span: (now, now),
                    moment: now,
                    counts: Totals { starts: entry.count.max(1), ..Totals::default() },
                    flows: [0; 3],
                    sums: |_, _| Totals::default(),
                };
                self.share(place, &share);
            }
            Some(Event::TurnedAway) if is_wanted && self.filter.has(entry.time()) => {
                count(&mut self.turned_away, entry.code, entry.count.max(1));
            }
            Some(Event::Opened) => {
                let known = self.names.get(entry.address).is_some_and(|name| **name == *entry.edge);
                if !known && self.names.len() < self.rooms.edges {
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
        let share = Share {
            stream: entry.stream,
            client: None,
            span: (end.saturating_sub(seconds), end),
            moment: end,
            counts: Totals { relays: 1, refusals: entry.refusals, ..Totals::default() },
            flows: [packets, bytes, entry.watched],
            sums: |relayed, [packets, sent, reported]| Totals {
                relayed,
                packets,
                sent,
                reported,
                ..Totals::default()
            },
        };
        self.share(place, &share);
        if self.filter.has(end) {
            count(&mut self.edges[place].1.reasons, entry.reason, 1);
        }
    }

    fn take_session(&mut self, session: &Session<'_>) {
        let Session { time: end, stream, address, name, seconds, bytes, .. } = *session;
        if !self.filter.wants_stream(stream) {
            return;
        }
        let key = [address, name, NAMELESS].into_iter().find(|key| !key.is_empty());
        let key = key.unwrap_or(NAMELESS);
        let begin = end.saturating_sub(seconds);
        // Who got nothing watched nothing.
        let failed = u64::from(bytes == 0);
        let share = Share {
            stream,
            client: session.client,
            span: if failed == 1 { (begin, begin) } else { (begin, end) },
            moment: begin,
            counts: Totals { sessions: 1 - failed, failed, ..Totals::default() },
            flows: [bytes, 0, 0],
            sums: |watched, [served, ..]| Totals { watched, served, ..Totals::default() },
        };
        let place = self.place(key);
        self.share(place, &share);
        let edge = &mut self.edges[place].1;
        if edge.alias.is_empty() && !name.is_empty() {
            edge.alias = name.into();
        }
        if self.filter.has(begin) && !session.status.is_empty() {
            count(&mut edge.statuses, session.status, 1);
        }
    }

    fn share(&mut self, place: usize, share: &Share<'_>) {
        let all = self.edges[place].1.add(share, &self.filter, &mut self.rooms);
        if let Some(network) = share.client
            && all != Totals::default()
        {
            self.visits.push((place, network, Visits::of(&all)));
        }
    }

    fn relay(&mut self, place: usize, stream: &[u8]) -> &mut crate::edge::Relay {
        let Self { edges, rooms, .. } = self;
        edges[place].1.relays.of(stream, &mut rooms.streams)
    }

    /// Where an edge's sums are. Edges for which there is no room share a place.
    fn place(&mut self, name: &[u8]) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let name = if self.edges.len() < self.rooms.edges { name } else { crate::report::OTHERS };
        let next = self.edges.len();
        let place = *self.places.entry(name.into()).or_insert(next);
        if place == next {
            self.edges.push((name.into(), Edge::default()));
        }
        place
    }
}

/// Counts something, unless there are too many kinds of it.
fn count(counts: &mut Counts, what: &[u8], times: u64) {
    if let Some(count) = counts.get_mut(what) {
        *count = count.saturating_add(times);
    } else if counts.len() < REASONS {
        counts.insert(what.into(), times);
    }
}
