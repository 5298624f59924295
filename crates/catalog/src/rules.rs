//! When a relay closes.

use std::time::Duration;

use model::Rules;
use serde::Deserialize;

use crate::duration;

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
