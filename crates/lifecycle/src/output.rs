//! What is to be done.

use std::time::Instant;

use model::{CloseReason, Gate, State};

/// What the daemon is to do, in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
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
    /// A relay is over and forgotten here: take its flows away. The last output of every relay,
    /// and each gets exactly one.
    Closed {
        /// Which.
        relay: u64,
        /// Why.
        reason: CloseReason,
        /// When its last grace at full rate began, if the edge has accepted nothing since.
        tried: Option<Instant>,
    },
}
