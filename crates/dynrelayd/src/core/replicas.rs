//! Replicas: a stream's packets as they came, to places on this host or its network.
//!
//! A replica's life is simple. It runs, or it waits for packets, or it failed and is tried again; no
//! edge decides over it, and nothing that it is sent to can end it.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use catalog::{Catalog, Run};
use control::ReplicaStatus;
use forward::{Counters, Flow, FlowEvent, Plane};
use model::SourceState;
use tracing::{info, warn};

use crate::core::relay::{Relay, RelayId, unix_time};
use crate::core::supervisor::Supervisor;
use crate::shell::flow_plan::pairs;

/// After how long a replica that failed is opened again.
const RETRY: Duration = Duration::from_secs(3);

/// A source that was silent for so long is waited for.
pub(crate) const SILENCE: Duration = Duration::from_secs(3);

/// A replica that is to be sent now.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) stream: String,
    plan: catalog::Replica,
    /// In the data plane's order; none if they could not be opened.
    flows: Vec<Flow>,
    state: SourceState,
    /// When the state began: seconds since 1970.
    since: u64,
    /// Why it failed.
    fault: Option<String>,
    /// What had been sent at the last look.
    sent: u64,
    /// The last error that a send met with since then.
    error: Option<io::Error>,
    /// When it is opened again if it has failed by then.
    retry: Instant,
}

impl Replica {
    fn new(stream: &str, plan: &catalog::Replica, now: Instant) -> Self {
        Self {
            stream: stream.to_owned(),
            plan: plan.clone(),
            flows: Vec::new(),
            state: SourceState::Waiting,
            since: unix_time(),
            fault: None,
            sent: 0,
            error: None,
            retry: now,
        }
    }

    /// For the log and for people: `the replica of news to 239.1.1.1:5004`.
    fn name(&self) -> String {
        let to: Vec<String> = self.plan.targets().map(|target| target.to_string()).collect();
        format!("the replica of {} to {}", self.stream, to.join(", "))
    }

    fn total(&self, of: fn(&Counters) -> u64) -> u64 {
        self.flows.iter().map(|flow| of(&flow.counters())).sum()
    }

    fn is_down(&self) -> bool {
        self.flows.is_empty() || self.state == SourceState::Failed
    }

    /// Opens its sockets, new ones if it has some: an interface may have been replaced.
    /// `pulled` is where a pull hands over what it brings, if its stream is pulled.
    fn open(
        &mut self,
        id: RelayId,
        pulled: io::Result<Vec<SocketAddr>>,
        plane: &Plane,
        now: Instant,
    ) {
        self.retry = now + RETRY;
        self.flows.clear();
        self.sent = 0;
        let opened = pulled.map_err(|error| error.to_string()).and_then(|pulled| {
            let medias = pairs(&self.plan.pairs, &pulled);
            plane.open(id, &medias, model::Gate::Open).map_err(|error| error.to_string())
        });
        match opened {
            Ok(flows) => self.flows = flows,
            Err(why) => self.enter(SourceState::Failed, Some(why)),
        }
    }

