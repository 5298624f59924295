//! Replicas: copies of a stream to places on this host or its network.
//!
//! A replica runs, or it waits for packets, or it failed and is opened again. No edge decides about
//! it, and no refusal ends it.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::{Duration, Instant};

use catalog::{Catalog, Run};
use control::ReplicaStatus;
use forward::{Counters, FlowEvent};
use model::SourceState;

use super::effect::Effect;
use super::input::{FlowCounts, Moment, OpenFailure, RelayId};
use super::log_event::LogEvent;
use super::pulls::Pulls;
use super::relay_table::RelayTable;
use super::relays::Relays;
use super::stream_list::idle_replica;

/// After how long a replica that failed is opened again.
const RETRY: Duration = Duration::from_secs(3);
/// A replica waits if its source was silent for longer.
pub(crate) const SILENCE: Duration = Duration::from_secs(3);

/// A replica that the daemon sends now.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) stream: String,
    plan: catalog::Replica,
    open: bool,
    counts: Vec<FlowCounts>,
    state: SourceState,
    /// When the state began, in seconds since 1970.
    since: u64,
    /// Why it failed.
    fault: Option<String>,
    /// The packets that had been sent at the last look.
    sent: u64,
    /// The last error of a send since then.
    error: Option<String>,
    /// When it is opened again if it has failed by then.
    retry: Instant,
}

/// The replicas that are to be sent now. Their numbers are the relays'.
#[derive(Debug, Default)]
pub(crate) struct Replicas {
    all: BTreeMap<RelayId, Replica>,
    by_stream: HashMap<String, Vec<RelayId>>,
    /// How many are being opened. Until that is over, none is ended.
    opening: usize,
    /// The streams of the catalogue that have replicas.
    streams: Vec<String>,
}

impl Replica {
    fn new(stream: &str, plan: &catalog::Replica, at: Moment) -> Self {
        Self {
            stream: stream.to_owned(),
            plan: plan.clone(),
            open: false,
            counts: Vec::new(),
            state: SourceState::Waiting,
            since: at.unix,
            fault: None,
            sent: 0,
            error: None,
            retry: at.now,
        }
    }

    fn total(&self, of: fn(&Counters) -> u64) -> u64 {
        self.counters().map(of).sum()
    }

    /// The counters of each flow.
    pub(crate) fn counters(&self) -> impl Iterator<Item = &Counters> {
        self.counts.iter().map(|counts| &counts.counters)
    }

