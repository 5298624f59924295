//! A blocking client.

use std::io::{self, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use model::{Timed, left, timed_out};
use serde::de::DeserializeOwned;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::{LineError, MAX_ANSWER, Refused, Reply, Request, read_line};

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    lines: BufReader<Timed<UnixStream>>,
    patience: Option<Duration>,
    /// No question was asked yet: the time for connecting counts for the first answer.
    fresh: bool,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon listens there, or this user may not open the socket.
    #[error("dynrelayd can't be reached at {}: {source}", path.display())]
    Unreachable {
        /// The socket's path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The daemon did not answer in time, or hung up.
    #[error("dynrelayd did not answer: {0}")]
    NoAnswer(#[from] LineError),
    /// The answer does not follow the protocol.
    #[error("dynrelayd's answer can't be read: {0}")]
    Garbled(#[from] serde_json::Error),
    /// The daemon answered with an error.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        Self::NoAnswer(LineError::Io(error))
    }
}

impl Client {
    /// Connects to the socket at `path`. Each answer must come within `patience`, however slowly
    /// the daemon reads or writes. For the first answer, this includes the time for connecting.
    pub fn connect(path: &Path, patience: Option<Duration>) -> Result<Self, ClientError> {
        let deadline = from_now(patience);
        let stream = open(path, deadline)
            .map_err(|source| ClientError::Unreachable { path: path.to_owned(), source })?;
        Ok(Self { lines: BufReader::new(Timed { stream, deadline }), patience, fresh: true })
    }

    /// Sends a request and waits for the answer.
    pub fn ask<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T, ClientError> {
        if !std::mem::take(&mut self.fresh) {
            self.renew();
        }
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        let written = self.lines.get_mut().write_all(&line);
        // A daemon that turns callers away says why before the first request, and hangs up.
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            return Err(error.into());
        }
        match self.read()? {
            Some(Reply::Ok(answer)) => Ok(answer),
            Some(Reply::Error(refused)) => Err(refused.into()),
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    }

    /// Changes the time that later calls may take; `None` sets no limit.
    pub fn set_patience(&mut self, patience: Option<Duration>) {
        self.patience = patience;
    }

    /// Reads the next line from the daemon; `None` if it hangs up. Use this after the answer to
    /// [`Request::Events`].
    pub fn receive<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ClientError> {
        self.renew();
        self.read()
    }

    fn renew(&mut self) {
        self.lines.get_mut().deadline = from_now(self.patience);
    }

    fn read<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ClientError> {
        match read_line(&mut self.lines, MAX_ANSWER)? {
            Some(line) => Ok(Some(serde_json::from_str(&line)?)),
            None => Ok(None),
        }
    }
}

/// Connects. If the listener's backlog is full, `connect` waits for the socket's send timeout. The
/// standard library cannot set that beforehand.
fn open(path: &Path, deadline: Option<Instant>) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_write_timeout(left(deadline)?)?;
    socket.connect(&SockAddr::unix(path)?).map_err(timed_out)?;
    Ok(socket.into())
}

/// `None` sets no limit, and neither does a time beyond the clock's range.
fn from_now(patience: Option<Duration>) -> Option<Instant> {
    Instant::now().checked_add(patience?)
}
