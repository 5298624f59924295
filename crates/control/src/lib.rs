//! The control protocol: one JSON object per line each way over a Unix stream socket.
//!
//! A [`Request`] goes to the daemon, and a [`Reply`] comes back. relay.cgi and the `dynrelay`
//! command use the blocking [`Client`]. A line is UTF-8; a request has at most [`MAX_REQUEST`]
//! bytes.

mod client;
mod line;
mod origin;
mod reply;
mod request;
mod scan;
mod status;

pub use client::{Client, ClientError};
pub use line::{LineError, MAX_ANSWER, MAX_REQUEST, read_line};
pub use origin::{Origin, OriginKind, ReplicaStatus};
pub use reply::{ErrorCode, Refused, Reply};
pub use request::{ParseError, Request};
pub use scan::{ScanAnswer, ScanFault, ScanResult, ScannedMedia, ScannedStream, Sender, Verdict};
pub use status::{
    After, CloseForecast, Event, FlowStatus, Page, Pong, Rates, RelayDetail, RelayList, RelayShow,
    RelayStatus, Reloaded, Started, StreamList, StreamStatus, Via,
};

/// The daemon's socket unless `DYNRELAY_SOCKET` or the configuration names another.
pub const DEFAULT_SOCKET: &str = "/run/dynrelay/control.sock";
