//! Handles for the plane's owner: flows with a gate to set and counters to read, and taps.

use crate::cell::Counter;
use crate::event::FlowCell;
use crate::ingest_counters::{IngestCounters, Totals};
use crate::registry::{OpenedFlow, OpenedTap, Place, Registry};
use model::Gate;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// An open flow. Dropping it closes its output, and its source after the last output.
pub struct Flow {
    cell: Arc<FlowCell>,
    ingest: Arc<IngestCounters>,
    before: Totals,
    local: SocketAddr,
    target: SocketAddr,
    place: Place,
    registry: Arc<Registry>,
}

impl Flow {
    pub(crate) fn new(opened: OpenedFlow, registry: Arc<Registry>) -> Flow {
        let OpenedFlow { cell, ingest, local, target, place } = opened;
        Flow { cell, before: ingest.totals(), ingest, local, target, place, registry }
    }

    /// Sets what passes from the next batch on.
    pub fn set_gate(&self, gate: Gate) {
        self.cell.gate.set(gate);
    }

    /// The current gate. After a probe was sent it is [`Gate::Shut`].
    pub fn gate(&self) -> Gate {
        self.cell.gate.read().gate()
    }

    /// The flow's numbers so far.
    pub fn counters(&self) -> Counters {
        let arrived = self.ingest.totals().since(self.before);
        Counters {
            received: arrived.received,
            packets: self.cell.packets.get(),
            bytes: self.cell.bytes.get(),
            refusals: self.cell.refusals.get(),
            forged: self.cell.forged.get(),
            lost: self.cell.lost.get(),
            reports: self.cell.reports.get(),
            drops: arrived.drops,
            gaps: arrived.gaps.saturating_sub(arrived.drops),
            ssrc_changes: arrived.ssrc_changes,
            returned: arrived.returned,
            idle: self.ingest.idle(),
        }
    }

    /// The sender of a packet that came back to the flow's source in a loop, if one came since the
    /// last call for any flow of that source. Such packets are dropped.
    pub fn take_returned(&self) -> Option<SocketAddr> {
        self.ingest.returned_by.take()
    }

    /// The sender of a forged ICMP error for this flow, if one came since the last call.
    pub fn take_forger(&self) -> Option<IpAddr> {
        self.cell.forger.take().map(|address| address.ip())
    }

    /// The address and port that the flow sends from.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The address and port that the flow sends to.
    pub fn target(&self) -> SocketAddr {
        self.target
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.cell.gate.set(Gate::Shut);
        self.registry.close(self.place);
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow")
            .field("relay", &self.cell.relay)
            .field("flow", &self.cell.flow)
            .field("local", &self.local)
            .field("target", &self.target)
            .field("gate", &self.gate())
            .finish()
    }
}

/// The numbers of a flow since it was opened. Those of its source count for all its flows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Datagrams that arrived at the source.
    pub received: u64,
    /// Datagrams sent to the target.
    pub packets: u64,
    /// Their payload, in bytes.
    pub bytes: u64,
    /// Refusals: ICMP "port unreachable" from the edge about packets that the flow sent.
    pub refusals: u64,
    /// ICMP errors about packets that the flow never sent, or without evidence. They have no effect.
    pub forged: u64,
    /// Datagrams that passed the gate but could not be sent: no room, no route.
    pub lost: u64,
    /// Packets that the edge sent back.
    pub reports: u64,
    /// Datagrams for the source that the kernel dropped before they were received.
    pub drops: u64,
    /// RTP packets missing in the source's sequence (RFC 3550, A.3), without those that the kernel
    /// dropped. A late packet lowers it again.
    pub gaps: u64,
    /// How often the source's RTP went on with another SSRC.
    pub ssrc_changes: u64,
    /// Packets that the source had received before and that another sender sent again: they came
    /// back in a loop and were dropped.
    pub returned: u64,
    /// How long ago the last datagram arrived at the source, to within a few milliseconds; `None`
    /// if none ever did.
    pub idle: Option<Duration>,
}

/// An open tap. Its source is received once for all its flows and taps; dropping the last of them
/// closes it.
pub struct Tap {
    ingest: Arc<IngestCounters>,
    before: Totals,
    missed: Arc<Counter>,
    place: Place,
    registry: Arc<Registry>,
}

impl Tap {
    pub(crate) fn new(opened: OpenedTap, registry: Arc<Registry>) -> Tap {
        let OpenedTap { ingest, missed, place } = opened;
        Tap { before: ingest.totals(), ingest, missed, place, registry }
    }

    /// How many datagrams were left out: the kernel dropped them, or the channel was full.
    pub fn missed(&self) -> u64 {
        self.ingest.totals().since(self.before).drops + self.missed.get()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.registry.close(self.place);
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").field("missed", &self.missed()).finish_non_exhaustive()
    }
}
