//! Lets callers in, so many at a time.

use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use control::{ErrorCode, Refused, Reply};
use tracing::{debug, warn};

use crate::core::input::Post;
use crate::shell::clients::Guests;
use crate::shell::permissions::Peer;
use crate::shell::session::Session;

/// How many threads stay at the door when nobody calls: a viewer's request then costs no new one.
const WAITING: usize = 4;

/// Where threads wait for callers. Whichever lets one in serves it, and comes back.
#[derive(Debug)]
struct Door {
    listener: UnixListener,
    guests: Arc<Guests>,
    post: Post,
    /// How many threads are at the door, and not with a caller.
    waiting: AtomicUsize,
}

/// Accepts and serves connections on threads of their own, for as long as the process lives.
pub(crate) fn open(listener: UnixListener, guests: Arc<Guests>, post: Post) -> io::Result<()> {
    Arc::new(Door { listener, guests, post, waiting: AtomicUsize::new(0) }).staff()
}

impl Door {
    /// One thread more at the door.
    fn staff(self: Arc<Self>) -> io::Result<()> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let door = Arc::clone(&self);
        let started = thread::Builder::new().name("door".into()).spawn(move || door.attend());
        if started.is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        started.map(drop)
    }

    /// Lets callers in and serves them, until enough others do so.
    fn attend(self: Arc<Self>) {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors or memory: those inside go on, and some will leave.
                    warn!(%error, "can't accept a connection to the control socket");
                    thread::sleep(Duration::from_millis(100));
                    continue;
                }
            };
            if self.waiting.fetch_sub(1, Ordering::Relaxed) == 1
                && let Err(error) = Arc::clone(&self).staff()
            {
                // The last one at the door serves nobody who may stay for long.
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

    /// Serves a caller to the end, if there is a seat.
    fn serve(&self, stream: UnixStream) {
        let peer = match Peer::of(&stream) {
            Ok(peer) => peer,
            Err(error) => return warn!(%error, "can't tell who connected to the control socket"),
        };
        let Some(seat) = self.guests.seat(peer, Instant::now()) else {
            debug!(uid = peer.uid, "too many connections");
            return turn_away(stream, "too many connections: try again in a moment");
        };
        if let Err(error) = Session::new(stream, seat, self.post.clone()).serve() {
            debug!(uid = peer.uid, %error, "a session ended");
        }
    }
}

/// Says why, if the caller's buffer takes it at once.
fn turn_away(mut stream: UnixStream, why: &str) {
    let refused = Refused::new(ErrorCode::Limit, why);
    if let Ok(mut line) = serde_json::to_vec(&Reply::<()>::Error(refused)) {
        line.push(b'\n');
        if stream.set_nonblocking(true).is_ok() {
            // Who doesn't take it will see the connection closed.
            let _ = stream.write_all(&line);
        }
    }
}
