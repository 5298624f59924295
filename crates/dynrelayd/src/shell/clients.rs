//! Limits the callers of the control socket: their connections, and the requests of each user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use catalog::Limits;
use control::{ErrorCode, Refused, Request};

use super::permissions::Peer;
use crate::core::RateLimit;

/// Each so many bytes of an answer count as one more request.
const PIECE: usize = 4096;

/// The users who are connected, and the limits that hold for each. Root and the daemon's user have a
/// separate pool of the same size, and ask without limit.
#[derive(Debug)]
pub(crate) struct Clients(Mutex<Users>);

#[derive(Debug)]
struct Users {
    limits: Limits,
    by_uid: HashMap<u32, User>,
}

#[derive(Debug)]
struct User {
    connections: usize,
    /// A separate limit, so that views cannot use up the starts.
    starts: RateLimit,
    looks: RateLimit,
    /// Pages of the stream list. A crowd of viewers must not keep status.cgi away.
    pages: RateLimit,
}

/// The kind of a request, for the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Budget {
    Starts,
    Looks,
    Pages,
}

impl Budget {
    /// The budget of this request.
    pub(crate) fn of(request: &Request) -> Self {
        match request {
            Request::Start { .. } => Self::Starts,
            Request::Streams { page: Some(_), .. } => Self::Pages,
            _ => Self::Looks,
        }
    }
}

impl Clients {
    /// Nobody yet.
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Users { limits, by_uid: HashMap::new() })))
    }

    /// Changes the limits. Existing connections stay.
    pub(crate) fn set_limits(&self, limits: Limits) {
        let mut users = self.users();
        users.limits = limits;
        for user in users.by_uid.values_mut() {
            user.starts.set_rate(limits.requests_per_second);
            user.looks.set_rate(limits.requests_per_second);
            user.pages.set_rate(limits.requests_per_second);
        }
    }

    /// Counts a new connection of this user; none if there are too many.
    pub(crate) fn connect(self: &Arc<Self>, peer: Peer, now: Instant) -> Option<Connection> {
        let mut users = self.users();
        // A user without connections is removed once all limits are full again.
        users.by_uid.retain(|_, user| user.connections > 0 || !user.is_idle(now));
        let Users { limits, by_uid } = &mut *users;
        let all: usize = by_uid.values().map(|user| user.connections).sum();
        let user = by_uid.entry(peer.uid).or_insert_with(|| User::new(limits, now));
        let fits = if peer.administrator {
            all < limits.connections.saturating_mul(2)
        } else {
            all < limits.connections && user.connections < limits.connections_per_user
        };
        if !fits {
            return None;
        }
        user.connections += 1;
        Some(Connection { clients: Arc::clone(self), peer })
    }

    fn users(&self) -> MutexGuard<'_, Users> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl User {
    fn new(limits: &Limits, now: Instant) -> Self {
        let full = || RateLimit::new(limits.requests_per_second, now);
        Self { connections: 0, starts: full(), looks: full(), pages: full() }
    }

    fn limit(&mut self, budget: Budget) -> &mut RateLimit {
        match budget {
            Budget::Starts => &mut self.starts,
            Budget::Looks => &mut self.looks,
            Budget::Pages => &mut self.pages,
        }
    }

    fn is_idle(&mut self, now: Instant) -> bool {
        self.starts.is_full(now) && self.looks.is_full(now) && self.pages.is_full(now)
    }
}

/// A connection, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    clients: Arc<Clients>,
    peer: Peer,
}

impl Connection {
    /// The connected user.
    pub(crate) fn peer(&self) -> Peer {
        self.peer
    }

    /// Refuses a request if this user sent too many in the last second.
    pub(crate) fn admit(&self, budget: Budget, now: Instant) -> Result<(), Refused> {
        let taken = self.with(|user| user.limit(budget).take(now));
        taken.unwrap_or(Ok(())).map_err(|wait| {
            let wait = wait.as_secs_f64();
            let message = format!("too many requests from this user: try again in {wait:.1} s");
            Refused::new(ErrorCode::Limit, message)
        })
    }

    /// Counts a long answer as several requests.
    pub(crate) fn charge(&self, budget: Budget, answer: &str) {
        let pieces = u32::try_from(answer.len() / PIECE).unwrap_or(u32::MAX);
        let _ = self.with(|user| user.limit(budget).charge(pieces));
    }

    /// Calls this with the user, if the user is limited.
    fn with<T>(&self, what: impl FnOnce(&mut User) -> T) -> Option<T> {
        let mut users = self.clients.users();
        let user = users.by_uid.get_mut(&self.peer.uid).filter(|_| !self.peer.administrator);
        user.map(what)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(user) = self.clients.users().by_uid.get_mut(&self.peer.uid) {
            user.connections -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn clients(connections: usize, connections_per_user: usize) -> Arc<Clients> {
        let limits = Limits {
            connections,
            connections_per_user,
            requests_per_second: 10,
            ..Limits::default()
        };
        Clients::new(limits)
    }

    fn user(uid: u32) -> Peer {
        Peer { uid, administrator: uid == 0 }
    }

    #[test]
    fn one_user_cannot_take_every_connection() {
        let (clients, now) = (clients(3, 2), Instant::now());
        let first = clients.connect(user(33), now).unwrap();
        let _second = clients.connect(user(33), now).unwrap();
        assert!(clients.connect(user(33), now).is_none());
        let other = clients.connect(user(1000), now).unwrap();
        assert!(clients.connect(user(1001), now).is_none());
        let _root = clients.connect(user(0), now).unwrap();
        drop(first);
        assert!(clients.connect(user(33), now).is_none(), "root's connection counts");
        drop(other);
        assert!(clients.connect(user(33), now).is_some());
        assert_eq!(clients.users().by_uid.len(), 2, "users who left are forgotten");
    }

    #[test]
    fn requests_of_a_user_are_limited_and_looks_do_not_use_up_the_starts() {
        let (clients, now) = (clients(3, 3), Instant::now());
        let start = Request::Start { stream: "news".into(), edge: None, client: None };
        let ask =
            |uid, request| clients.connect(user(uid), now).unwrap().admit(Budget::of(request), now);
        assert!((0..10).all(|_| ask(33, &Request::Ping).is_ok()));
        assert_eq!(ask(33, &Request::Ping).unwrap_err().code, ErrorCode::Limit);
        let page = Request::Streams { listen: true, page: Some(1), search: String::new() };
        assert!((0..10).all(|_| ask(33, &page).is_ok()));
        assert!(ask(33, &page).is_err());
        assert!((0..10).all(|_| ask(33, &start).is_ok()));
        assert!(ask(33, &start).is_err());
        assert!(ask(1000, &start).is_ok(), "the limit is per user");
        assert!((0..100).all(|_| ask(0, &Request::Ping).is_ok()));

        let later = now + Duration::from_secs(1);
        let connection = clients.connect(user(33), later).unwrap();
        assert!(connection.admit(Budget::Looks, later).is_ok());
        connection.charge(Budget::Looks, &"x".repeat(20 * PIECE));
        let soon = later + Duration::from_secs(1);
        assert!(connection.admit(Budget::Looks, soon).is_err());
        assert!(connection.admit(Budget::Looks, soon + Duration::from_millis(300)).is_ok());
    }
}
