//! A flow as its owner holds it: a gate to set, counters to read.

use model::Gate;

use crate::counter::Counter;
use crate::event::{Event, Happened, News};
use crate::gate::GateCell;
use crate::registry::{Opened, Registry};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Whom the plane tells.
pub(crate) type Tell = Arc<dyn Fn(Event) + Send + Sync>;

/// What a flow's owner and its worker both see.
pub(crate) struct Shared {
    pub(crate) relay: u64,
    pub(crate) flow: usize,
    pub(crate) gate: GateCell,
    pub(crate) news: News,
    pub(crate) packets: Counter,
    pub(crate) bytes: Counter,
    pub(crate) refusals: Counter,
    pub(crate) lost: Counter,
    pub(crate) reports: Counter,
}

impl Shared {
    pub(crate) fn new(relay: u64, flow: usize, gate: Gate) -> Shared {
        Shared {
            relay,
            flow,
            gate: GateCell::new(gate),
            news: News::default(),
            packets: Counter::default(),
            bytes: Counter::default(),
            refusals: Counter::default(),
            lost: Counter::default(),
            reports: Counter::default(),
        }
    }

    /// Notes what happened, and tells it unless an event of this flow is still unread.
    pub(crate) fn happened(self: &Arc<Shared>, what: Happened, tell: &Tell) {
        if self.news.note(what) {
            tell(Event::new(self.relay, self.flow, Arc::clone(self)));
        }
    }
}

/// A flow that is open. Dropping it takes its output away, and with its last output the source.
pub struct Flow {
    opened: Opened,
    registry: Arc<Registry>,
}

impl Flow {
    pub(crate) fn new(opened: Opened, registry: Arc<Registry>) -> Flow {
        Flow { opened, registry }
    }

    /// Sets what may pass from the next batch on.
    pub fn set_gate(&self, gate: Gate) {
        self.opened.shared.gate.set(gate);
    }

    /// What may pass now. A probe that has left makes it [`Gate::Shut`].
    pub fn gate(&self) -> Gate {
        self.opened.shared.gate.read().gate()
    }

    /// The flow's numbers so far.
    pub fn counters(&self) -> Counters {
        let arrived = self.opened.arrivals.totals().since(self.opened.before);
        Counters {
            received: arrived.received,
            packets: self.opened.shared.packets.get(),
            bytes: self.opened.shared.bytes.get(),
            refusals: self.opened.shared.refusals.get(),
            lost: self.opened.shared.lost.get(),
            reports: self.opened.shared.reports.get(),
            drops: arrived.drops,
            gaps: arrived.gaps,
            ssrc_changes: arrived.ssrc_changes,
            returned: arrived.returned,
            idle: self.opened.arrivals.idle(),
        }
    }

    /// Who has sent a packet of the flow's source back to it since anybody last asked this of a
    /// flow of that source: such packets go no further.
    pub fn take_returned(&self) -> Option<SocketAddr> {
        self.opened.arrivals.returned_by.take()
    }

    /// The address and port that the flow sends from.
    pub fn local(&self) -> SocketAddr {
        self.opened.local
    }

    /// The address and port that the flow sends to.
    pub fn target(&self) -> SocketAddr {
        self.opened.target
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.opened.shared.gate.set(Gate::Shut);
        self.registry.close(self.opened.place);
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow")
            .field("relay", &self.opened.shared.relay)
            .field("flow", &self.opened.shared.flow)
            .field("local", &self.opened.local)
            .field("target", &self.opened.target)
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
    /// ICMP errors that came back for the flow.
    pub refusals: u64,
    /// Datagrams that were let pass but could not be sent: no room, no route.
    pub lost: u64,
    /// Packets that the edge sent back.
    pub reports: u64,
    /// Datagrams for the source that the kernel dropped before they were received.
    pub drops: u64,
    /// RTP packets missing in the source's sequence (RFC 3550, A.3). A late one comes off again.
    pub gaps: u64,
    /// How often the source's RTP went on under another SSRC.
    pub ssrc_changes: u64,
    /// Packets that the source had had already and that another sender sent again: they came back
    /// and went no further.
    pub returned: u64,
    /// Since when nothing has arrived at the source, to within a few milliseconds; `None` if
    /// nothing ever did.
    pub idle: Option<Duration>,
}
