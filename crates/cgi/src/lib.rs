//! What the CGI programs share (RFC 3875): the request in the environment, a response that reaches
//! the web server, pages and links, and a connection to the daemon.
//!
//! This crate uses the response types of the crate `cgi` on crates.io, but not its `handle`. That
//! panics on an environment that is not UTF-8, on an odd method or protocol, on a wrong
//! CONTENT_LENGTH, and if the web server has hung up. Its reader and writer cannot be called alone.

mod environment;
mod page;
mod response;

use std::path::Path;
use std::time::Duration;

use control::{Client, ClientError, Request};
use serde::de::DeserializeOwned;

pub use cgi_response::{Response, binary_response, http, text_response};
pub use environment::Environment;
pub use page::{Asset, Page, own_path, percent_decode, percent_encode};
pub use response::{guard, print, serve, set};

/// The daemon's socket. It is opened for each question.
#[derive(Clone, Copy, Debug)]
pub struct Socket<'a> {
    path: &'a Path,
    patience: Duration,
}

impl<'a> Socket<'a> {
    /// The socket at `path`. Each answer takes at most `patience`, connecting included, or fails.
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
