//! Where a stream comes from, and what becomes of it on this host.

use std::fmt;
use std::net::SocketAddr;

use model::SourceState;
use serde::{Deserialize, Serialize};

/// Where a stream comes from, and how that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// What kind of source it is.
    pub kind: OriginKind,
    /// How the source is doing.
    pub state: SourceState,
    /// What there is to say of that, for people: why it failed, who sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The places on this host or its network that it is replicated to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<ReplicaStatus>,
}

/// How a stream comes to the origin host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OriginKind {
    /// Its encoder sends to a multicast group.
    Multicast,
    /// Its encoder sends to an address of this host.
    Unicast,
    /// It is fetched from an RTSP server.
    Rtsp,
}

impl fmt::Display for OriginKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Multicast => "multicast",
            Self::Unicast => "unicast",
            Self::Rtsp => "rtsp",
        })
    }
}

/// A replica of a stream: its packets as they came, to one place. Counters run over all its media
/// since it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// Where each media's RTP goes.
    pub to: Vec<SocketAddr>,
    /// How the replica is doing.
    pub state: SourceState,
    /// When it came into this state, in seconds since 1970.
    pub since: u64,
    /// Why it failed, or what else there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Packets sent.
    #[serde(default)]
    pub packets: u64,
    /// Bytes of UDP payload sent.
    #[serde(default)]
    pub bytes: u64,
    /// Packets that could not be sent.
    #[serde(default)]
    pub lost: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_in_json() {
        let origin = Origin {
            kind: OriginKind::Rtsp,
            state: SourceState::Idle,
            detail: None,
            replicas: Vec::new(),
        };
        let json = r#"{"kind":"rtsp","state":"idle"}"#;
        assert_eq!(serde_json::to_string(&origin).unwrap(), json);
        assert_eq!(serde_json::from_str::<Origin>(json).unwrap(), origin);
    }
}
