//! What relay.cgi asks the daemon.

use std::net::IpAddr;
use std::time::Duration;

use cgi::Socket;
use control::{ClientError, Request, Started, StreamList};

/// The time that the daemon may take, with connecting. A viewer gets an answer within two seconds.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1900);

/// A daemon that relay.cgi can ask once.
pub(crate) trait Daemon {
    /// Relays a stream for the viewer at this address.
    fn start(&mut self, stream: &str, client: Option<IpAddr>) -> Result<Started, ClientError>;
    /// Lists the streams; with `listen`, says which of them are on air.
    fn streams(&mut self, listen: bool) -> Result<StreamList, ClientError>;
}

impl Daemon for Socket<'_> {
    fn start(&mut self, stream: &str, client: Option<IpAddr>) -> Result<Started, ClientError> {
        self.ask(&Request::Start { stream: stream.to_owned(), edge: None, client })
    }

    fn streams(&mut self, listen: bool) -> Result<StreamList, ClientError> {
        self.ask(&Request::Streams { listen })
    }
}
