//! What is to be done, and the words for it.

use std::fmt;

/// What a flow lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gate {
    /// Everything.
    Open,
    /// The next packet, as a probe; then the gate is Shut by itself, and [`crate::Seen::Probed`]
    /// says so.
    Probe,
    /// Nothing.
    Shut,
}

/// Where a relay is in its life. A closed relay is forgotten, so it has no state here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Everything is sent; the edge may refuse it, for its ports open only when the player comes.
    Starting,
    /// Everything is sent, but for flows that are refused.
    Live,
    /// All RTP flows are refused; only probes are sent.
    Suspect,
}

/// Why a relay closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The edge took the stream, and then refused it for good or reported that nobody watches.
    NoViewers,
    /// The edge never once stopped refusing: no consent there, or the player never came.
    NeverAccepted,
    /// The edge took or may have taken the stream, and then could no longer be reached.
    EdgeUnreachable,
    /// Nothing came in on any RTP flow for `source_silence`: the broadcast ended.
    SourceEnded,
    /// No start and no sign of a viewer for as long as the lease runs.
    LeaseExpired,
    /// Somebody stopped it, or the daemon is stopping.
    Stopped,
    /// The catalogue no longer has the stream, the edge or its consent, or has them changed.
    NotInCatalog,
    /// The data plane could not carry it (on).
    Failed,
}

/// What the daemon is to do, in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Set the gate of a flow, which is not so yet. A new relay's flows begin [`Gate::Open`].
    Gate {
        /// Whose.
        relay: u64,
        /// Which of its flows, as given to `start`.
        flow: usize,
        /// To what.
        gate: Gate,
    },
    /// A relay came into a state; for the log and the event stream.
    Entered {
        /// Which.
        relay: u64,
        /// The state.
        state: State,
    },
    /// A relay is over and forgotten here: take its flows away. The last action of every relay,
    /// and each gets exactly one.
    Closed {
        /// Which.
        relay: u64,
        /// Why.
        reason: CloseReason,
    },
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Live => "live",
            Self::Suspect => "suspect",
        })
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoViewers => "no-viewers",
            Self::NeverAccepted => "never-accepted",
            Self::EdgeUnreachable => "edge-unreachable",
            Self::SourceEnded => "source-ended",
            Self::LeaseExpired => "lease-expired",
            Self::Stopped => "stopped",
            Self::NotInCatalog => "not-in-catalog",
            Self::Failed => "failed",
        })
    }
}
