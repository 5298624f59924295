//! Accepts callers on the control socket.

use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use control::{ErrorCode, Refused};
use tracing::{debug, warn};

use super::clients::Clients;
use super::message::Message;
use super::permissions::Peer;
use super::session::{Session, line};
use crate::core::Answer;

/// The number of threads that wait for callers, so that a viewer's request needs no new thread.
const WAITING: usize = 4;

/// The socket where threads wait for callers. A thread serves the caller that it accepts, and then
/// waits again.
#[derive(Debug)]
struct Listener {
    socket: UnixListener,
    clients: Arc<Clients>,
    sender: Sender<Message>,
    /// How many threads wait for a caller.
    waiting: AtomicUsize,
}

/// Accepts and serves connections on threads of their own, for as long as the process lives.
pub(crate) fn open(
    socket: UnixListener,
    clients: Arc<Clients>,
    sender: Sender<Message>,
) -> io::Result<()> {
    Arc::new(Listener { socket, clients, sender, waiting: AtomicUsize::new(0) }).add_thread()
}

impl Listener {
    fn add_thread(self: Arc<Self>) -> io::Result<()> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let listener = Arc::clone(&self);
        let started = thread::Builder::new().name("listener".into()).spawn(move || listener.run());
        if started.is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        started.map(drop)
    }

    /// Accepts and serves callers, until enough other threads wait.
    fn run(self: Arc<Self>) {
        loop {
            let stream = match self.socket.accept() {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // There are no descriptors or no memory left. Some sessions will end soon.
                    warn!(%error, "can't accept a connection to the control socket");
                    thread::sleep(Duration::from_millis(100));
                    continue;
                }
            };
            if self.waiting.fetch_sub(1, Ordering::Relaxed) == 1
                && let Err(error) = Arc::clone(&self).add_thread()
            {
                // The last waiting thread must not serve a caller who may stay for long.
                warn!(%error, "can't serve a connection to the control socket");
                turn_away(stream, "dynrelayd has no thread left: try again in a moment");
            } else {
                self.serve(stream);
            }
            if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                return;
            }
        }
    }

    /// Serves a caller to the end, unless there are too many.
    fn serve(&self, stream: UnixStream) {
        let peer = match Peer::of(&stream) {
            Ok(peer) => peer,
            Err(error) => return warn!(%error, "can't tell who connected to the control socket"),
        };
        let Some(connection) = self.clients.connect(peer, Instant::now()) else {
            debug!(uid = peer.uid, "too many connections");
            return turn_away(stream, "too many connections: try again in a moment");
        };
        if let Err(error) = Session::new(stream, connection, self.sender.clone()).serve() {
            debug!(uid = peer.uid, %error, "a session ended");
        }
    }
}

/// Sends the caller the reason, unless that would block.
fn turn_away(mut stream: UnixStream, why: &str) {
    let refused = Refused::new(ErrorCode::Limit, why);
    let line = line(&Answer::Refused(refused)) + "\n";
    if stream.set_nonblocking(true).is_ok() {
        // A caller who cannot receive it sees that the connection is closed.
        let _ = stream.write_all(line.as_bytes());
    }
}
