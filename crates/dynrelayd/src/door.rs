//! Lets callers in, so many at a time.

use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use control::{ErrorCode, Refused, Reply};
use tracing::{debug, warn};

use crate::guests::Guests;
use crate::inbox::Post;
use crate::rights::Peer;
use crate::session::Session;

/// Accepts connections on a thread of its own, and serves each on one of its own.
pub(crate) fn open(listener: UnixListener, guests: Arc<Guests>, post: Post) -> io::Result<()> {
    thread::Builder::new().name("door".into()).spawn(move || {
        loop {
            match listener.accept() {
                Ok((stream, _)) => admit(stream, &guests, &post),
                Err(error) => {
                    // Out of descriptors or memory: those inside go on, and some will leave.
                    warn!(%error, "can't let a caller in");
                    thread::sleep(Duration::from_millis(100));
                }
            }
        }
    })?;
    Ok(())
}

fn admit(stream: UnixStream, guests: &Arc<Guests>, post: &Post) {
    let peer = match Peer::of(&stream) {
        Ok(peer) => peer,
        Err(error) => return warn!(%error, "can't tell who calls"),
    };
    let Some(seat) = guests.seat(peer, Instant::now()) else {
        debug!(uid = peer.uid, "too many connections");
        return turn_away(stream);
    };
    let post = post.clone();
    let serving = thread::Builder::new().name("session".into()).spawn(move || {
        if let Err(error) = Session::new(stream, seat, post).serve() {
            debug!(uid = peer.uid, %error, "a session ended");
        }
    });
    if let Err(error) = serving {
        warn!(%error, "can't serve a caller");
    }
}

/// Says why, if the caller's buffer takes it at once.
fn turn_away(mut stream: UnixStream) {
    let refused = Refused::new(ErrorCode::Limit, "too many connections: try again in a moment");
    if let Ok(mut line) = serde_json::to_vec(&Reply::<()>::Error(refused)) {
        line.push(b'\n');
        if stream.set_nonblocking(true).is_ok() {
            // Who doesn't take it will see the connection closed.
            let _ = stream.write_all(&line);
        }
    }
}
