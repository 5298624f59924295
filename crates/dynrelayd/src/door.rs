//! Lets callers in, so many at a time.

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use control::{ErrorCode, Refused, Reply};
use tracing::{debug, warn};

use crate::inbox::Post;
use crate::rights::Peer;
use crate::session::Session;

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// In all. Administrators come in even so, up to as many again.
    pub(crate) connections: usize,
    /// Of one user who is no administrator.
    pub(crate) per_user: usize,
}

/// Accepts connections on a thread of its own, and serves each on one of its own.
pub(crate) fn open(listener: UnixListener, room: Room, post: Post) -> io::Result<()> {
    let guests = Arc::new(Guests { room, inside: Mutex::default() });
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
    let Some(seat) = guests.seat(peer) else {
        debug!(uid = peer.uid, "too many connections");
        return turn_away(stream);
    };
    let post = post.clone();
    let serving = thread::Builder::new().name("session".into()).spawn(move || {
        let _seat = seat;
        if let Err(error) = Session::new(stream, peer, post).serve() {
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

/// Who is inside.
#[derive(Debug)]
struct Guests {
    room: Room,
    inside: Mutex<HashMap<u32, usize>>,
}

impl Guests {
    /// A place for this user, if there is one.
    fn seat(self: &Arc<Self>, peer: Peer) -> Option<Seat> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = inside.values().sum();
        let own = inside.get(&peer.uid).copied().unwrap_or(0);
        let fits = if peer.administrator {
            all < self.room.connections.saturating_mul(2)
        } else {
            all < self.room.connections && own < self.room.per_user
        };
        if !fits {
            return None;
        }
        *inside.entry(peer.uid).or_default() += 1;
        Some(Seat { guests: Arc::clone(self), uid: peer.uid })
    }
}

/// A place inside, given back when dropped.
#[derive(Debug)]
struct Seat {
    guests: Arc<Guests>,
    uid: u32,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inside = self.guests.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = inside.get_mut(&self.uid) {
            *own -= 1;
            if *own == 0 {
                inside.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_cannot_take_every_place() {
        let room = Room { connections: 3, per_user: 2 };
        let guests = Arc::new(Guests { room, inside: Mutex::default() });
        let user = |uid| Peer { uid, administrator: uid == 0 };
        let first = guests.seat(user(33)).unwrap();
        let _second = guests.seat(user(33)).unwrap();
        assert!(guests.seat(user(33)).is_none());
        let _other = guests.seat(user(1000)).unwrap();
        assert!(guests.seat(user(1001)).is_none());
        let _root = guests.seat(user(0)).unwrap();
        drop(first);
        assert!(guests.seat(user(33)).is_none(), "root fills the room");
        drop(_other);
        assert!(guests.seat(user(33)).is_some());
    }
}
