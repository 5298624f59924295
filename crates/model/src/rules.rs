//! When a relay closes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// When a relay closes by itself: `[shutdown]` in dynrelay.toml, complete. In JSON, times are in
/// milliseconds, and the intervals between probes are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Refused probes on each RTP flow before the relay closes.
    pub errors: u32,
    /// How long nothing may be refused before errors are forgotten.
    #[serde(rename = "quiet_ms", with = "millis")]
    pub quiet: Duration,
    /// How long a new relay may be refused, and how long an edge may be unreachable.
    #[serde(rename = "grace_ms", with = "millis")]
    pub grace: Duration,
    /// How long the source may be silent.
    #[serde(rename = "source_silence_ms", with = "millis")]
    pub source_silence: Duration,
    /// How long the edge may report that nobody watches.
    #[serde(rename = "no_viewers_ms", with = "millis")]
    pub no_viewers: Duration,
    /// How long a relay may go on without a sign of a viewer; none: for ever.
    #[serde(
        rename = "lease_ms",
        default,
        with = "optional_millis",
        skip_serializing_if = "Option::is_none"
    )]
    pub lease: Option<Duration>,
    /// The time between two probes of an edge's IPv4 address.
    #[serde(skip, default = "probe_interval_v4")]
    pub probe_interval_v4: Duration,
    /// The time between two probes of an edge's IPv6 address, where ICMP errors come faster.
    #[serde(skip, default = "probe_interval_v6")]
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
            probe_interval_v4: probe_interval_v4(),
            probe_interval_v6: probe_interval_v6(),
        }
    }
}

fn probe_interval_v4() -> Duration {
    Duration::from_secs(1)
}

fn probe_interval_v6() -> Duration {
    Duration::from_millis(100)
}

mod millis {
    use super::{Deserialize, Duration};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

mod optional_millis {
    use super::{Deserialize, Duration, millis};
    use serde::{Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => millis::serialize(time, to),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_in_json() {
        let mut rules = Rules::default();
        let plain = r#"{"errors":10,"quiet_ms":3000,"grace_ms":20000,"source_silence_ms":30000,"no_viewers_ms":30000}"#;
        assert_eq!(serde_json::to_string(&rules).unwrap(), plain);
        assert_eq!(serde_json::from_str::<Rules>(plain).unwrap(), rules);
        rules.lease = Some(Duration::from_secs(60));
        let json = serde_json::to_string(&rules).unwrap();
        assert!(json.ends_with(r#","lease_ms":60000}"#), "{json}");
        assert_eq!(serde_json::from_str::<Rules>(&json).unwrap(), rules);
    }
}
