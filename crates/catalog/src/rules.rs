//! When a relay closes.

use std::time::Duration;

use serde::Deserialize;

use crate::duration;

/// When a relay closes by itself, in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Refused probes on each RTP flow before the relay closes.
    pub errors: u32,
    /// How long nothing may be refused before errors are forgotten.
    pub quiet: Duration,
    /// How long a new relay is given before refusals count, and an edge that can't be reached.
    pub grace: Duration,
    /// How long the source may be silent.
    pub source_silence: Duration,
    /// How long the edge may report that nobody watches.
    pub no_viewers: Duration,
    /// How long a relay may go on without a sign of a viewer; none: for ever.
    pub lease: Option<Duration>,
    /// The time between two probes of an edge's IPv4 address.
    pub probe_interval_v4: Duration,
    /// The time between two probes of an edge's IPv6 address, where ICMP errors flow faster.
    pub probe_interval_v6: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            errors: 10,
            quiet: Duration::from_secs(3),
            grace: Duration::from_secs(20),
            source_silence: Duration::from_secs(30),
            no_viewers: Duration::from_secs(30),
            lease: None,
            probe_interval_v4: Duration::from_secs(1),
            probe_interval_v6: Duration::from_millis(100),
        }
    }
}

/// A `[shutdown]` section: the rules that it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "the section [shutdown]")]
pub(crate) struct Shutdown {
    errors: Option<std::num::NonZeroU32>,
    #[serde(deserialize_with = "duration::positive")]
    quiet: Option<Duration>,
    #[serde(deserialize_with = "duration::optional")]
    grace: Option<Duration>,
    #[serde(deserialize_with = "duration::positive")]
    source_silence: Option<Duration>,
    #[serde(deserialize_with = "duration::positive")]
    no_viewers: Option<Duration>,
    #[serde(deserialize_with = "duration::optional")]
    lease: Option<Duration>,
    #[serde(deserialize_with = "duration::positive")]
    probe_interval: Option<Duration>,
}

impl Shutdown {
    /// `rules` with this section's changes.
    pub(crate) fn change(&self, rules: Rules) -> Rules {
        Rules {
            errors: self.errors.map_or(rules.errors, std::num::NonZeroU32::get),
            quiet: self.quiet.unwrap_or(rules.quiet),
            grace: self.grace.unwrap_or(rules.grace),
            source_silence: self.source_silence.unwrap_or(rules.source_silence),
            no_viewers: self.no_viewers.unwrap_or(rules.no_viewers),
            lease: match self.lease {
                Some(lease) => (!lease.is_zero()).then_some(lease),
                None => rules.lease,
            },
            probe_interval_v4: self.probe_interval.unwrap_or(rules.probe_interval_v4),
            probe_interval_v6: self.probe_interval.unwrap_or(rules.probe_interval_v6),
        }
    }
}
