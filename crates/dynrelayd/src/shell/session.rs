//! One caller's connection: lines in, lines out.

use std::io::{self, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use control::{ErrorCode, LineError, MAX_REQUEST, Refused, Reply, Request, read_line};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use scan::Listening;

use crate::core::input::{Asked, Input, Post};
use crate::shell::clients::Seat;

/// How long a caller may take to send a line, and to read one.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many lines of `events` may wait for a caller who doesn't read.
const FEED: usize = 1024;
/// How often a silent feed, or a scan, looks whether its reader is still there.
const GLANCE: Duration = Duration::from_secs(1);

/// A connection being served.
#[derive(Debug)]
pub(crate) struct Session {
    lines: BufReader<Unhurried>,
    seat: Seat,
    post: Post,
}

impl Session {
    /// A session with whoever has this seat; its requests go to `post`.
    pub(crate) fn new(stream: UnixStream, seat: Seat, post: Post) -> Self {
        let patient = Unhurried { stream, deadline: Instant::now() + PATIENCE };
        Self { lines: BufReader::new(patient), seat, post }
    }

    /// Serves requests until the caller hangs up, is too slow, or sends what is no line.
    pub(crate) fn serve(mut self) -> io::Result<()> {
        loop {
            self.lines.get_mut().deadline = Instant::now() + PATIENCE;
            let line = match read_line(&mut self.lines, MAX_REQUEST) {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(()),
                Err(LineError::Io(error)) => return Err(error),
                Err(error) => return self.say(&refusal(ErrorCode::BadRequest, error.to_string())),
            };
            let answer = match self.admissible(&line) {
                Ok(Request::Events) => return self.feed(),
                Ok(Request::Scan { streams, millis, quick }) => {
                    match self.listen(streams, Duration::from_millis(millis), quick)? {
                        Some(line) => line,
                        None => return Ok(()),
                    }
                }
                Ok(request) => self.ask(request),
                Err(refused) => line_of(&Reply::<()>::Error(refused)),
            };
            self.seat.charge(&answer);
            self.say(&answer)?;
        }
    }

    /// Reads a request, and refuses what this user may not do, or not so often.
    fn admissible(&self, line: &str) -> Result<Request, Refused> {
        let request = Request::parse(line)
            .map_err(|error| Refused::new(ErrorCode::BadRequest, error.to_string()))?;
        self.seat.peer().may(&request)?;
        self.seat.admit(&request, Instant::now())?;
        Ok(request)
    }

    /// Has the supervisor answer.
    fn ask(&self, request: Request) -> String {
        let (reply, answer) = mpsc::channel();
        let asked = Input::Asked(Asked { request, reply });
        match self.post.send(asked).ok().and_then(|()| answer.recv().ok()) {
            Some(line) => line,
            None => refusal(ErrorCode::Internal, "dynrelayd is stopping"),
        }
    }

    /// Listens to these streams for so long, and gives what was heard as a line; none if the caller
    /// has hung up meanwhile.
    fn listen(
        &self,
        streams: Vec<String>,
        time: Duration,
        quick: bool,
    ) -> io::Result<Option<String>> {
        let (to, opened) = mpsc::sync_channel(1);
        let asked = self.post.send(Input::Audition { streams, quick, to });
        let mut audition = match asked.ok().and_then(|()| opened.recv().ok()) {
            Some(Ok(audition)) => audition,
            Some(Err(refused)) => return Ok(Some(line_of(&Reply::<()>::Error(refused)))),
            None => return Ok(Some(refusal(ErrorCode::Internal, "dynrelayd is stopping"))),
        };
        let began = Instant::now();
        loop {
            let left = time.saturating_sub(began.elapsed());
            if left.is_zero() || audition.listen(left.min(GLANCE)) == Listening::Over {
                return Ok(Some(line_of(&Reply::Ok(audition.answer()))));
            }
            if self.hung_up()? {
                return Ok(None);
            }
        }
    }

    /// Says who answers, and sends a line for each change of state from then on, until the
    /// caller hangs up or doesn't keep up.
    fn feed(mut self) -> io::Result<()> {
        let (watcher, feed) = mpsc::sync_channel(FEED);
        if self.post.send(Input::Watch(watcher)).is_err() {
            return Ok(());
        }
        loop {
            match feed.recv_timeout(GLANCE) {
                Ok(line) => self.say(&line)?,
                Err(RecvTimeoutError::Timeout) if self.hung_up()? => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn hung_up(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(self.stream().as_fd(), PollFlags::empty())];
        Ok(poll(&mut fds, PollTimeout::ZERO)? > 0)
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        let stream = self.lines.get_mut();
        stream.deadline = Instant::now() + PATIENCE;
        stream.write_all(format!("{line}\n").as_bytes())
    }

    fn stream(&self) -> &UnixStream {
        &self.lines.get_ref().stream
    }
}

/// A reply as one line.
pub(crate) fn line_of<T: serde::Serialize>(reply: &Reply<T>) -> String {
    serde_json::to_string(reply).unwrap_or_else(|error| {
        refusal(ErrorCode::Internal, format!("the answer can't be written: {error}"))
    })
}

/// A refusal as one line.
fn refusal(code: ErrorCode, message: impl Into<String>) -> String {
    line_of(&Reply::<()>::Error(Refused::new(code, message)))
}

/// A stream that may take its time, but only until the deadline: a byte a second is no way to hold
/// a place.
#[derive(Debug)]
struct Unhurried {
    stream: UnixStream,
    deadline: Instant,
}

impl Unhurried {
    fn left(&self) -> io::Result<Duration> {
        match self.deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            left => Ok(left),
        }
    }
}

impl Read for Unhurried {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buffer)
    }
}

impl Write for Unhurried {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
