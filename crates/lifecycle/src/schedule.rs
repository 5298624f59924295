//! The one probe schedule of an edge's address.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use catalog::Rules;

use crate::flow::Place;

/// An ICMP error takes a round trip; where probes follow each other faster than that (IPv6), an
/// answer is still awaited for this long.
const ROUND_TRIP: Duration = Duration::from_millis(500);

/// What all relays to one edge address share, since its kernel limits the ICMP errors of all its
/// ports together.
#[derive(Debug)]
pub(crate) struct Schedule {
    v6: bool,
    /// When the last probe was sent.
    probed_at: Option<Instant>,
    /// When a flow was last refused other than as the answer to a probe.
    flood_at: Option<Instant>,
    /// When Starting relays began to hold back the probes of others.
    held_since: Option<Instant>,
    places: u64,
    /// Whether a refusal ever came from here; a firewall may drop them all.
    pub(crate) answers: bool,
    /// Whether this edge ever reported a viewer count.
    pub(crate) counts_viewers: bool,
}

impl Schedule {
    pub(crate) fn new(address: IpAddr) -> Self {
        Self {
            v6: address.is_ipv6(),
            probed_at: None,
            flood_at: None,
            held_since: None,
            places: 0,
            answers: false,
            counts_viewers: false,
        }
    }

    fn interval(&self, rules: &Rules) -> Duration {
        if self.v6 { rules.probe_interval_v6 } else { rules.probe_interval_v4 }
    }

    /// From one probe to the next: a twentieth more than the interval, so that packets which
    /// travel at different speeds don't meet the edge's ICMP limiter before its next token.
    fn spacing(&self, rules: &Rules) -> Duration {
        let interval = self.interval(rules);
        interval + interval / 20
    }

    /// How long an answer to a probe is awaited, and how long a turn waits for a packet.
    pub(crate) fn patience(&self, rules: &Rules) -> Duration {
        self.interval(rules).max(ROUND_TRIP)
    }

    /// The next place in the line, ahead of those that have been probed before or at its end.
    pub(crate) fn place(&mut self, ahead: bool) -> Place {
        self.places += 1;
        Place { behind: !ahead, number: self.places }
    }

    pub(crate) fn probed(&mut self, now: Instant) {
        self.probed_at = Some(now);
    }

    /// A refusal used up an ICMP error that no probe had asked for.
    pub(crate) fn flooded(&mut self, now: Instant) {
        self.flood_at = Some(now);
    }

    pub(crate) fn flood_at(&self) -> Option<Instant> {
        self.flood_at
    }

    /// When the next probe may go out; none: at once.
    pub(crate) fn free_at(&self, rules: &Rules) -> Option<Instant> {
        Some(self.probed_at.max(self.flood_at)? + self.spacing(rules))
    }

    /// Whether a packet sent at `sent` or later would have got its ICMP error, as far as refusals
    /// at full rate are concerned.
    pub(crate) fn conclusive(&self, sent: Instant, rules: &Rules) -> bool {
        self.flood_at.is_none_or(|flood| flood + self.spacing(rules) <= sent)
    }

    /// Whether a refused flow of a Starting relay may go on at full rate: always if nobody waits
    /// for a probe, else for one grace in two.
    pub(crate) fn bears(&mut self, others_wait: bool, rules: &Rules, now: Instant) -> bool {
        if !others_wait {
            self.held_since = None;
            return true;
        }
        match self.held_since {
            Some(began) if now < began + rules.grace => true,
            Some(began) if now < began + rules.grace * 2 => false,
            _ => {
                self.held_since = Some(now);
                true
            }
        }
    }
}
