//! Follows the daemon's events across its restarts.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use control::{Client, ClientError, Pong, Request};
use serde_json::value::RawValue;

/// The time that an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause before the next attempt to reach a lost daemon.
const RETRY: Duration = Duration::from_millis(500);

/// An event, or a change of the connection.
#[derive(Debug)]
pub(crate) enum Told {
    /// The daemon answers. Every event from now on will arrive.
    There(Pong),
    /// A relay has changed its state. The line is the daemon's own.
    Event(Box<RawValue>),
    /// The connection is lost. Attempts go on until the daemon is back.
    Gone,
}

/// Receives the news; false ends it.
pub(crate) type Listener = Box<dyn FnMut(Told) -> bool + Send>;

/// Follows the daemon at this socket, on a thread of its own. Fails if the daemon is not there now,
/// or refuses. Later it may come and go.
pub(crate) fn follow(socket: PathBuf, mut tell: Listener) -> Result<(), ClientError> {
    let (mut client, daemon) = subscribe(&socket)?;
    thread::spawn(move || {
        let mut heard = tell(Told::There(daemon));
        while heard {
            // A hang-up and an invalid line both end this connection.
            if let Ok(Some(event)) = client.receive() {
                heard = tell(Told::Event(event));
            } else {
                heard = tell(Told::Gone);
                let (again, daemon) = call_until_there(&socket);
                client = again;
                heard = heard && tell(Told::There(daemon));
            }
        }
    });
    Ok(())
}

fn call_until_there(socket: &Path) -> (Client, Pong) {
    loop {
        thread::sleep(RETRY);
        if let Ok(there) = subscribe(socket) {
            return there;
        }
    }
}

fn subscribe(socket: &Path) -> Result<(Client, Pong), ClientError> {
    let mut client = Client::connect(socket, Some(PATIENCE))?;
    let daemon = client.ask(&Request::Events)?;
    client.set_patience(None);
    Ok((client, daemon))
}
