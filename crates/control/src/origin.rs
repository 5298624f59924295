//! Where a stream comes from, and its replicas on this host.

use std::net::SocketAddr;

use model::SourceState;
use serde::{Deserialize, Serialize};

/// The source of a stream and its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The kind of source.
    pub kind: OriginKind,
    /// The state of the source.
    pub state: SourceState,
    /// Details for people: why it failed, or who sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The stream's replicas.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<ReplicaStatus>,
}

model::words! {
    /// How a stream arrives at the origin.
    pub enum OriginKind {
        /// Its encoder sends to a multicast group.
        Multicast = "multicast",
        /// Its encoder sends to an address of this host.
        Unicast = "unicast",
        /// The daemon pulls it from an RTSP server.
        Rtsp = "rtsp",
    }
}

/// A replica of a stream: its packets, unchanged, to one destination. Counters cover all its media
/// since it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// Where each media's RTP goes.
    pub to: Vec<SocketAddr>,
    /// The state of the replica.
    pub state: SourceState,
    /// When it changed to this state, in seconds since 1970.
    pub since: u64,
    /// Why it failed, or other details.
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
