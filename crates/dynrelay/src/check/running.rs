//! What the daemon says, if one runs.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use control::{Client, ClientError, Pong, RelayDetail, RelayList, RelayShow, Request};

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of more streams than this, those that are relayed are not all looked at flow by flow.
const MOST_STREAMS: usize = 256;

/// A daemon that answers.
#[derive(Debug)]
pub(super) struct Running {
    /// Who it is.
    pub(super) pong: Pong,
    /// Its relays, those that closed lately too.
    pub(super) relays: Vec<RelayDetail>,
}

/// Asks the daemon behind a socket.
pub(super) fn ask(socket: &Path) -> Result<Running, ClientError> {
    let mut daemon = Client::connect(socket, Some(PATIENCE))?;
    let pong = daemon.ask(&Request::Ping)?;
    let RelayList { relays, .. } = daemon.ask(&Request::List { all: true, rates: false })?;
    let streams: BTreeSet<String> = relays.into_iter().map(|relay| relay.stream).collect();
    let mut running = Running { pong, relays: Vec::new() };
    for stream in streams.into_iter().take(MOST_STREAMS) {
        let RelayShow { relays, .. } = daemon.ask(&Request::Show { stream, edge: None })?;
        running.relays.extend(relays);
    }
    Ok(running)
}

impl Running {
    /// The relays that are not closed.
    pub(super) fn open(&self) -> impl Iterator<Item = &RelayDetail> {
        self.relays.iter().filter(|detail| detail.relay.state != model::State::Closed)
    }
}
