//! Pulling a stream from an RTSP server (RFC 2326), for as long as somebody wants it.
//!
//! A [`Pull`] is a thread of its own that asks the server for the stream, over UDP or, where that
//! brings nothing, interleaved in the TCP connection, and sends every RTP and RTCP packet on,
//! unchanged, to the sockets that its [`Order`] names. What goes wrong is told, and tried again
//! after a [`backoff`]. Dropping the pull ends it with a TEARDOWN.
//!
//! Nothing that a server sends can make it panic, wait for ever, or take more than some hundred
//! kilobytes; and no error repeats what a server has sent, so that none can repeat a password.

mod backoff;
mod connection;
mod dialogue;
mod error;
mod lane;
mod leash;
mod login;
mod offer;
mod outlet;
mod pull;
mod reader;
mod reception;
mod report;
mod session;
mod transport;

pub use backoff::backoff;
pub use error::{Error, Fault};
pub use outlet::Outlet;
pub use pull::{Ending, Order, Pull, State};
pub use reader::{Item, MAX_BODY, MAX_HEAD, ReadError, Reader};
pub use transport::Transport;
