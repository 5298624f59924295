//! Serves one caller's connection, line by line.

use std::io::{self, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use control::{ErrorCode, LineError, MAX_REQUEST, Refused, Reply, Request, read_line};
use model::Timed;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use scan::Listening;
use serde::Serialize;

use super::clients::{Budget, Connection};
use super::message::{Message, ReplyTo};
use crate::core::Answer;

/// The time that a caller may take to send a line, and to read one.
const PATIENCE: Duration = Duration::from_secs(10);
/// The number of events that may wait for a caller who does not read.
const QUEUE: usize = 1024;
/// The time between two checks whether the caller is still there, in a session that only sends.
const LOOK: Duration = Duration::from_secs(1);

/// A connection that is served.
#[derive(Debug)]
pub(crate) struct Session {
    lines: BufReader<Timed<UnixStream>>,
    connection: Connection,
    sender: Sender<Message>,
}

impl Session {
    /// A session on this connection. Its requests go to `sender`.
    pub(crate) fn new(stream: UnixStream, connection: Connection, sender: Sender<Message>) -> Self {
        let timed = Timed { stream, deadline: Some(Instant::now() + PATIENCE) };
        Self { lines: BufReader::new(timed), connection, sender }
    }

    /// Serves requests until the caller hangs up, is too slow, or sends an invalid line.
    pub(crate) fn serve(mut self) -> io::Result<()> {
        loop {
            self.lines.get_mut().deadline = Some(Instant::now() + PATIENCE);
            let request = match read_line(&mut self.lines, MAX_REQUEST) {
                Ok(Some(line)) => self.admissible(&line),
                Ok(None) => return Ok(()),
                Err(LineError::Io(error)) => return Err(error),
                Err(error) => {
                    let refused = Refused::new(ErrorCode::BadRequest, error.to_string());
                    return self.say(&line(&Answer::Refused(refused)));
                }
            };
            let budget = request.as_ref().map_or(Budget::Looks, Budget::of);
            let answer = match request {
                Ok(Request::Events) => return self.follow(),
                Ok(request @ Request::Scan { .. }) => match self.scan(request)? {
                    Some(line) => line,
                    None => return Ok(()),
                },
                Ok(request) => {
                    let (reply, answer) = mpsc::channel();
                    line(
                        &self
                            .ask(request, ReplyTo::Request(reply), &answer)
                            .unwrap_or_else(stopping),
                    )
                }
                Err(refused) => line(&Answer::Refused(refused)),
            };
            self.connection.charge(budget, &answer);
            self.say(&answer)?;
        }
    }

    /// Reads a request. Refuses it if this user may not make it, or not so often.
    fn admissible(&self, line: &str) -> Result<Request, Refused> {
        let request = Request::parse(line)
            .map_err(|error| Refused::new(ErrorCode::BadRequest, error.to_string()))?;
        self.connection.peer().may(&request)?;
        self.connection.admit(Budget::of(&request), Instant::now())?;
        Ok(request)
    }

    /// Passes the request to the main thread and waits for the answer; none if the daemon stops.
    fn ask<T>(&self, request: Request, reply: ReplyTo, answer: &mpsc::Receiver<T>) -> Option<T> {
        self.sender.send(Message::Request { request, reply }).ok()?;
        answer.recv().ok()
    }

    /// Listens to streams. Returns the results as a line; none if the caller hangs up meanwhile.
    fn scan(&self, request: Request) -> io::Result<Option<String>> {
        let time = match &request {
            Request::Scan { millis, .. } => Duration::from_millis(*millis),
            _ => Duration::ZERO,
        };
        let (reply, answer) = mpsc::channel();
        let answer = self.ask(request, ReplyTo::Scan(reply), &answer);
        let mut scan = match answer.unwrap_or_else(|| Err(Box::new(stopping()))) {
            Ok(scan) => scan,
            Err(refused) => return Ok(Some(line(&refused))),
        };
        let began = Instant::now();
        loop {
            let left = time.saturating_sub(began.elapsed());
            if left.is_zero() || scan.listen(left.min(LOOK)) == Listening::Over {
                return Ok(Some(line(&Reply::Ok(scan.answer()))));
            }
            if self.hung_up()? {
                return Ok(None);
            }
        }
    }

    /// Confirms the subscription, then sends a line for each change of a relay's state until the
    /// caller hangs up or is too slow.
    fn follow(mut self) -> io::Result<()> {
        let (reply, events) = mpsc::sync_channel(QUEUE);
        let request = Message::Request { request: Request::Events, reply: ReplyTo::Follow(reply) };
        if self.sender.send(request).is_err() {
            return Ok(());
        }
        loop {
            match events.recv_timeout(LOOK) {
                Ok(line) => self.say(&line)?,
                Err(RecvTimeoutError::Timeout) if self.hung_up()? => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn hung_up(&self) -> io::Result<bool> {
        let stream = &self.lines.get_ref().stream;
        let mut fds = [PollFd::new(stream.as_fd(), PollFlags::empty())];
        Ok(poll(&mut fds, PollTimeout::ZERO)? > 0)
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        let stream = self.lines.get_mut();
        stream.deadline = Some(Instant::now() + PATIENCE);
        stream.write_all(format!("{line}\n").as_bytes())
    }
}

/// An answer as one line.
pub(crate) fn line(answer: &impl Serialize) -> String {
    // This could fail only for a map with keys that are not strings.
    serde_json::to_string(answer).unwrap_or_default()
}

fn stopping() -> Answer {
    Answer::Refused(Refused::new(ErrorCode::Internal, "dynrelayd is stopping"))
}
