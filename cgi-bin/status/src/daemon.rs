//! The questions of status.cgi to the daemon.

use std::time::Duration;

use cgi::Socket;
use control::{ClientError, Pong, RelayList, RelayShow, Request, StreamStatus};

/// The time that each answer of the daemon may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(4);

/// Everything that the first page shows.
#[derive(Clone, Debug)]
pub(crate) struct Overview {
    pub(crate) daemon: Pong,
    /// The relays, with the recently closed ones and their rates.
    pub(crate) relays: RelayList,
    pub(crate) streams: Vec<StreamStatus>,
}

/// A daemon that status.cgi can ask.
pub(crate) trait Daemon {
    /// The state of everything.
    fn overview(&mut self) -> Result<Overview, ClientError>;
    /// All relays, with the recently closed ones.
    fn relays(&mut self) -> Result<RelayList, ClientError>;
    /// One relay, and recently closed ones with the same name.
    fn show(&mut self, stream: &str, edge: &str) -> Result<RelayShow, ClientError>;
}

impl Daemon for Socket<'_> {
    fn overview(&mut self) -> Result<Overview, ClientError> {
        let mut client = self.connect()?;
        Ok(Overview {
            daemon: client.ask(&Request::Ping)?,
            relays: client.ask(&Request::List { all: true, rates: true })?,
            streams: client.ask::<control::StreamList>(&Request::streams(true))?.streams,
        })
    }

    fn relays(&mut self) -> Result<RelayList, ClientError> {
        self.ask(&Request::List { all: true, rates: false })
    }

    fn show(&mut self, stream: &str, edge: &str) -> Result<RelayShow, ClientError> {
        let (stream, edge) = (stream.to_owned(), Some(edge.to_owned()));
        self.ask(&Request::Show { stream, edge })
    }
}