    /// Why it is not open.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref().filter(|_| self.flows.is_empty())
    }

    /// Whether this is what it is to do.
    pub(crate) fn does(&self, plan: &catalog::Replica) -> bool {
        self.plan == *plan
    }

    /// How long its source has been silent; none if nothing ever came.
    fn idle(&self) -> Option<Duration> {
        self.flows.iter().filter_map(|flow| flow.counters().idle).min()
    }

    /// Notes the errors that its sends met with. To be refused is none: a server does that while it
    /// has no viewer.
    pub(crate) fn observe(&mut self, notice: forward::Notice) {
        for event in notice.read() {
            match event {
                FlowEvent::Unreachable { errno } => {
                    self.error = Some(io::Error::from_raw_os_error(errno));
                }
                FlowEvent::Failed => self.error = Some(io::Error::other("the data plane failed")),
                FlowEvent::Refused | FlowEvent::Probed | FlowEvent::Report(_) => {}
            }
        }
    }

    /// Its flows, while they are open.
    pub(crate) fn flows(&self) -> &[Flow] {
        &self.flows
    }

    /// Goes by the counters.
    fn look(&mut self) {
        if self.flows.is_empty() {
            return;
        }
        let sent = self.total(|counters| counters.packets);
        let grown = std::mem::replace(&mut self.sent, sent) < sent;
        let error = self.error.take();
        let silent = self.idle().is_none_or(|idle| idle > SILENCE);
        match error {
            Some(error) if !grown => self.enter(SourceState::Failed, Some(error.to_string())),
            _ if silent => self.enter(SourceState::Waiting, None),
            _ if grown => self.enter(SourceState::Running, None),
            _ => {}
        }
    }

    fn enter(&mut self, state: SourceState, fault: Option<String>) {
        if self.state == state && self.fault == fault {
            return;
        }
        self.since = unix_time();
        (self.state, self.fault) = (state, fault);
        match &self.fault {
            Some(why) => {
                let stream = &self.stream;
                warn!(
                 name: "replica", stream, %state,
                 "{} has failed, trying again: {why}", self.name()
                );
            }
            None => {
                let stream = &self.stream;
                info!(name: "replica", stream, %state, "{} is {state}", self.name());
            }
        }
    }

    pub(crate) fn status(&self) -> ReplicaStatus {
        ReplicaStatus {
            state: self.state,
            since: self.since,
            detail: self.fault.clone(),
            packets: self.total(|counters| counters.packets),
            bytes: self.total(|counters| counters.bytes),
            lost: self.total(|counters| counters.lost),
            to: self.plan.targets().collect(),
        }
    }
}

impl Supervisor {
    /// Ends the replicas that are not wanted any more, or not as they were.
    pub(crate) fn end_replicas(&mut self) {
        let wanted = wanted(&self.catalog, &self.relays);
        self.replicas.retain(|_, replica| {
            let goes_on = wanted.contains(&(replica.stream.as_str(), &replica.plan));
            if !goes_on {
                let stream = &replica.stream;
                info!(name: "replica", stream, state = "ended", "{} has ended", replica.name());
            }
            goes_on
        });
    }

    /// Brings the replicas into line with the catalogue and the relays, and looks how they go.
    pub(crate) fn tend_replicas(&mut self, now: Instant) {
        self.end_replicas();
        let known = |stream: &str, plan: &catalog::Replica| {
            self.replicas.values().any(|one| one.stream == stream && one.plan == *plan)
        };
        let wanted = wanted(&self.catalog, &self.relays).into_iter();
        let new = wanted.filter(|(stream, plan)| !known(stream, plan));
        let new: Vec<Replica> = new.map(|(stream, plan)| Replica::new(stream, plan, now)).collect();
        for replica in new {
            let id = self.new_id();
            self.replicas.insert(id, replica);
        }
        for (id, replica) in &mut self.replicas {
            replica.look();
            if replica.is_down() && replica.retry <= now {
                let pulled = self.pulls.sources(&self.catalog, &replica.stream);
                replica.open(*id, pulled, &self.plane, now);
            }
        }
    }
}

/// The replicas that are to be sent now, each with its stream.
fn wanted<'a>(
    catalog: &'a Catalog,
    relays: &BTreeMap<RelayId, Relay>,
) -> Vec<(&'a str, &'a catalog::Replica)> {
    let relayed: HashSet<&str> = relays.values().map(|relay| relay.stream.as_str()).collect();
    let all = catalog
        .streams()
        .flat_map(|stream| stream.replicas.iter().map(|replica| (stream.name.as_str(), replica)));
    all.filter(|(stream, replica)| match replica.run {
        Run::Always => true,
        Run::OnDemand => relayed.contains(stream),
        Run::Elsewhere => false,
    })
    .collect()
}
