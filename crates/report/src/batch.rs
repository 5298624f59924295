//! Reads the lines of a chunk. This needs no other chunk, except for the columns before it.

use std::ops::AddAssign;

use serde::Serialize;

use crate::access_log::{Columns, Event, Line, Session};
use crate::chunk::Chunk;
use crate::daemon_log::Entry;

/// How many broken lines of a log a report names.
pub(crate) const NAMED_BROKEN: usize = 5;

/// How many lines of which kind there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lines {
    /// All lines.
    pub read: u64,
    /// Entries of dynrelayd.
    pub entries: u64,
    /// Sessions of servers.
    pub sessions: u64,
    /// Headers, empty lines, entries of other programs.
    pub others: u64,
    /// Lines that could not be read.
    pub broken: u64,
}

impl AddAssign for Lines {
    fn add_assign(&mut self, other: Self) {
        let Self { read, entries, sessions, others, broken } = other;
        self.read += read;
        self.entries += entries;
        self.sessions += sessions;
        self.others += others;
        self.broken += broken;
    }
}

/// The content of successive lines.
#[derive(Debug, Default)]
pub(crate) struct Batch<'a> {
    pub(crate) lines: Lines,
    /// The first broken lines: their number, counted from 1, and what is wrong.
    pub(crate) broken: Vec<(u64, &'static str)>,
    /// The first and the last time in dynrelayd's log.
    pub(crate) period: Option<(u64, u64)>,
    /// In the order of the lines.
    pub(crate) records: Vec<Record<'a>>,
}

/// A line that adds to the sums.
#[derive(Debug)]
pub(crate) enum Record<'a> {
    Entry(Entry<'a>),
    Session(Session<'a>),
    /// It counts as one of the others, until it completes a session.
    Event(Event<'a>),
}

impl<'a> Batch<'a> {
    /// Reads a chunk. `columns` are those of the last header before it, and afterwards of its own last
    /// header.
    pub(crate) fn read(chunk: &Chunk<'a>, columns: &mut Columns) -> Self {
        let mut batch = Self::default();
        for line in chunk.lines() {
            batch.lines.read += 1;
            batch.take(line, columns).unwrap_or_else(|why| batch.add_broken(why));
        }
        if chunk.is_before_too_long {
            batch.lines.read += 1;
            batch.add_broken("longer than any line");
        }
        batch
    }

    #[inline]
    fn take(&mut self, line: &'a [u8], columns: &mut Columns) -> Result<(), &'static str> {
        match line.first() {
            Some(b'{') => match Entry::read(line)? {
                Some(entry) => {
                    self.lines.entries += 1;
                    let (first, last) = self.period.unwrap_or((entry.time(), entry.time()));
                    self.period = Some((first.min(entry.time()), last.max(entry.time())));
                    if entry.event.is_some() {
                        self.records.push(Record::Entry(entry));
                    }
                }
                None => self.lines.others += 1,
            },
            None => self.lines.others += 1,
            Some(b'#') => {
                columns.learn(line)?;
                self.lines.others += 1;
            }
            Some(_) => {
                let record = match columns.line(line)? {
                    Line::Session(session) => {
                        self.lines.sessions += 1;
                        Some(Record::Session(session))
                    }
                    Line::Event(event) => {
                        self.lines.others += 1;
                        Some(Record::Event(event))
                    }
                    Line::Other => {
                        self.lines.others += 1;
                        None
                    }
                };
                self.records.extend(record);
            }
        }
        Ok(())
    }

    #[cold]
    fn add_broken(&mut self, why: &'static str) {
        self.lines.broken += 1;
        if self.broken.len() < NAMED_BROKEN {
            self.broken.push((self.lines.read, why));
        }
    }
}
