//! What can be observed of a flow.

/// Something that happened on a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The edge refused the port (ICMP port unreachable). Several may have been folded into one.
    Refused,
    /// The edge can't be reached: another ICMP error, or no route. It says nothing of
    /// viewers, and nothing of whether the edge's own errors come through. Only after a grace is it
    /// a refusal too.
    Unreachable,
    /// The packet for which the gate was at [`model::Gate::Probe`] has been sent.
    Probed,
    /// Totals since the flow began; to be observed once a second, also when they have not changed.
    Traffic {
        /// Packets that came in, whatever the gate.
        received: u64,
        /// Packets that were sent to the edge.
        sent: u64,
    },
    /// The edge reports how many watch.
    Viewers(u32),
    /// The edge sent a receiver report that says nothing of viewers.
    ReceiverReport,
}
