//! Several threads read one log: each takes a chunk and finds out what its lines say, and in its
//! turn adds that to the sums.
//!
//! So the sums are added up in the order of the lines, whoever read them and wherever the log was
//! cut. Which columns a chunk begins with is known for certain in its turn only: until then those
//! are taken for right that were the last to be known, and if they were not, the chunk is read
//! again. That is rare, since headers are.

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::batch::Batch;
use crate::chunk::{Chunk, Chunks, LONGEST_LINE};
use crate::columns::Columns;

/// How a log is read; it makes no difference to what is found in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) threads: NonZeroUsize,
    /// How many bytes are read at a time.
    pub(crate) step: usize,
}

/// Sums are added up by one thread at a time, so that more than these would only wait.
const MOST_THREADS: usize = 4;

impl Default for Pace {
    /// As fast as this machine can. What is read at a time stays in the cache of the processor that
    /// reads it.
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = NonZeroUsize::new(threads.min(MOST_THREADS)).unwrap_or(NonZeroUsize::MIN);
        Self { threads, step: 1 << 18 }
    }
}

/// Hands over what a log says, in the order of its lines.
///
/// # Errors
/// What reading fails with, after all that stands before that was handed over.
pub(crate) fn read(
    input: impl Read + Send,
    pace: Pace,
    add: impl FnMut(&Batch<'_>) + Send,
) -> io::Result<()> {
    let chunks = Mutex::new(Chunks::of(input, pace.step));
    let turns = Turns {
        state: Mutex::new(State { next: 0, columns: Columns::default(), add }),
        changed: Condvar::new(),
    };
    thread::scope(|scope| {
        let others: Vec<_> =
            (1..pace.threads.get()).map(|_| scope.spawn(|| work(&chunks, &turns))).collect();
        let mut outcome = work(&chunks, &turns);
        for other in others {
            match other.join() {
                Ok(other) => outcome = outcome.and(other),
                Err(panicked) => std::panic::resume_unwind(panicked),
            }
        }
        outcome
    })
}

/// Whose turn it is.
struct Turns<F> {
    state: Mutex<State<F>>,
    changed: Condvar,
}

struct State<F> {
    /// The number of the chunk whose turn it is.
    next: u64,
    /// Those of the last header before it.
    columns: Columns,
    add: F,
}

/// Reads chunks until there are no more.
fn work<R: Read, F: FnMut(&Batch<'_>)>(
    chunks: &Mutex<Chunks<R>>,
    turns: &Turns<F>,
) -> io::Result<()> {
    let mut buffer = vec![0; LONGEST_LINE];
    loop {
        let Some(chunk) = lock(chunks).read(&mut buffer)? else { return Ok(()) };
        turns.take(&chunk);
    }
}

impl<F: FnMut(&Batch<'_>)> Turns<F> {
    fn take(&self, chunk: &Chunk<'_>) {
        let _gone = Gone(self);
        let before = lock(&self.state).columns.clone();
        let mut columns = before.clone();
        let mut batch = Batch::read(chunk, &mut columns);
        let state = lock(&self.state);
        let state = self.changed.wait_while(state, |state| state.next < chunk.number);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.columns != before {
            columns = state.columns.clone();
            batch = Batch::read(chunk, &mut columns);
        }
        (state.add)(&batch);
        state.columns = columns;
        state.next = state.next.saturating_add(1);
        drop(state);
        self.changed.notify_all();
    }
}

/// Nobody waits for a thread that panicked. What is added up then is not looked at any more.
struct Gone<'a, F>(&'a Turns<F>);

impl<F> Drop for Gone<'_, F> {
    fn drop(&mut self) {
        if thread::panicking() {
            lock(&self.0.state).next = u64::MAX;
            self.0.changed.notify_all();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
