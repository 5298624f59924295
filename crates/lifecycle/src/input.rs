//! The daemon's observations of a flow.

/// Something that happened on a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The edge refused one or more packets (ICMP port unreachable).
    Refused {
        /// The RTP sequence number of the last packet that it refused, if the error quotes it.
        sequence: Option<u16>,
    },
    /// The edge cannot be reached: another ICMP error, or no route. This says nothing about viewers.
    /// After a grace it counts as a refusal.
    Unreachable,
    /// A firewall on the way rejects the flow. Otherwise this is like [`Input::Unreachable`].
    Firewalled,
    /// The data plane sent the packet that [`model::Gate::Probe`] let through.
    Probed {
        /// The packet's RTP sequence number, if it has one.
        sequence: Option<u16>,
    },
    /// Totals since the flow began. Observe them once a second, even if they have not changed.
    Traffic {
        /// Packets that arrived, whatever the gate.
        received: u64,
        /// Packets sent to the edge.
        sent: u64,
    },
    /// The edge reports its viewers.
    Viewers(u32),
    /// The edge sent a receiver report without a viewer count.
    ReceiverReport,
}
