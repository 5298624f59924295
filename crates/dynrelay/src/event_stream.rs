//! The daemon's events, followed across its restarts.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use control::{Client, ClientError, Pong, Request};
use serde_json::value::RawValue;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it is waited before a daemon that is gone is called again.
const RETRY: Duration = Duration::from_millis(500);

/// What is told of the daemon.
#[derive(Debug)]
pub(crate) enum Told {
    /// It is there: no event that comes from now on is missed.
    There(Pong),
    /// A relay came into a state; the line is as the daemon wrote it.
    Event(Box<RawValue>),
    /// It is gone, and is called until it is back.
    Gone,
}

/// Takes what is told; false if nobody listens any more.
pub(crate) type Listener = Box<dyn FnMut(Told) -> bool + Send>;

/// Follows the daemon behind this socket on a thread of its own. An error is that it isn't there now,
/// or refuses; later it may come and go.
pub(crate) fn follow(socket: PathBuf, mut tell: Listener) -> Result<(), ClientError> {
    let (mut client, daemon) = subscribe(&socket)?;
    thread::spawn(move || {
        let mut heard = tell(Told::There(daemon));
        while heard {
            // It may hang up, or send what is no line: either way this connection is over then.
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
