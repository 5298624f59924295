//! The worker's side of a tap: copies of what arrives, for one listener.

use crate::cell::Counter;
use rtp::Packet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// A datagram that arrived at a tapped source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tapped {
    /// The tap's number.
    pub tap: usize,
    /// The kind of datagram.
    pub packet: Packet,
    /// Its length in bytes.
    pub length: usize,
    /// Its sender.
    pub sender: SocketAddr,
}

/// A listener's place at an ingest.
pub(crate) struct TapOutput {
    pub(crate) id: u32,
    pub(crate) tap: usize,
    pub(crate) to: SyncSender<Tapped>,
    pub(crate) missed: Arc<Counter>,
}

impl TapOutput {
    /// Describes a datagram to the listener. If the channel is full, it only counts it: a worker
    /// waits for nobody.
    pub(crate) fn send(&self, packet: Packet, length: usize, sender: SocketAddr) {
        let tapped = Tapped { tap: self.tap, packet, length, sender };
        if self.to.try_send(tapped).is_err() {
            self.missed.add(1);
        }
    }
}
