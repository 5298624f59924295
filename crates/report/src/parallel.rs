//! Reads one log with several threads. Each thread takes a chunk, reads its lines, waits for its turn,
//! and hands the content on.
//!
//! So content is handed on in the order of the lines, whatever the number of threads and the cuts.
//! The columns at the beginning of a chunk are certain only in its turn. Until then the thread assumes
//! the last known columns; if these were wrong, it reads the chunk again. That is rare, as headers
//! are.

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::access_log::Columns;
use crate::batch::Batch;
use crate::chunk::{Chunk, Chunks, MAX_LINE};

/// How a log is read. It makes no difference to the result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) threads: NonZeroUsize,
    /// How many bytes are read at a time.
    pub(crate) step: usize,
}

/// One thread adds to the sums at a time, so that more threads would only wait.
const MAX_THREADS: usize = 4;

impl Default for Reading {
    /// As fast as this machine can. A step fits into the cache of a processor.
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = NonZeroUsize::new(threads.min(MAX_THREADS)).unwrap_or(NonZeroUsize::MIN);
        Self { threads, step: 1 << 18 }
    }
}

/// Calls `add` with the content of a log, in the order of its lines.
///
/// # Errors
/// An error of `input`, after the content before it was handed on.
pub(crate) fn read(
    input: impl Read + Send,
    reading: Reading,
    add: impl FnMut(&Batch<'_>) + Send,
) -> io::Result<()> {
    let chunks = Mutex::new(Chunks::of(input, reading.step));
    let turns = Turns {
        state: Mutex::new(State { next: 0, columns: Columns::default(), add }),
        changed: Condvar::new(),
    };
    thread::scope(|scope| {
        let others: Vec<_> =
            (1..reading.threads.get()).map(|_| scope.spawn(|| work(&chunks, &turns))).collect();
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

/// Decides which thread has its turn.
struct Turns<F> {
    state: Mutex<State<F>>,
    changed: Condvar,
}

struct State<F> {
    /// The number of the chunk whose turn it is.
    next: u64,
    /// The columns of the last header before it.
    columns: Columns,
    add: F,
}

/// Reads chunks until there are no more.
fn work<R: Read, F: FnMut(&Batch<'_>)>(
    chunks: &Mutex<Chunks<R>>,
    turns: &Turns<F>,
) -> io::Result<()> {
    let mut buffer = vec![0; MAX_LINE];
    loop {
        let Some(chunk) = lock(chunks).read(&mut buffer)? else { return Ok(()) };
        turns.take(&chunk);
    }
}

impl<F: FnMut(&Batch<'_>)> Turns<F> {
    fn take(&self, chunk: &Chunk<'_>) {
        let _wake = WakeOnPanic(self);
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

/// Lets no thread wait for one that panicked. The sums are not used after that.
struct WakeOnPanic<'a, F>(&'a Turns<F>);

impl<F> Drop for WakeOnPanic<'_, F> {
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
mod tests {
    use super::*;

    #[test]
    fn a_panic_does_not_leave_threads_waiting() {
        let reading = Reading { threads: NonZeroUsize::new(3).unwrap(), step: 1 };
        let text = "a\n".repeat(99);
        let outcome = std::panic::catch_unwind(|| {
            read(text.as_bytes(), reading, |_| panic!("as this test wants"))
        });
        assert!(outcome.is_err());
    }
}
