//! An edge's host as the origin sees it: its ports, and its kernel's limit on ICMP errors.

use std::net::IpAddr;
use std::time::Duration;

use model::FlowKind;

pub(crate) struct Edge {
    pub(crate) address: IpAddr,
    /// The one-way delay.
    pub(crate) delay: Duration,
    /// The most additional delay of a packet.
    pub(crate) jitter: Duration,
    /// The percentage of packets, and of errors, that get lost.
    pub(crate) loss: u64,
    /// Drops all ICMP.
    pub(crate) firewall: bool,
    /// Whether its errors quote more than the UDP header.
    pub(crate) quotes: bool,
    /// Reports viewers.
    pub(crate) counts: bool,
    tokens: Duration,
    filled: Duration,
    /// When the last probe was sent here, and whether its turn had ended by then.
    pub(crate) probed: Option<(Duration, bool)>,
}

impl Edge {
    pub(crate) fn new(address: IpAddr, delay: Duration) -> Self {
        let (tokens, filled) = (Duration::from_secs(6), Duration::ZERO);
        let (jitter, loss, firewall, counts, probed) = (Duration::ZERO, 0, false, false, None);
        let quotes = true;
        Self { address, delay, jitter, loss, firewall, quotes, counts, tokens, filled, probed }
    }

    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(if self.address.is_ipv6() { 100 } else { 1000 })
    }

    /// Whether the kernel may send an ICMP error now: one an interval, after a burst of six.
    pub(crate) fn answers(&mut self, now: Duration) -> bool {
        let interval = self.interval();
        self.tokens = (self.tokens + now - self.filled).min(interval * 6);
        self.filled = now;
        let spent = self.tokens.checked_sub(interval);
        self.tokens = spent.unwrap_or(self.tokens);
        spent.is_some() && !self.firewall
    }
}

/// One flow of a stream: when its source sends, and when the edge's port is open.
#[derive(Clone)]
pub(crate) struct Path {
    pub(crate) kind: FlowKind,
    /// The time between two packets.
    pub(crate) pace: Duration,
    /// When the source sends nothing.
    pub(crate) pauses: Vec<(Duration, Duration)>,
    /// When the port is open.
    pub(crate) open: Vec<(Duration, Duration)>,
}

impl Path {
    pub(crate) fn is_open(&self, now: Duration) -> bool {
        self.open.iter().any(|(from, to)| (*from..*to).contains(&now))
    }

    /// How long the port has been open.
    pub(crate) fn open_for(&self, now: Duration) -> Option<Duration> {
        let window = self.open.iter().find(|(from, to)| (*from..*to).contains(&now));
        window.map(|(from, _)| now - *from)
    }

    pub(crate) fn is_paused(&self, now: Duration) -> bool {
        self.pauses.iter().any(|(from, to)| (*from..*to).contains(&now))
    }
}
