//! The lifecycle's instructions to the daemon.

use std::time::Instant;

use model::{CloseReason, Gate, State};

/// An instruction. The daemon performs them in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Set the gate of a flow. The flows of a new relay begin [`Gate::Open`].
    Gate {
        /// The relay.
        relay: u64,
        /// The place of the flow in the list that `start` got.
        flow: usize,
        /// The new gate.
        gate: Gate,
    },
    /// A relay came into a state.
    Entered {
        /// The relay.
        relay: u64,
        /// Its new state.
        state: State,
    },
    /// A relay is over: close its flows. Each relay gets exactly one of these, as its last output.
    Closed {
        /// The relay.
        relay: u64,
        /// Why.
        reason: CloseReason,
        /// When its last grace at full rate began, if the edge has accepted nothing since.
        tried: Option<Instant>,
    },
}
