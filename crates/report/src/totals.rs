//! What is added up.

use std::ops::AddAssign;

use serde::Serialize;

/// Sums over a stream, an edge, a day, a network, or everything. Times are in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// dynrelayd: how often viewers asked, and were sent somewhere.
    pub starts: u64,
    /// dynrelayd: relays that closed.
    pub relays: u64,
    /// dynrelayd: how long was relayed.
    pub relayed: u64,
    /// dynrelayd: packets sent to edges.
    pub packets: u64,
    /// dynrelayd: bytes of UDP payload sent to edges.
    pub sent: u64,
    /// dynrelayd: refusals that came back.
    pub refusals: u64,
    /// dynrelayd: each viewer's time, added up, as far as edges said how many watch.
    pub reported: u64,
    /// Servers: sessions that got something.
    pub sessions: u64,
    /// Servers: sessions that got nothing.
    pub failed: u64,
    /// Servers: how long the sessions were, added up.
    pub watched: u64,
    /// Servers: bytes that viewers were sent.
    pub served: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        let Self { starts, relays, relayed, packets, sent, refusals, .. } = other;
        let Self { reported, sessions, failed, watched, served, .. } = other;
        for (sum, addend) in [
            (&mut self.starts, starts),
            (&mut self.relays, relays),
            (&mut self.relayed, relayed),
            (&mut self.packets, packets),
            (&mut self.sent, sent),
            (&mut self.refusals, refusals),
            (&mut self.reported, reported),
            (&mut self.sessions, sessions),
            (&mut self.failed, failed),
            (&mut self.watched, watched),
            (&mut self.served, served),
        ] {
            *sum = sum.saturating_add(addend);
        }
    }
}
