//! The daemon's control socket.

use std::path::Path;
use std::time::Duration;

use control::{Client, ClientError, Request};
use serde::de::DeserializeOwned;

/// The daemon's socket, and the time that an answer may take. It connects at the first question.
#[derive(Clone, Copy, Debug)]
pub struct Socket<'a> {
    path: &'a Path,
    patience: Duration,
}

impl<'a> Socket<'a> {
    /// The socket at `path`. Each answer must come within `patience`, with connecting.
    pub fn new(path: &'a Path, patience: Duration) -> Self {
        Self { path, patience }
    }

    /// A connection for several questions.
    pub fn connect(&self) -> Result<Client, ClientError> {
        Client::connect(self.path, Some(self.patience))
    }

    /// Asks one question.
    pub fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, ClientError> {
        self.connect()?.ask(request)
    }
}
