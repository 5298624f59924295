//! Reading logs, and adding up what they say.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use serde::Serialize;

use crate::columns::{Columns, Session};
use crate::edge::{Counts, Edge, Rooms, Share};
use crate::entry::Entry;
use crate::filter::Filter;
use crate::lines;
use crate::network::Networks;
use crate::report::Report;
use crate::time::DAY;
use crate::totals::Totals;

/// A longer name is not a name.
pub(crate) const LONGEST_NAME: usize = 255;
/// A longer session or relay is an error of whoever wrote the log.
pub(crate) const LONGEST: u64 = 3653 * DAY;
/// So many broken lines are told of.
const TOLD: usize = 5;
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
    rooms: Rooms,
    /// Edges' names by their addresses.
    pub(crate) names: HashMap<Box<[u8]>, Box<[u8]>>,
    /// The first and the last time that dynrelayd logged anything.
    pub(crate) period: Option<(u64, u64)>,
    /// When dynrelayd last came up or went down: what was open before that is not any more. In
    /// microseconds.
    pub(crate) began: u64,
    /// How often viewers were turned away, by code.
    pub(crate) turned_away: Counts,
    pub(crate) read: u64,
    pub(crate) entries: u64,
    pub(crate) sessions: u64,
    pub(crate) others: u64,
    pub(crate) broken: u64,
    pub(crate) told: Vec<Broken>,
}

impl Analysis {
    /// Nothing yet.
    #[must_use]
    pub fn new(filter: Filter) -> Self {
        Self {
            filter,
            edges: Vec::new(),
            places: HashMap::new(),
            networks: Networks::default(),
            rooms: Rooms { edges: 4096, streams: 50_000, days: 200_000, networks: 250_000 },
            names: HashMap::new(),
            period: None,
            began: 0,
            turned_away: Counts::new(),
            read: 0,
            entries: 0,
            sessions: 0,
            others: 0,
            broken: 0,
            told: Vec::new(),
        }
    }

    /// Adds a log: of dynrelayd or a streaming server, or both mixed, plain or compressed by gzip.
    /// `file` is what it is called where a line of it is broken.
    ///
    /// # Errors
    /// What reading fails with. The lines before that are added.
    pub fn read(&mut self, file: &str, mut input: impl Read) -> io::Result<()> {
        let mut magic = Vec::new();
        (&mut input).take(2).read_to_end(&mut magic)?;
        let is_gzip = magic == [0x1f, 0x8b];
        let whole = io::Cursor::new(magic).chain(input);
        let mut plain: Box<dyn Read + '_> = if is_gzip {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, whole)))
        } else {
            Box::new(whole)
        };
        let mut columns = Columns::default();
        let mut number = 0;
        lines::for_each(&mut plain, |line| {
            number += 1;
            self.read += 1;
            let taken =
                line.ok_or("longer than any line").and_then(|line| self.take(line, &mut columns));
            if let Err(why) = taken {
                self.broken += 1;
                if self.told.len() < TOLD {
                    self.told.push(Broken { file: file.to_owned(), line: number, why });
                }
            }
        })
    }

    /// The summary.
    #[must_use]
    pub fn report(&self) -> Report {
        Report::of(self)
    }

    fn take(&mut self, line: &[u8], columns: &mut Columns) -> Result<(), &'static str> {
        match line.first() {
            None => self.others += 1,
            Some(b'{') => match Entry::read(line)? {
                Some(entry) => {
                    self.take_entry(&entry)?;
                    self.entries += 1;
                }
                None => self.others += 1,
            },
            Some(b'#') => {
                columns.learn(line)?;
                self.others += 1;
            }
            Some(_) => {
                let session = columns.session(line)?;
                self.sessions += 1;
                self.take_session(&session);
            }
        }
        Ok(())
    }

    fn take_entry(&mut self, entry: &Entry<'_>) -> Result<(), &'static str> {
        let now = entry.time;
        let (first, last) = self.period.unwrap_or((now, now));
        self.period = Some((first.min(now), last.max(now)));
        match entry.event {
            b"up" | b"down" => self.began = self.began.max(entry.moment),
            b"start" if self.filter.wants_stream(entry.stream) => {
                let edge = if entry.edge.is_empty() { ORIGIN } else { entry.edge };
                let counts = Totals { starts: entry.count.max(1), ..Totals::default() };
                let share = Share {
                    stream: entry.stream,
                    client: entry.client,
                    span: (now, now),
                    moment: now,
                    counts,
                    flows: [0; 3],
                    sums: |_, _| Totals::default(),
                };
                self.add(edge, &share);
            }
            b"turned-away" if self.filter.wants_stream(entry.stream) && self.filter.has(now) => {
                count(&mut self.turned_away, entry.code, entry.count.max(1));
            }
            b"opened" => {
                if self.names.len() < self.rooms.edges {
                    self.names.insert(entry.address.into(), entry.edge.into());
                }
                if self.filter.wants_stream(entry.stream) {
                    let last = &mut self.relay(entry.edge, entry.stream).last;
                    last.0 = last.0.max(entry.moment);
                }
            }
            b"closed" if self.filter.wants_stream(entry.stream) => self.closed(entry)?,
            _ => {}
        }
        Ok(())
    }

    fn closed(&mut self, entry: &Entry<'_>) -> Result<(), &'static str> {
        let Entry { time: end, seconds, bytes, packets, .. } = *entry;
        if seconds > LONGEST {
            return Err("a relay of more than ten years");
        }
        let relay = self.relay(entry.edge, entry.stream);
        relay.last.1 = relay.last.1.max(entry.moment);
        let (time, sent) = relay.closed;
        relay.closed = (time.saturating_add(seconds), sent.saturating_add(bytes));
        let counts = Totals { relays: 1, refusals: entry.refusals, ..Totals::default() };
        let share = Share {
            stream: entry.stream,
            client: b"",
            span: (end.saturating_sub(seconds), end),
            moment: end,
            counts,
            flows: [packets, bytes, entry.watched],
            sums: |relayed, [packets, sent, reported]| Totals {
                relayed,
                packets,
                sent,
                reported,
                ..Totals::default()
            },
        };
        self.add(entry.edge, &share);
        if self.filter.has(end) {
            count(&mut self.edge(entry.edge).reasons, entry.reason, 1);
        }
        Ok(())
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
        let counts = Totals { sessions: 1 - failed, failed, ..Totals::default() };
        let share = Share {
            stream,
            client: session.client,
            span: if failed == 1 { (begin, begin) } else { (begin, end) },
            moment: begin,
            counts,
            flows: [bytes, 0, 0],
            sums: |watched, [served, ..]| Totals { watched, served, ..Totals::default() },
        };
        self.add(key, &share);
        let counted = self.filter.has(begin) && !session.status.is_empty();
        let edge = self.edge(key);
        if edge.alias.is_empty() && !name.is_empty() {
            edge.alias = name.into();
        }
        if counted {
            count(&mut edge.statuses, session.status, 1);
        }
    }

    fn add(&mut self, edge: &[u8], share: &Share<'_>) {
        let place = self.place(edge);
        let Self { edges, filter, rooms, networks, .. } = self;
        edges[place].1.add(share, filter, rooms, networks);
    }

    fn edge(&mut self, name: &[u8]) -> &mut Edge {
        let place = self.place(name);
        &mut self.edges[place].1
    }

    fn relay(&mut self, edge: &[u8], stream: &[u8]) -> &mut crate::edge::Relay {
        let place = self.place(edge);
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
