//! The daemon, as far as its state is looked at.

use std::time::Duration;

use cgi::Socket;
use control::{ClientError, Pong, RelayList, RelayShow, Request, StreamStatus};

/// How long the daemon may take for each answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(4);

/// All there is to see.
#[derive(Clone, Debug)]
pub(crate) struct Overview {
    pub(crate) daemon: Pong,
    /// The relays, the recently closed included, with their rates.
    pub(crate) relays: RelayList,
    pub(crate) streams: Vec<StreamStatus>,
}

/// Who can be asked what is relayed.
pub(crate) trait Daemon {
    /// Everything, in short.
    fn overview(&mut self) -> Result<Overview, ClientError>;
    /// Every relay, the recently closed included.
    fn relays(&mut self) -> Result<RelayList, ClientError>;
    /// One relay, and those of the same name that closed recently.
    fn show(&mut self, stream: &str, edge: &str) -> Result<RelayShow, ClientError>;
}

impl Daemon for Socket<'_> {
    fn overview(&mut self) -> Result<Overview, ClientError> {
        let mut client = self.connect()?;
        Ok(Overview {
            daemon: client.ask(&Request::Ping)?,
            relays: client.ask(&Request::List { all: true, rates: true })?,
            streams: client.ask::<control::StreamList>(&Request::Streams { listen: true })?.streams,
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
