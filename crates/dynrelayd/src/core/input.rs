//! The core's inputs.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use catalog::{Catalog, ConfigError};
use control::Request;
use forward::{Counters, FlowEvent};
use model::Gate;
use rtsp::State;
use serde::{Deserialize, Serialize};

/// The number of a relay, or of a replica, in the data plane and the lifecycle.
pub(crate) type RelayId = u64;

/// The number of a request. Its one reply carries the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CallId(pub(crate) u64);

/// A relay's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct RelayName {
    pub(crate) stream: String,
    pub(crate) edge: String,
}

/// The time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// For durations.
    pub(crate) now: Instant,
    /// For people: seconds since 1970.
    pub(crate) unix: u64,
}

/// An event from outside.
#[derive(Debug)]
pub(crate) enum Input {
    /// A caller's request. [`super::Effect::Reply`] answers it exactly once, now or later.
    Request { call: CallId, request: Request },
    /// The data plane reports an event of a flow.
    Flow {
        relay: RelayId,
        /// The flow's place among those that were opened.
        flow: usize,
        event: FlowEvent,
    },
    /// The answer to [`super::Effect::ReadCounters`], before any other input.
    Counters(Vec<(RelayId, Vec<FlowCounts>)>),
    /// The answer to [`super::Effect::Open`], before any input from elsewhere.
    Opened { relay: RelayId, result: Result<Vec<FlowEnds>, OpenFailure> },
    /// The answer to [`super::Effect::Close`], before any input from elsewhere.
    Closed { relay: RelayId, counts: Vec<FlowCounts> },
    /// The answer to [`super::Effect::AskEdge`].
    EdgeAnswer { question: Question, answer: EdgeAnswer },
    /// The answer to [`super::Effect::Listen`]: each stream's name, and whether it is on air; none
    /// if that is unknown.
    OnAir(Vec<(String, Option<bool>)>),
    /// A scan has ended, or its caller hung up.
    ScanEnded(CallId),
    /// A pull reports its state.
    Pull(PullReport),
    /// The answer to [`super::Effect::ReadCatalog`].
    CatalogRead(Result<Arc<Catalog>, ConfigError>),
    /// The relays of the last daemon, from the state file.
    Resume(Vec<RelayName>),
    /// Read the configuration and the streams folder again (SIGHUP).
    Reload,
    /// Close everything (SIGTERM).
    Stop,
    /// Time has passed.
    Tick,
}

/// The counters of one flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowCounts {
    /// Its numbers since it was opened.
    pub(crate) counters: Counters,
    /// Its gate.
    pub(crate) gate: Gate,
    /// The sender of packets that came back to the flow's source since the last reading.
    pub(crate) returned_by: Option<SocketAddr>,
    /// Who sent forged ICMP errors for the flow since then.
    pub(crate) forger: Option<IpAddr>,
}

/// The sockets of one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowEnds {
    /// Where its packets arrive.
    pub(crate) from: SocketAddr,
    /// Where they are sent from.
    pub(crate) via: SocketAddr,
}

/// A question to an edge.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Question {
    /// Does anybody listen at this URL's host and port?
    Connect(String),
    /// Does a DESCRIBE of this URL succeed?
    Describe(String),
}

/// An edge's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EdgeAnswer {
    /// The edge is there, and has the stream if that was asked.
    Yes,
    /// The server is there and refuses, with this RTSP status.
    NoConsent(String),
    /// The edge cannot be reached, for this reason.
    Unreachable(String),
}

/// A report of a pull.
#[derive(Debug)]
pub(crate) struct PullReport {
    pub(crate) stream: String,
    /// The pull's number, as in its order: reports of its predecessors may be late.
    pub(crate) id: u64,
    /// Its state, or why it can't be started at all.
    pub(crate) state: Result<State, String>,
}

/// Why a relay's sockets could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenFailure {
    /// The process has too few file descriptors left.
    #[error("{0}")]
    Limit(String),
    /// A socket could not be made.
    #[error("{0}")]
    Failed(String),
}
