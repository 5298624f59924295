//! What the plane tells: refusals, probes that left, what edges reported.

use crate::flow::Shared;
use rtp::Feedback;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, Ordering};

/// There is news of a flow.
///
/// At most one event of a flow is under way: until [`Event::read`] is called, further news of
/// the flow joins it. Nothing is lost by that, and no queue of events can grow.
pub struct Event {
    /// The relay's number, as given to `Plane::open`.
    pub relay: u64,
    /// The flow's place in what `Plane::open` returned.
    pub flow: usize,
    shared: Arc<Shared>,
}

/// What happened to a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Happened {
    /// The packet that `Gate::Probe` lets pass has been sent, and the gate is shut again.
    Probed,
    /// At least one refusal came back; how many, `Counters::refusals` knows. None did if this host
    /// itself lets nothing out (EPERM).
    Refused {
        /// The last one's error number, e.g. ECONNREFUSED.
        errno: i32,
    },
    /// The edge sent something back.
    Report(Feedback),
    /// The flow is dead: its worker or its socket failed. The log says how.
    Failed,
}

impl Event {
    pub(crate) fn new(relay: u64, flow: usize, shared: Arc<Shared>) -> Event {
        Event { relay, flow, shared }
    }

    /// What happened since the flow's last event was read, in this order: a probe, refusals,
    /// reports, failure. From this call on, further news makes a new event: so read it before
    /// acting on it.
    pub fn read(self) -> impl Iterator<Item = Happened> {
        self.shared.news.take()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("relay", &self.relay).field("flow", &self.flow).finish()
    }
}

const PROBED: u8 = 1;
const REFUSED: u8 = 2;
const RECEIVER_REPORT: u8 = 4;
const VIEWERS: u8 = 8;
const FAILED: u8 = 16;

/// News of a flow that nobody has read yet: one bit for each kind, and its last value.
#[derive(Debug, Default)]
pub(crate) struct News {
    unread: AtomicU8,
    errno: AtomicI32,
    viewers: AtomicU32,
}

impl News {
    /// Notes what happened; true if an event is to be told.
    pub(crate) fn note(&self, happened: Happened) -> bool {
        let bit = match happened {
            Happened::Probed => PROBED,
            Happened::Refused { errno } => {
                self.errno.store(errno, Ordering::Relaxed);
                REFUSED
            }
            Happened::Report(Feedback::ReceiverReport) => RECEIVER_REPORT,
            Happened::Report(Feedback::Viewers(viewers)) => {
                self.viewers.store(viewers, Ordering::Relaxed);
                VIEWERS
            }
            Happened::Failed => FAILED,
        };
        self.unread.fetch_or(bit, Ordering::AcqRel) == 0
    }

    fn take(&self) -> impl Iterator<Item = Happened> + use<> {
        let unread = self.unread.swap(0, Ordering::AcqRel);
        let viewers = self.viewers.load(Ordering::Relaxed);
        let all = [
            (PROBED, Happened::Probed),
            (REFUSED, Happened::Refused { errno: self.errno.load(Ordering::Relaxed) }),
            (RECEIVER_REPORT, Happened::Report(Feedback::ReceiverReport)),
            (VIEWERS, Happened::Report(Feedback::Viewers(viewers))),
            (FAILED, Happened::Failed),
        ];
        all.into_iter().filter(move |(bit, _)| unread & bit != 0).map(|(_, happened)| happened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_joins_until_it_is_read() {
        let news = News::default();
        assert!(news.note(Happened::Refused { errno: 111 }));
        assert!(!news.note(Happened::Report(Feedback::Viewers(1))));
        assert!(!news.note(Happened::Report(Feedback::Viewers(3))));
        assert!(!news.note(Happened::Probed));
        let read: Vec<_> = news.take().collect();
        assert_eq!(
            read,
            [
                Happened::Probed,
                Happened::Refused { errno: 111 },
                Happened::Report(Feedback::Viewers(3))
            ]
        );
        assert_eq!(news.take().count(), 0);
        assert!(news.note(Happened::Probed));
    }
}
