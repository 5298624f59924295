//! What the lines of a chunk say, as far as that can be told without those before them.

use crate::chunk::Chunk;
use crate::columns::{Columns, Session};
use crate::entry::Entry;
use crate::report::Lines;
use crate::time::Calendar;

/// So many broken lines of a log are told of.
pub(crate) const TOLD: usize = 5;

/// What lines say.
#[derive(Debug, Default)]
pub(crate) struct Batch<'a> {
    pub(crate) lines: Lines,
    /// The first that are broken: their number, counted from 1, and what is wrong.
    pub(crate) told: Vec<(u64, &'static str)>,
    /// The first and the last time that dynrelayd logged anything.
    pub(crate) period: Option<(u64, u64)>,
    /// In the order of the lines.
    pub(crate) records: Vec<Record<'a>>,
}

/// What a line adds to the sums.
#[derive(Debug)]
pub(crate) enum Record<'a> {
    Entry(Entry<'a>),
    Session(Session<'a>),
}

impl<'a> Batch<'a> {
    /// Reads a chunk. `columns` are those of the header before it, and then of its last one.
    pub(crate) fn read(chunk: &Chunk<'a>, columns: &mut Columns) -> Self {
        let mut batch = Self::default();
        let mut calendar = Calendar::default();
        for line in chunk.lines() {
            batch.lines.read += 1;
            batch.take(line, columns, &mut calendar).unwrap_or_else(|why| batch.breaks(why));
        }
        if chunk.is_before_too_long {
            batch.lines.read += 1;
            batch.breaks("longer than any line");
        }
        batch
    }

    #[inline]
    fn take(
        &mut self,
        line: &'a [u8],
        columns: &mut Columns,
        calendar: &mut Calendar,
    ) -> Result<(), &'static str> {
        match line.first() {
            Some(b'{') => match Entry::read(line, calendar)? {
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
                self.records.push(Record::Session(columns.session(line, calendar)?));
                self.lines.sessions += 1;
            }
        }
        Ok(())
    }

    #[cold]
    fn breaks(&mut self, why: &'static str) {
        self.lines.broken += 1;
        if self.told.len() < TOLD {
            self.told.push((self.lines.read, why));
        }
    }
}
