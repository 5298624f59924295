//! The answer to `streams`. A large catalogue takes a while to list, so the caller's own thread does
//! that, when it writes the answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{Catalog, Replica, Run, Stream};
use control::{Origin, OriginKind, ReplicaStatus, StreamList, StreamStatus};
use model::SourceState;
use serde::{Serialize, Serializer};

/// The streams of a catalogue.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    pub(crate) catalog: Arc<Catalog>,
    /// By name, those of which there is more to say than what the catalogue has.
    pub(crate) active: BTreeMap<String, StreamStatus>,
}

impl Serialize for Streams {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let status = |stream: &Stream| match self.active.get(&stream.name) {
            Some(active) => active.clone(),
            None => idle(stream),
        };
        StreamList { streams: self.catalog.streams().map(status).collect() }.serialize(to)
    }
}

/// A stream that nobody needs.
pub(crate) fn idle(stream: &Stream) -> StreamStatus {
    let origin = Origin {
        kind: kind(stream),
        state: SourceState::Idle,
        detail: stream.source.as_ref().map(ToString::to_string),
        replicas: stream.replicas.iter().map(idle_replica).collect(),
    };
    StreamStatus {
        name: stream.name.clone(),
        title: stream.title.clone(),
        media: stream.labels().collect(),
        edges: stream.edges().map(str::to_owned).collect(),
        relayed_to: Vec::new(),
        on_air: None,
        origin: Some(origin),
    }
}

/// A replica that does not run.
pub(crate) fn idle_replica(plan: &Replica) -> ReplicaStatus {
    ReplicaStatus {
        to: plan.targets().collect(),
        state: match plan.run {
            Run::Elsewhere => SourceState::Elsewhere,
            Run::Always | Run::OnDemand => SourceState::Idle,
        },
        since: 0,
        detail: None,
        packets: 0,
        bytes: 0,
        lost: 0,
    }
}

/// How a stream comes to this host.
pub(crate) fn kind(stream: &Stream) -> OriginKind {
    if stream.source.is_some() {
        return OriginKind::Rtsp;
    }
    let elsewhere = stream.replicas.iter().any(|replica| replica.run == Run::Elsewhere);
    let sources = stream.sources().unwrap_or_default();
    let multicast = sources.iter().flatten().any(|source| source.address.is_multicast());
    if multicast && !elsewhere { OriginKind::Multicast } else { OriginKind::Unicast }
}