    /// Whether its sockets are open.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Why it is not open.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref().filter(|_| !self.open)
    }

    /// Judges by the counters.
    fn look(&mut self, unix: u64, effects: &mut Vec<Effect>) {
        if !self.open || self.counts.is_empty() {
            return;
        }
        let sent = self.total(|counters| counters.packets);
        let grown = std::mem::replace(&mut self.sent, sent) < sent;
        let idle = self.counters().filter_map(|counters| counters.idle).min();
        let silent = idle.is_none_or(|idle| idle > SILENCE);
        match self.error.take() {
            Some(error) if !grown => self.enter(SourceState::Failed, Some(error), unix, effects),
            _ if silent => self.enter(SourceState::Waiting, None, unix, effects),
            _ if grown => self.enter(SourceState::Running, None, unix, effects),
            _ => {}
        }
    }

    fn enter(
        &mut self,
        state: SourceState,
        fault: Option<String>,
        unix: u64,
        effects: &mut Vec<Effect>,
    ) {
        if self.state == state && self.fault == fault {
            return;
        }
        (self.since, self.state, self.fault) = (unix, state, fault);
        effects.push(self.entry(Some(state)));
    }

    fn entry(&self, state: Option<SourceState>) -> Effect {
        let to: Vec<String> = self.plan.targets().map(|target| target.to_string()).collect();
        let (stream, why) = (self.stream.clone(), self.fault.clone());
        Effect::Log(LogEvent::Replica { stream, to: to.join(", "), state, why })
    }

    fn status(&self) -> ReplicaStatus {
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

impl Replicas {
    /// Notes which streams of a new catalogue have replicas.
    pub(crate) fn set_catalog(&mut self, catalog: &Catalog) {
        let with = catalog.streams().filter(|stream| !stream.replicas.is_empty());
        self.streams = with.map(|stream| stream.name.clone()).collect();
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The streams whose replicas are sent now.
    pub(crate) fn streams(&self) -> impl Iterator<Item = &str> {
        self.all.values().map(|replica| replica.stream.as_str())
    }

    /// The replicas of a stream.
    pub(crate) fn of_stream(&self, stream: &str) -> impl Iterator<Item = &Replica> {
        let ids = self.by_stream.get(stream).into_iter().flatten();
        ids.filter_map(|id| self.all.get(id))
    }

    /// The stream of a replica.
    pub(crate) fn stream(&self, id: RelayId) -> Option<&str> {
        self.all.get(&id).map(|replica| replica.stream.as_str())
    }

    /// Stores new counters.
    pub(crate) fn count(&mut self, id: RelayId, counts: Vec<FlowCounts>) {
        if let Some(replica) = self.all.get_mut(&id) {
            replica.counts = counts;
        }
    }

    /// Notes an event of a replica's flow; false if this is no replica. A refusal is no fault: a
    /// server refuses while it has no viewer.
    pub(crate) fn observe(&mut self, id: RelayId, event: FlowEvent) -> bool {
        let Some(replica) = self.all.get_mut(&id) else { return false };
        match event {
            FlowEvent::Unreachable { errno, .. } => {
                replica.error = Some(io::Error::from_raw_os_error(errno).to_string());
            }
            FlowEvent::Failed => replica.error = Some("the data plane failed".to_owned()),
            FlowEvent::Firewalled { .. } => {
                replica.error = Some("a firewall rejects its packets".to_owned());
            }
            FlowEvent::Refused { .. } | FlowEvent::Probed { .. } | FlowEvent::Report(_) => {}
        }
        true
    }

    /// Takes the result of opening a replica; false if this is no replica.
    pub(crate) fn opened(
        &mut self,
        id: RelayId,
        failure: Option<&OpenFailure>,
        unix: u64,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(replica) = self.all.get_mut(&id) else { return false };
        self.opening -= 1;
        replica.open = failure.is_none();
        if let Some(why) = failure {
            replica.enter(SourceState::Failed, Some(why.to_string()), unix, effects);
        }
        true
    }

    /// Ends the replicas that the catalogue and the relays no longer want, or want otherwise.
    pub(crate) fn end_unwanted(
        &mut self,
        catalog: &Catalog,
        relays: &RelayTable,
        effects: &mut Vec<Effect>,
    ) {
        self.all.retain(|id, replica| {
            let mut plans = wanted(catalog, relays, &replica.stream);
            let goes_on = plans.any(|plan| *plan == replica.plan);
            if !goes_on {
                effects.extend(replica.open.then_some(Effect::Close(*id)));
                effects.push(replica.entry(None));
            }
            if !goes_on && let Some(ids) = self.by_stream.get_mut(&replica.stream) {
                ids.retain(|one| one != id);
            }
            goes_on
        });
    }

    /// Brings the replicas into line with the catalogue and the relays, and opens those that are
    /// down, with the sockets of new interfaces. While some are being opened, that waits for the
    /// next round.
    pub(crate) fn tend(
        &mut self,
        catalog: &Catalog,
        relays: &mut Relays,
        pulls: &mut Pulls,
        at: Moment,
        effects: &mut Vec<Effect>,
    ) {
        if self.opening > 0 {
            return;
        }
        self.end_unwanted(catalog, relays.table(), effects);
        for stream in &self.streams {
            for plan in wanted(catalog, relays.table(), stream) {
                let ids = self.by_stream.entry(stream.clone()).or_default();
                let mut known = ids.iter().filter_map(|id| self.all.get(id));
                if !known.any(|one| one.plan == *plan) {
                    let id = relays.new_id();
                    ids.push(id);
                    self.all.insert(id, Replica::new(stream, plan, at));
                }
            }
        }
        for (id, replica) in &mut self.all {
            replica.look(at.unix, effects);
            let down = !replica.open || replica.state == SourceState::Failed;
            if down && replica.retry <= at.now {
                effects.extend(replica.open.then_some(Effect::Close(*id)));
                (replica.retry, replica.sent, replica.open) = (at.now + RETRY, 0, false);
                replica.counts.clear();
                pulls.need(catalog, &replica.stream, effects);
                pulls.taken(&replica.stream);
                let (stream, pairs) = (replica.stream.clone(), replica.plan.pairs.clone());
                effects.push(Effect::Open { relay: *id, stream, pairs });
                self.opening += 1;
            }
        }
    }

    /// Closes all, for good.
    pub(crate) fn close_all(&mut self, effects: &mut Vec<Effect>) {
        let open = std::mem::take(&mut self.all).into_iter().filter(|(_, replica)| replica.open);
        effects.extend(open.map(|(id, _)| Effect::Close(id)));
        self.by_stream.clear();
    }

    /// The replicas of a stream, those that don't run included.
    pub(crate) fn statuses(&self, stream: &catalog::Stream) -> Vec<ReplicaStatus> {
        let status = |plan: &catalog::Replica| {
            let mut running = self.of_stream(&stream.name);
            let running = running.find(|replica| replica.plan == *plan);
            running.map_or_else(|| idle_replica(plan), Replica::status)
        };
        stream.replicas.iter().map(status).collect()
    }
}

/// The replicas of a stream that are to be sent now.
fn wanted<'a>(
    catalog: &'a Catalog,
    relays: &RelayTable,
    stream: &str,
) -> impl Iterator<Item = &'a catalog::Replica> + use<'a> {
    let relayed = relays.has_stream(stream);
    let plans = catalog.stream(stream).into_iter().flat_map(|stream| &stream.replicas);
    plans.filter(move |replica| match replica.run {
        Run::Always => true,
        Run::OnDemand => relayed,
        Run::Elsewhere => false,
    })
}
