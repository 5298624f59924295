//! Who is inside, and how much each of them may ask for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use catalog::Limits;
use control::{ErrorCode, Refused, Request};

use crate::core::rate_limit::Allowance;
use crate::shell::permissions::Peer;

/// An answer counts for one request more with each so many bytes.
const PIECE: usize = 4096;

/// The callers' users, and the limits that hold for each. Administrators come in even if all places
/// are taken, up to as many again, and ask without limit.
#[derive(Debug)]
pub(crate) struct Guests(Mutex<Inside>);

#[derive(Debug)]
struct Inside {
    limits: Limits,
    guests: HashMap<u32, Guest>,
}

/// One user.
#[derive(Debug)]
struct Guest {
    seats: usize,
    /// Apart from the looks, so that a crowd of the curious doesn't keep viewers away.
    starts: Allowance,
    looks: Allowance,
}

impl Guests {
    /// Nobody yet.
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Inside { limits, guests: HashMap::new() })))
    }

    /// Changes the limits. Those inside stay.
    pub(crate) fn set_limits(&self, limits: Limits) {
        let mut inside = self.inside();
        inside.limits = limits;
        for guest in inside.guests.values_mut() {
            guest.starts.set_rate(limits.requests_per_second);
            guest.looks.set_rate(limits.requests_per_second);
        }
    }

    /// A place for this user, if there is one.
    pub(crate) fn seat(self: &Arc<Self>, peer: Peer, now: Instant) -> Option<Seat> {
        let mut inside = self.inside();
        // A user who left is forgotten once nothing is held against it.
        inside.guests.retain(|_, guest| guest.seats > 0 || !guest.is_idle(now));
        let Inside { limits, guests } = &mut *inside;
        let all: usize = guests.values().map(|guest| guest.seats).sum();
        let guest = guests.entry(peer.uid).or_insert_with(|| Guest::new(limits, now));
        let fits = if peer.administrator {
            all < limits.connections.saturating_mul(2)
        } else {
            all < limits.connections && guest.seats < limits.connections_per_user
        };
        if !fits {
            return None;
        }
        guest.seats += 1;
        Some(Seat { guests: Arc::clone(self), peer })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    fn new(limits: &Limits, now: Instant) -> Self {
        let full = || Allowance::new(limits.requests_per_second, now);
        Self { seats: 0, starts: full(), looks: full() }
    }

    fn is_idle(&mut self, now: Instant) -> bool {
        self.starts.is_full(now) && self.looks.is_full(now)
    }
}

/// A place inside, given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    guests: Arc<Guests>,
    peer: Peer,
}

impl Seat {
    /// Who sits there.
    pub(crate) fn peer(&self) -> Peer {
        self.peer
    }

    /// Refuses one request too many in a second.
    pub(crate) fn admit(&self, request: &Request, now: Instant) -> Result<(), Refused> {
        let taken = self.with(|guest| match request {
            Request::Start { .. } => guest.starts.take(now),
            _ => guest.looks.take(now),
        });
        taken.unwrap_or(Ok(())).map_err(|wait| {
            let wait = wait.as_secs_f64();
            let message = format!("too many requests from this user: try again in {wait:.1} s");
            Refused::new(ErrorCode::Limit, message)
        })
    }

    /// Counts a long answer for several requests.
    pub(crate) fn charge(&self, answer: &str) {
        let pieces = u32::try_from(answer.len() / PIECE).unwrap_or(u32::MAX);
        let _ = self.with(|guest| guest.looks.charge(pieces));
    }

    /// Does this with the user's account, if it is limited.
    fn with<T>(&self, what: impl FnOnce(&mut Guest) -> T) -> Option<T> {
        let mut inside = self.guests.inside();
        let guest = inside.guests.get_mut(&self.peer.uid).filter(|_| !self.peer.administrator);
        guest.map(what)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(guest) = self.guests.inside().guests.get_mut(&self.peer.uid) {
            guest.seats -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn guests(connections: usize, connections_per_user: usize) -> Arc<Guests> {
        let limits = Limits {
            connections,
            connections_per_user,
            requests_per_second: 10,
            ..Limits::default()
        };
        Guests::new(limits)
    }

    fn user(uid: u32) -> Peer {
        Peer { uid, administrator: uid == 0 }
    }

    #[test]
    fn one_user_cannot_take_every_place() {
        let (guests, now) = (guests(3, 2), Instant::now());
        let first = guests.seat(user(33), now).unwrap();
        let _second = guests.seat(user(33), now).unwrap();
        assert!(guests.seat(user(33), now).is_none());
        let other = guests.seat(user(1000), now).unwrap();
        assert!(guests.seat(user(1001), now).is_none());
        let _root = guests.seat(user(0), now).unwrap();
        drop(first);
        assert!(guests.seat(user(33), now).is_none(), "root fills the room");
        drop(other);
        assert!(guests.seat(user(33), now).is_some());
        assert_eq!(guests.inside().guests.len(), 2, "who left is forgotten");
    }

    #[test]
    fn one_user_cannot_ask_without_end_and_looks_do_not_use_up_the_starts() {
        let (guests, now) = (guests(3, 3), Instant::now());
        let start = Request::Start { stream: "news".into(), edge: None, client: None };
        let ask = |uid, request| guests.seat(user(uid), now).unwrap().admit(request, now);
        assert!((0..10).all(|_| ask(33, &Request::Ping).is_ok()));
        assert_eq!(
            ask(33, &Request::Streams { listen: false }).unwrap_err().code,
            ErrorCode::Limit
        );
        assert!((0..10).all(|_| ask(33, &start).is_ok()));
        assert!(ask(33, &start).is_err());
        assert!(ask(1000, &start).is_ok(), "others are not held liable");
        assert!((0..100).all(|_| ask(0, &Request::Ping).is_ok()));

        let later = now + Duration::from_secs(1);
        let seat = guests.seat(user(33), later).unwrap();
        assert!(seat.admit(&Request::Streams { listen: false }, later).is_ok());
        seat.charge(&"x".repeat(20 * PIECE));
        let soon = later + Duration::from_secs(1);
        assert!(seat.admit(&Request::Ping, soon).is_err());
        assert!(seat.admit(&Request::Ping, soon + Duration::from_millis(300)).is_ok());
    }
}
