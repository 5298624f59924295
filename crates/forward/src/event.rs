//! Events of flows, and how the plane's owner learns of them.

use crate::cell::{Counter, GateCell};
use model::Gate;
use rtp::Feedback;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, Ordering};

/// An event of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlowEvent {
    /// The packet that `Gate::Probe` lets through was sent, and the gate is shut again.
    Probed,
    /// The edge refused a packet. `Counters::refusals` says how often so far.
    Refused,
    /// Packets can't reach the edge, or this host lets nothing out.
    Unreachable {
        /// The error number of the last failure, e.g. EHOSTUNREACH or EPERM.
        errno: i32,
    },
    /// The edge sent RTCP back on the flow's socket.
    Report(Feedback),
    /// The flow is dead: its worker or its socket failed. The log says why.
    Failed,
}

/// Says that a flow has unread events.
///
/// A flow has at most one notice under way: until [`Notice::read`] is called, further events of the
/// flow join it. So no event is lost, and no queue of notices grows.
pub struct Notice {
    /// The relay's number, as given to `Plane::open`.
    pub relay: u64,
    /// The flow's place in what `Plane::open` returned.
    pub flow: usize,
    cell: Arc<FlowCell>,
}

/// The function that takes notices, on the workers' threads.
pub(crate) type Notify = Arc<dyn Fn(Notice) + Send + Sync>;

impl Notice {
    /// The flow's unread events: a probe, refusals, reports, failure, in this order. Later events
    /// make a new notice, so read before you act.
    pub fn read(self) -> impl Iterator<Item = FlowEvent> {
        self.cell.unread.take()
    }
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notice").field("relay", &self.relay).field("flow", &self.flow).finish()
    }
}

/// The state that a flow's handle and its worker share.
pub(crate) struct FlowCell {
    pub(crate) relay: u64,
    pub(crate) flow: usize,
    pub(crate) gate: GateCell,
    pub(crate) packets: Counter,
    pub(crate) bytes: Counter,
    pub(crate) refusals: Counter,
    pub(crate) lost: Counter,
    pub(crate) reports: Counter,
    unread: Unread,
}

impl FlowCell {
    pub(crate) fn new(relay: u64, flow: usize, gate: Gate) -> FlowCell {
        FlowCell {
            relay,
            flow,
            gate: GateCell::new(gate),
            packets: Counter::default(),
            bytes: Counter::default(),
            refusals: Counter::default(),
            lost: Counter::default(),
            reports: Counter::default(),
            unread: Unread::default(),
        }
    }

    /// Stores an event, and sends a notice unless one is under way.
    pub(crate) fn raise(self: &Arc<FlowCell>, event: FlowEvent, notify: &Notify) {
        if self.unread.put(event) {
            notify(Notice { relay: self.relay, flow: self.flow, cell: Arc::clone(self) });
        }
    }
}

const PROBED: u8 = 1;
const REFUSED: u8 = 2;
const UNREACHABLE: u8 = 4;
const RECEIVER_REPORT: u8 = 8;
const VIEWERS: u8 = 16;
const FAILED: u8 = 32;

/// The unread events of a flow: one bit for each kind, and the kind's last value.
#[derive(Debug, Default)]
struct Unread {
    kinds: AtomicU8,
    errno: AtomicI32,
    viewers: AtomicU32,
}

impl Unread {
    /// Stores an event; true if there was no unread one.
    fn put(&self, event: FlowEvent) -> bool {
        let kind = match event {
            FlowEvent::Probed => PROBED,
            FlowEvent::Refused => REFUSED,
            FlowEvent::Unreachable { errno } => {
                self.errno.store(errno, Ordering::Relaxed);
                UNREACHABLE
            }
            FlowEvent::Report(Feedback::ReceiverReport) => RECEIVER_REPORT,
            FlowEvent::Report(Feedback::Viewers(viewers)) => {
                self.viewers.store(viewers, Ordering::Relaxed);
                VIEWERS
            }
            FlowEvent::Failed => FAILED,
        };
        self.kinds.fetch_or(kind, Ordering::AcqRel) == 0
    }

    fn take(&self) -> impl Iterator<Item = FlowEvent> + use<> {
        let kinds = self.kinds.swap(0, Ordering::AcqRel);
        let viewers = self.viewers.load(Ordering::Relaxed);
        let all = [
            (PROBED, FlowEvent::Probed),
            (REFUSED, FlowEvent::Refused),
            (UNREACHABLE, FlowEvent::Unreachable { errno: self.errno.load(Ordering::Relaxed) }),
            (RECEIVER_REPORT, FlowEvent::Report(Feedback::ReceiverReport)),
            (VIEWERS, FlowEvent::Report(Feedback::Viewers(viewers))),
            (FAILED, FlowEvent::Failed),
        ];
        all.into_iter().filter(move |(kind, _)| kinds & kind != 0).map(|(_, event)| event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_join_until_they_are_read() {
        let unread = Unread::default();
        let unreachable = FlowEvent::Unreachable { errno: libc::EPERM };
        assert!(unread.put(unreachable));
        assert!(!unread.put(FlowEvent::Report(Feedback::Viewers(1))));
        assert!(!unread.put(FlowEvent::Report(Feedback::Viewers(3))));
        assert!(!unread.put(FlowEvent::Probed));
        let read: Vec<_> = unread.take().collect();
        let viewers = FlowEvent::Report(Feedback::Viewers(3));
        assert_eq!(read, [FlowEvent::Probed, unreachable, viewers]);
        assert_eq!(unread.take().count(), 0);
        assert!(unread.put(FlowEvent::Refused));
    }
}
