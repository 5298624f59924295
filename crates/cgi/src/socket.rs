//! The daemon behind its socket.

use std::path::Path;
use std::time::Duration;

use control::{Client, ClientError, Request};
use serde::de::DeserializeOwned;

/// Where the daemon is, and how long it may take. Nothing is opened before something is asked.
#[derive(Clone, Copy, Debug)]
pub struct Socket<'a> {
    path: &'a Path,
    patience: Duration,
}

impl<'a> Socket<'a> {
    /// The socket at `path`. Each answer comes within `patience`, connecting included, or not at all.
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
