//! The blocking side that asks.

use std::io::{self, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::{LineError, Refused, Reply, Request, read_line};

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    lines: BufReader<UnixStream>,
}

/// Why a question got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon listens there, or the socket may not be opened.
    #[error("dynrelayd can't be reached at {}: {source}", path.display())]
    Unreachable {
        /// The socket's path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The daemon did not answer in time, or hung up.
    #[error("dynrelayd did not answer: {0}")]
    NoAnswer(#[from] LineError),
    /// The answer is not in the protocol.
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
    /// Connects to the socket at `path`. Each later read and write may take `patience` at most;
    /// connecting itself does not block, since a Unix socket's listener either has room or not.
    pub fn connect(path: &Path, patience: Option<Duration>) -> Result<Self, ClientError> {
        let unreachable = |source| ClientError::Unreachable { path: path.to_owned(), source };
        let stream = UnixStream::connect(path).map_err(unreachable)?;
        stream.set_read_timeout(patience).map_err(unreachable)?;
        stream.set_write_timeout(patience).map_err(unreachable)?;
        Ok(Self { lines: BufReader::new(stream) })
    }

    /// Asks, and waits for the answer.
    pub fn ask<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T, ClientError> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.lines.get_mut().write_all(&line)?;
        match self.receive()? {
            Some(Reply::Ok(answer)) => Ok(answer),
            Some(Reply::Error(refused)) => Err(refused.into()),
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    }

    /// The next line the daemon sends; `None` when it hangs up. For what follows `events`.
    pub fn receive<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ClientError> {
        match read_line(&mut self.lines)? {
            Some(line) => Ok(Some(serde_json::from_str(&line)?)),
            None => Ok(None),
        }
    }
}
