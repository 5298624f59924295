//! Events of flows, and how the plane's owner learns of them.

use crate::cell::{AddressCell, Counter, GateCell};
use model::Gate;
use rtp::Feedback;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// An event of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlowEvent {
    /// The packet that `Gate::Probe` lets through was sent, and the gate is shut again.
    Probed {
        /// The packet's sequence number, if it is RTP.
        sequence: Option<u16>,
    },
    /// The edge refused a packet that was sent lately. `Counters::refusals` says how often so far.
    Refused {
        /// The number of the RTP packet that was refused last, if the edge quotes it.
        sequence: Option<u16>,
    },
    /// A firewall rejects the flow (ICMP "administratively prohibited").
    Firewalled {
        /// The firewall's address, if it is known.
        offender: Option<IpAddr>,
    },
    /// Packets can't reach the edge, or this host lets nothing out.
    Unreachable {
        /// The error number of the last failure, e.g. EHOSTUNREACH or EPERM.
        errno: i32,
        /// The router that says so; `None` if it is this host's routes or firewall.
        offender: Option<IpAddr>,
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
    /// The flow's unread events: a probe, refusals, other errors, reports, failure, in this order.
    /// Later events make a new notice, so read before you act.
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
    /// ICMP errors that quote no packet of the flow.
    pub(crate) forged: Counter,
    /// The sender of such an error.
    pub(crate) forger: AddressCell,
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
            forged: Counter::default(),
            forger: AddressCell::default(),
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
const FIREWALLED: u8 = 4;
const UNREACHABLE: u8 = 8;
const RECEIVER_REPORT: u8 = 16;
const VIEWERS: u8 = 32;
const FAILED: u8 = 64;

/// The unread events of a flow: one bit for each kind, and the kind's last value.
#[derive(Debug, Default)]
struct Unread {
    kinds: AtomicU8,
    probed: Number,
    refused: Number,
    /// The offenders of [`FIREWALLED`] and [`UNREACHABLE`]. Packets take no part in this.
    offenders: Mutex<[Option<IpAddr>; 2]>,
    errno: AtomicI32,
    viewers: AtomicU32,
}

/// A sequence number, or none.
#[derive(Debug, Default)]
struct Number(AtomicU32);

impl Number {
    fn put(&self, number: Option<u16>) {
        self.0.store(number.map_or(0, |number| 0x1_0000 | u32::from(number)), Ordering::Relaxed);
    }

    fn get(&self) -> Option<u16> {
        self.0.load(Ordering::Relaxed).checked_sub(0x1_0000)?.try_into().ok()
    }
}

impl Unread {
    /// Stores an event; true if there was no unread one.
    fn put(&self, event: FlowEvent) -> bool {
        let kind = match event {
            FlowEvent::Probed { sequence } => {
                self.probed.put(sequence);
                PROBED
            }
            FlowEvent::Refused { sequence } => {
                self.refused.put(sequence);
                REFUSED
            }
            FlowEvent::Firewalled { offender } => {
                self.offenders.lock().unwrap_or_else(PoisonError::into_inner)[0] = offender;
                FIREWALLED
            }
            FlowEvent::Unreachable { errno, offender } => {
                self.offenders.lock().unwrap_or_else(PoisonError::into_inner)[1] = offender;
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
        let errno = self.errno.load(Ordering::Relaxed);
        let [firewall, offender] = *self.offenders.lock().unwrap_or_else(PoisonError::into_inner);
        let all = [
            (PROBED, FlowEvent::Probed { sequence: self.probed.get() }),
            (REFUSED, FlowEvent::Refused { sequence: self.refused.get() }),
            (FIREWALLED, FlowEvent::Firewalled { offender: firewall }),
            (UNREACHABLE, FlowEvent::Unreachable { errno, offender }),
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
        let offender = Some("10.9.0.1".parse().unwrap());
        let unreachable = FlowEvent::Unreachable { errno: libc::EHOSTUNREACH, offender };
        assert!(unread.put(unreachable));
        assert!(!unread.put(FlowEvent::Refused { sequence: Some(65_535) }));
        assert!(!unread.put(FlowEvent::Report(Feedback::Viewers(1))));
        assert!(!unread.put(FlowEvent::Report(Feedback::Viewers(3))));
        assert!(!unread.put(FlowEvent::Probed { sequence: None }));
        let read: Vec<_> = unread.take().collect();
        let viewers = FlowEvent::Report(Feedback::Viewers(3));
        let probed = FlowEvent::Probed { sequence: None };
        let refused = FlowEvent::Refused { sequence: Some(65_535) };
        assert_eq!(read, [probed, refused, unreachable, viewers]);
        assert_eq!(unread.take().count(), 0);
        assert!(unread.put(FlowEvent::Refused { sequence: None }));
    }
}
