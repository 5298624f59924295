//! The probe schedule of one edge address.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use model::Rules;

/// An ICMP error takes a round trip. On IPv6 probes follow each other faster than that, but each may
/// still be refused for this long.
const ROUND_TRIP: Duration = Duration::from_millis(500);

/// Between two graces in which Starting relays hold back probes there is time for at least this many
/// probes.
const CALM: u32 = 16;

/// A place in an edge's line for probes. Flows that were not probed yet go ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) behind: bool,
    pub(crate) number: u64,
}

/// The state that all relays to one edge address share: its kernel limits the ICMP errors of all its
/// ports together.
#[derive(Debug)]
pub(crate) struct Schedule {
    v6: bool,
    /// When the last probe was sent.
    probed_at: Option<Instant>,
    /// When RTP at full rate was last refused.
    flood_at: Option<Instant>,
    /// When RTCP was last refused.
    rtcp_refused_at: Option<Instant>,
    /// When Starting relays began to hold back the probes of other relays.
    held_since: Option<Instant>,
    places: u64,
    /// Whether this address ever refused a packet.
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
            rtcp_refused_at: None,
            held_since: None,
            places: 0,
            answers: false,
            counts_viewers: false,
        }
    }

    fn interval(&self, rules: &Rules) -> Duration {
        if self.v6 { rules.probe_interval_v6 } else { rules.probe_interval_v4 }
    }

    /// The time from one probe to the next: a twentieth more than the interval. Network jitter must
    /// not bring a probe to the edge before its kernel may send the next ICMP error.
    fn spacing(&self, rules: &Rules) -> Duration {
        let interval = self.interval(rules);
        interval + interval / 20
    }

    /// How long a probe may still be refused, and how long a turn waits for a packet.
    pub(crate) fn patience(&self, rules: &Rules) -> Duration {
        self.interval(rules).max(ROUND_TRIP)
    }

    /// The next place in line: ahead of flows that were probed before, or at the end.
    pub(crate) fn place(&mut self, ahead: bool) -> Place {
        self.places += 1;
        Place { behind: !ahead, number: self.places }
    }

    pub(crate) fn probed(&mut self, now: Instant) {
        self.probed_at = Some(now);
    }

    /// RTP at full rate used up an ICMP error.
    pub(crate) fn flooded(&mut self, now: Instant) {
        self.flood_at = Some(now);
    }

    /// RTCP used up an ICMP error.
    pub(crate) fn rtcp_refused(&mut self, now: Instant) {
        self.rtcp_refused_at = Some(now);
    }

    pub(crate) fn flood_at(&self) -> Option<Instant> {
        self.flood_at
    }

    /// When the next probe may leave; none: at once.
    pub(crate) fn free_at(&self, rules: &Rules) -> Option<Instant> {
        let last = self.probed_at.max(self.flood_at).max(self.rtcp_refused_at)?;
        Some(last + self.spacing(rules))
    }

    /// Whether the edge could have sent an ICMP error for a probe that left at `sent`.
    pub(crate) fn is_probe_conclusive(&self, sent: Instant, rules: &Rules) -> bool {
        let spent = self.flood_at.max(self.rtcp_refused_at);
        spent.is_none_or(|at| at + self.spacing(rules) <= sent)
    }

    /// Whether the edge could have sent an ICMP error for a flow that sent `packets` at full rate
    /// since `from`. A flow with several packets an interval gets an error before the next probe
    /// does. A slower flow may lose all errors to probes and RTCP.
    pub(crate) fn is_flow_conclusive(
        &self,
        packets: u64,
        from: Instant,
        rules: &Rules,
        now: Instant,
    ) -> bool {
        let calm =
            |spent: Option<Instant>| spent.is_none_or(|spent| spent + self.spacing(rules) <= from);
        let packets = u32::try_from(packets).unwrap_or(u32::MAX);
        let (interval, time) = (self.interval(rules), now.saturating_duration_since(from));
        let dense = interval <= time * 2 && time * 4 <= interval.saturating_mul(packets);
        calm(self.flood_at) && (dense || calm(self.probed_at.max(self.rtcp_refused_at)))
    }

    /// Whether a refused flow of a Starting relay may go on at full rate. It may if no other relay
    /// waits for probes; otherwise for one grace, followed by a pause of the same length or more.
    pub(crate) fn allows_full_rate(
        &mut self,
        others_wait: bool,
        rules: &Rules,
        now: Instant,
    ) -> bool {
        if !others_wait {
            self.held_since = None;
            return true;
        }
        let calm = rules.grace.max(self.spacing(rules) * CALM);
        match self.held_since {
            Some(began) if now < began + rules.grace => true,
            Some(began) if now < began + rules.grace + calm => false,
            _ => {
                self.held_since = Some(now);
                true
            }
        }
    }
}
