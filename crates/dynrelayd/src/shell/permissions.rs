//! Decides which requests a user may make.

use std::os::unix::net::UnixStream;

use control::{ErrorCode, Refused, Request};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// The user at the other end of a connection, as the kernel reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its user id.
    pub(crate) uid: u32,
    /// Whether the user may change things: root, or the daemon's user.
    pub(crate) administrator: bool,
}

impl Peer {
    /// Reads the peer credentials of a connection.
    pub(crate) fn of(stream: &UnixStream) -> nix::Result<Self> {
        let uid = getsockopt(stream, PeerCredentials)?.uid();
        let own = nix::unistd::geteuid().as_raw();
        Ok(Self { uid, administrator: uid == 0 || uid == own })
    }

    /// Refuses a request that this user may not make. Everybody who can open the socket may start
    /// relays and look. The rest is for administrators.
    pub(crate) fn may(self, request: &Request) -> Result<(), Refused> {
        let open = matches!(
            request,
            Request::Start { .. }
                | Request::List { .. }
                | Request::Show { .. }
                | Request::Streams { .. }
                | Request::Ping
        );
        if open || self.administrator {
            return Ok(());
        }
        Err(Refused::new(
            ErrorCode::Forbidden,
            format!("user {} may not do this: only root and the daemon's user may", self.uid),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_web_server_starts_and_looks_and_no_more() {
        let web = Peer { uid: 33, administrator: false };
        let start = Request::Start { stream: "news".into(), edge: None, client: None };
        let list = Request::List { all: true, rates: true };
        for request in [start, list, Request::streams(true), Request::Ping] {
            assert!(web.may(&request).is_ok(), "{request:?}");
        }
        let stop = Request::Stop { stream: "news".into(), edge: "dss2".into() };
        let scan = Request::Scan { streams: vec!["news".into()], millis: 1, quick: false };
        for request in [stop, scan, Request::Reload, Request::Events] {
            assert_eq!(web.may(&request).unwrap_err().code, ErrorCode::Forbidden);
            assert!(Peer { uid: 0, administrator: true }.may(&request).is_ok());
        }
    }

    #[test]
    fn the_daemons_own_user_is_an_administrator() {
        let (here, _there) = UnixStream::pair().unwrap();
        assert!(Peer::of(&here).unwrap().administrator);
    }
}
