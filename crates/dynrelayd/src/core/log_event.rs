//! The core's log events. `log/relay_log.rs` gives each its name, fields and message.

use std::net::{IpAddr, SocketAddr};

use control::{ErrorCode, RelayDetail};
use model::{CloseReason, SourceState, State};
use rtsp::Transport;

/// One entry of the log.
#[derive(Clone, Debug)]
pub(crate) enum LogEvent {
    /// A relay starts.
    Opened { stream: String, edge: String, address: IpAddr },
    /// A relay changed its state.
    State { stream: String, edge: String, state: State },
    /// A relay closed.
    Closed(Box<Closed>),
    /// An edge keeps refusing a relay's packets.
    Refusals { stream: String, edge: String, live: bool, count: u64 },
    /// ICMP errors that fit no packet of a relay came, the last one from `offender`.
    Forged { stream: String, edge: String, offender: IpAddr, count: u64 },
    /// A relay can't be opened; so many starts failed since the last entry.
    Failed { stream: String, edge: String, cause: OpenCause, why: String, count: u64 },
    /// Viewers were sent to a server.
    Start { stream: String, edge: Option<String>, client: Option<IpAddr>, count: u64 },
    /// Viewers were turned away, with the reason of the first.
    TurnedAway {
        stream: Option<String>,
        code: ErrorCode,
        client: Option<IpAddr>,
        count: u64,
        why: Option<String>,
    },
    /// An edge was not chosen.
    PassedOver { stream: String, edge: String, why: String },
    /// A replica changed its state; none means that it ended.
    Replica { stream: String, to: String, state: Option<SourceState>, why: Option<String> },
    /// A pull begins.
    Pull { stream: String, source: String },
    /// A pull delivers packets.
    PullPlays { stream: String, source: String, transport: Transport, from: SocketAddr },
    /// A server sends bytes that are neither RTSP nor packets.
    PullStray { stream: String, source: String, skipped: u64 },
    /// A pull failed.
    PullFailed { stream: String, source: String, why: String },
    /// A pull ended, because nobody needs it.
    PullEnded { stream: String },
    /// Packets come back to this host.
    Returned { stream: String, sender: SocketAddr, returned: u64 },
    /// A file of the catalogue has a fault.
    Fault { text: String, error: bool },
    /// The new catalogue is in use.
    Reloaded { streams: usize, edges: usize },
    /// Changes in `[daemon]` need a restart.
    NeedsRestart,
}

/// Why a relay that cannot be opened was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenCause {
    /// A viewer.
    Start,
    /// A reload: the relay's route changed.
    Reroute,
    /// The state file.
    Resume,
}

/// The end of a relay.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    /// The relay, with its last counters.
    pub(crate) end: RelayDetail,
    /// Why it closed.
    pub(crate) reason: CloseReason,
    /// How long it was open, in seconds.
    pub(crate) seconds: u64,
    /// The most viewers at a time; none if the edge never reported any.
    pub(crate) viewers: Option<u32>,
    /// The sum of each viewer's time, in seconds; none if the edge never reported any.
    pub(crate) watched: Option<u64>,
}
