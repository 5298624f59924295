//! A stream whose reads and writes all end at one deadline.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A stream with time limits for its system calls.
pub trait Stream: Read + Write {
    /// Sets the time that a read may take.
    fn read_within(&self, timeout: Option<Duration>) -> io::Result<()>;
    /// Sets the time that a write may take.
    fn write_within(&self, timeout: Option<Duration>) -> io::Result<()>;
}

macro_rules! stream {
    ($($kind:ty),*) => {$(
        impl Stream for $kind {
            fn read_within(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_read_timeout(timeout)
            }

            fn write_within(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_write_timeout(timeout)
            }
        }
    )*};
}

stream!(TcpStream, UnixStream);

/// A stream with a deadline. However slowly the other end reads or writes, each call fails with
/// [`io::ErrorKind::TimedOut`] once the deadline is over.
#[derive(Debug)]
pub struct Timed<S> {
    /// The stream itself, which blocks.
    pub stream: S,
    /// The deadline; `None`: there is none.
    pub deadline: Option<Instant>,
}

impl<S: Stream> Read for Timed<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.read_within(left(self.deadline)?)?;
        self.stream.read(into).map_err(timed_out)
    }
}

impl<S: Stream> Write for Timed<S> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.stream.write_within(left(self.deadline)?)?;
        self.stream.write(from).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The time until `deadline`, at least a microsecond: to the system, 0 sets no limit. Fails once the
/// deadline is over; `None`: there is none.
pub fn left(deadline: Option<Instant>) -> io::Result<Option<Duration>> {
    let Some(deadline) = deadline else { return Ok(None) };
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(Some(left.max(Duration::from_micros(1)))),
    }
}

/// The error of a stream, with "would block" as the time-out that it is.
pub fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}
