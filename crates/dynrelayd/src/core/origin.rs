//! Where streams come from, and how that goes: what relays and replicas see of it.

use std::collections::HashMap;

use catalog::{Catalog, Run, Stream};
use control::{Origin, OriginKind, ReplicaStatus};
use forward::Flow;
use model::SourceState;

use crate::core::pulls::Pulls;
use crate::core::replicas::{Replica, SILENCE};
use crate::core::supervisor::Supervisor;

/// The origins of all streams.
pub(crate) struct Origins<'a> {
    catalog: &'a Catalog,
    flows: HashMap<&'a str, Vec<&'a Flow>>,
    replicas: HashMap<&'a str, Vec<&'a Replica>>,
    pulls: &'a Pulls,
}

impl Supervisor {
    /// What can be said of where the streams come from.
    pub(crate) fn origins(&self) -> Origins<'_> {
        let (mut flows, mut replicas) = (HashMap::new(), HashMap::new());
        let mut add = |stream, of| flows.entry(stream).or_insert_with(Vec::new).extend(of);
        for relay in self.relays.values() {
            add(relay.stream.as_str(), relay.flows.as_slice());
        }
        for replica in self.replicas.values() {
            add(&replica.stream, replica.flows());
            replicas.entry(replica.stream.as_str()).or_insert_with(Vec::new).push(replica);
        }
        Origins { catalog: &self.catalog, flows, replicas, pulls: &self.pulls }
    }
}

impl Origins<'_> {
    /// Where a stream comes from; none if it isn't in the catalogue.
    pub(crate) fn of(&self, stream: &str) -> Option<Origin> {
        let stream = self.catalog.stream(stream)?;
        let (state, fault) = match &stream.source {
            Some(source) => self.pulls.tell(&stream.name, source),
            None => self.arrival(&stream.name),
        };
        Some(Origin {
            kind: kind(stream),
            state,
            detail: fault,
            replicas: stream.replicas.iter().map(|plan| self.replica(stream, plan)).collect(),
        })
    }

    fn replica(&self, stream: &Stream, plan: &catalog::Replica) -> ReplicaStatus {
        let mut running = self.replicas.get(stream.name.as_str()).into_iter().flatten();
        if let Some(running) = running.find(|replica| replica.does(plan)) {
            return running.status();
        }
        let elsewhere = plan.run == Run::Elsewhere;
        ReplicaStatus {
            to: plan.targets().collect(),
            state: if elsewhere { SourceState::Elsewhere } else { SourceState::Idle },
            since: 0,
            detail: None,
            packets: 0,
            bytes: 0,
            lost: 0,
        }
    }

    /// Whether a stream arrives, in the protocol's words, and why not.
    fn arrival(&self, stream: &str) -> (SourceState, Option<String>) {
        let mut replicas = self.replicas.get(stream).into_iter().flatten();
        let fault = replicas.find_map(|replica| replica.fault()).map(str::to_owned);
        let flows = self.flows.get(stream).map_or(&[][..], Vec::as_slice);
        let idle = flows.iter().filter_map(|flow| flow.counters().idle).min();
        match idle {
            _ if flows.is_empty() && fault.is_some() => (SourceState::Failed, fault),
            _ if flows.is_empty() => (SourceState::Idle, None),
            Some(idle) if idle <= SILENCE => (SourceState::Running, None),
            _ => (SourceState::Waiting, None),
        }
    }
}

/// How a stream comes here.
fn kind(stream: &Stream) -> OriginKind {
    if stream.source.is_some() {
        return OriginKind::Rtsp;
    }
    let elsewhere = stream.replicas.iter().any(|replica| replica.run == Run::Elsewhere);
    let sources = stream.sources().unwrap_or_default();
    let multicast = sources.iter().flatten().any(|source| source.address.is_multicast());
    if multicast && !elsewhere { OriginKind::Multicast } else { OriginKind::Unicast }
}
