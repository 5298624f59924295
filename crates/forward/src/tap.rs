//! Hearing what arrives at a source beside its outputs, which are not disturbed by it.

use crate::arrivals::{Arrivals, Totals};
use crate::counter::Counter;
use crate::registry::{Place, Registry};
use rtp::Packet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// A datagram that came to a source that is tapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overheard {
    /// The number that the tap was given.
    pub tap: usize,
    /// What the datagram is.
    pub packet: Packet,
    /// Its length in bytes.
    pub length: usize,
    /// Who sent it.
    pub sender: SocketAddr,
}

/// A source that is heard. It is received like any other, once for all; dropping the tap ends
/// that if nothing else needs the source.
pub struct Tap {
    pub(crate) place: Place,
    pub(crate) registry: Arc<Registry>,
    pub(crate) arrivals: Arc<Arrivals>,
    pub(crate) before: Totals,
    pub(crate) missed: Arc<Counter>,
}

impl Tap {
    /// How many datagrams were not told: the kernel dropped them, or the channel was full.
    pub fn missed(&self) -> u64 {
        self.arrivals.totals().since(self.before).drops + self.missed.get()
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

/// The worker's side of a tap.
pub(crate) struct Ear {
    pub(crate) id: u32,
    pub(crate) tap: usize,
    pub(crate) to: SyncSender<Overheard>,
    pub(crate) missed: Arc<Counter>,
}

impl Ear {
    /// Tells a datagram, unless whoever hears is behind: a worker waits for nobody.
    pub(crate) fn hear(&self, packet: Packet, length: usize, sender: SocketAddr) {
        let heard = Overheard { tap: self.tap, packet, length, sender };
        if self.to.try_send(heard).is_err() {
            self.missed.add(1);
        }
    }
}
