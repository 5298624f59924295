//! The daemon, as far as a viewer's request needs it.

use std::net::IpAddr;
use std::time::Duration;

use cgi::Socket;
use control::{ClientError, Request, Started, StreamList};

/// How long the daemon may take, connecting included: a viewer has an answer within two seconds.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1900);

/// Who can be asked for streams, once.
pub(crate) trait Daemon {
    /// Have a stream relayed for the viewer at this address.
    fn start(&mut self, stream: &str, client: Option<IpAddr>) -> Result<Started, ClientError>;
    /// What streams there are; with `listen`, which of them are on air.
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
