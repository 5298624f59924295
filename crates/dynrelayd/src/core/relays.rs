//! All relays: opens them, follows their states, closes them, and keeps their history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use catalog::{Catalog, Route};
use control::{ErrorCode, Event, Refused};
use forward::FlowEvent;
use lifecycle::{Lifecycle, Output};
use model::{CloseReason, State};
use rtp::Feedback;

use super::effect::{Answer, Effect, unknown_edge, unknown_stream};
use super::history::History;
use super::input::{CallId, FlowCounts, FlowEnds, Moment, OpenFailure, RelayId, RelayName};
use super::log_event::{Closed, LogEvent, OpenCause};
use super::open_failures::OpenFailures;
use super::pulls::Pulls;
use super::relay::Relay;
use super::relay_table::RelayTable;

/// All relays, and the relays that closed.
#[derive(Debug)]
pub(crate) struct Relays {
    table: RelayTable,
    lifecycle: Lifecycle,
    /// Closed relays that wait for their last counters: the reason, and the caller who stopped
    /// them.
    closing: BTreeMap<RelayId, (Relay, CloseReason, Option<CallId>)>,
    /// For each relay that was not accepted last time: when its grace at full rate began.
    tried: BTreeMap<RelayName, Instant>,
    failures: OpenFailures,
    history: History,
    next_id: RelayId,
    changed: bool,
}

/// The result of opening a relay.
#[derive(Debug)]
pub(crate) enum Opening {
    /// It runs.
    Open(RelayName),
    /// Why it does not.
    Failed(Refused),
}

impl Relays {
    /// No relays yet.
    pub(crate) fn new() -> Self {
        Self {
            table: RelayTable::default(),
            lifecycle: Lifecycle::new(),
            closing: BTreeMap::new(),
            tried: BTreeMap::new(),
            failures: OpenFailures::default(),
            history: History::default(),
            next_id: 1,
            changed: false,
        }
    }

    /// The relays that run or are being opened.
    pub(crate) fn table(&self) -> &RelayTable {
        &self.table
    }

    /// The same, for new counters.
    pub(crate) fn table_mut(&mut self) -> &mut RelayTable {
        &mut self.table
    }

    /// The life of each relay.
    pub(crate) fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// The relays that closed.
    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// A relay's state; [`State::Closed`] if there is none.
    pub(crate) fn state(&self, id: RelayId) -> State {
        self.lifecycle.state(id).unwrap_or(State::Closed)
    }

    /// A number that no relay or replica has.
    pub(crate) fn new_id(&mut self) -> RelayId {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Whether relays came or went.
    pub(crate) fn have_changed(&self) -> bool {
        self.changed
    }

    /// The names of the open relays, if any came or went since the last call.
    pub(crate) fn take_changed(&mut self) -> Option<BTreeSet<RelayName>> {
        std::mem::take(&mut self.changed).then(|| self.table.names())
    }

    /// The answer to a start of this relay, if it could not be opened in the last seconds.
    pub(crate) fn recent_failure(&mut self, name: &RelayName, now: Instant) -> Option<Refused> {
        self.failures.answer(name, now)
    }

    /// Begins to open a relay; none if its route has no flow.
    pub(crate) fn open(
        &mut self,
        route: &Arc<Route>,
        cause: OpenCause,
        catalog: &Catalog,
        pulls: &mut Pulls,
        at: Moment,
        effects: &mut Vec<Effect>,
    ) -> Option<RelayId> {
        let id = self.new_id();
        self.table.insert(Relay::new(id, Arc::clone(route), cause, at)?);
        pulls.need(catalog, &route.stream, effects);
        let (stream, pairs) = (route.stream.clone(), route.pairs.clone());
        effects.push(Effect::Open { relay: id, stream, pairs });
        Some(id)
    }

    /// Takes the result of opening a relay; none if there is no such relay.
    pub(crate) fn opened(
        &mut self,
        id: RelayId,
        result: Result<Vec<FlowEnds>, OpenFailure>,
        catalog: &Catalog,
        at: Moment,
        effects: &mut Vec<Effect>,
    ) -> Option<Opening> {
        let failure = match result {
            Ok(ends) => {
                let relay = self.table.get_mut(id)?;
                relay.opened(ends, at.now);
                let (name, address) = (relay.name.clone(), relay.address);
                self.failures.forget(&name);
                let (kinds, rules) = (relay.kinds(), catalog.rules(&name.stream));
                let tried = self.tried.get(&name).copied();
                self.lifecycle.start(id, address, &kinds, rules, tried, at.now);
                self.changed = true;
                let RelayName { stream, edge } = name.clone();
                effects.push(Effect::Log(LogEvent::Opened { stream, edge, address }));
                self.act(at, effects);
                return Some(Opening::Open(name));
            }
            Err(failure) => failure,
        };
        let relay = self.table.remove(id)?;
        let (RelayName { stream, edge }, why) = (relay.name.clone(), failure.to_string());
        let code = match failure {
            OpenFailure::Limit(_) => ErrorCode::Limit,
            OpenFailure::Failed(_) => ErrorCode::Internal,
        };
        let refused = Refused::new(code, format!("{stream}/{edge}: {why}"));
        let cause = relay.opening.unwrap_or(OpenCause::Start);
        if let Some(count) = self.failures.record(&relay.name, refused.clone(), at.now) {
            effects.push(Effect::Log(LogEvent::Failed { stream, edge, cause, why, count }));
        }
        Some(Opening::Failed(refused))
    }

    /// Opens the relays of this list again, as far as the catalogue still has them.
    pub(crate) fn resume(
        &mut self,
        names: Vec<RelayName>,
        catalog: &Catalog,
        pulls: &mut Pulls,
        at: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let cause = OpenCause::Resume;
        for RelayName { stream, edge } in names {
            match catalog.route(&stream, &edge) {
                Ok(route) => drop(self.open(route, cause, catalog, pulls, at, effects)),
                Err(refusal) => {
                    let why = refusal.to_string();
                    let failed = LogEvent::Failed { stream, edge, cause, why, count: 1 };
                    effects.push(Effect::Log(failed));
                }
            }
        }
    }

    /// Renews an open relay, because a viewer asked for it.
    pub(crate) fn renew(&mut self, id: RelayId, at: Moment, effects: &mut Vec<Effect>) {
        self.lifecycle.renew(id, at.now);
        self.act(at, effects);
    }

    /// Takes an event of a flow.
    pub(crate) fn observe(&mut self, relay: RelayId, flow: usize, event: FlowEvent, now: Instant) {
        let seen = match event {
            FlowEvent::Refused { sequence } => lifecycle::Input::Refused { sequence },
            FlowEvent::Firewalled { .. } => lifecycle::Input::Firewalled,
            FlowEvent::Unreachable { .. } => lifecycle::Input::Unreachable,
            FlowEvent::Probed { sequence } => lifecycle::Input::Probed { sequence },
            FlowEvent::Report(Feedback::Viewers(count)) => lifecycle::Input::Viewers(count),
            FlowEvent::Report(Feedback::ReceiverReport) => lifecycle::Input::ReceiverReport,
            FlowEvent::Failed => return self.lifecycle.stop(relay, CloseReason::Failed, now),
        };
        self.lifecycle.observe(relay, flow, seen, now);
    }

    /// Lets the lifecycle draw its conclusions.
    pub(crate) fn poll(&mut self, at: Moment, effects: &mut Vec<Effect>) {
        self.lifecycle.poll(at.now);
        self.act(at, effects);
    }

    /// Performs the lifecycle's instructions.
    pub(crate) fn act(&mut self, at: Moment, effects: &mut Vec<Effect>) {
        for output in self.lifecycle.take_outputs() {
            match output {
                Output::Gate { relay, flow, gate } => {
                    let known = self.table.get(relay).is_some();
                    effects.extend(known.then_some(Effect::SetGate { relay, flow, gate }));
                }
                Output::Entered { relay, state } => {
                    let Some(relay) = self.table.get_mut(relay) else { continue };
                    relay.since = at.unix;
                    if state == State::Live {
                        relay.refusals.forgive(relay.media_refusals());
                    }
                    let RelayName { stream, edge } = relay.name.clone();
                    effects.push(publish(&relay.name, state, None, at));
                    effects.push(Effect::Log(LogEvent::State { stream, edge, state }));
                }
                Output::Closed { relay, reason, tried } => {
                    let Some(relay) = self.table.remove(relay) else { continue };
                    match tried {
                        Some(tried) => self.tried.insert(relay.name.clone(), tried),
                        None => self.tried.remove(&relay.name),
                    };
                    effects.push(Effect::Close(relay.id));
                    self.closing.insert(relay.id, (relay, reason, None));
                    self.changed = true;
                }
            }
        }
    }

    /// Takes the last counters of a relay that is over.
    pub(crate) fn closed(
        &mut self,
        id: RelayId,
        counts: Vec<FlowCounts>,
        at: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let Some((mut relay, reason, call)) = self.closing.remove(&id) else { return };
        relay.count(counts);
        relay.since = at.unix;
        let answers = self.lifecycle.edge_answers(relay.address);
        let mut end = relay.detail(State::Closed, None, answers);
        end.relay.reason = Some(reason);
        if let Some(call) = call {
            effects.push(Effect::Reply { call, answer: Answer::Stopped(end.relay.clone()) });
        }
        effects.push(Effect::Log(LogEvent::Closed(Box::new(Closed {
            end: end.clone(),
            reason,
            seconds: relay.seconds(at.now),
            viewers: relay.viewer_time.most,
            watched: relay.viewer_time.watched(),
        }))));
        self.history.remember(end, reason);
        effects.push(publish(&relay.name, State::Closed, Some(reason), at));
    }

    /// Closes a relay at a caller's request. The answer has its last counters.
    pub(crate) fn stop(
        &mut self,
        call: CallId,
        name: &RelayName,
        catalog: &Catalog,
        at: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refused> {
        let RelayName { stream, edge } = name;
        let Some(relay) = self.table.find(stream, edge) else {
            return Err(if catalog.stream(stream).is_none() {
                unknown_stream(stream)
            } else if catalog.edge(edge).is_none() {
                unknown_edge(edge)
            } else {
                let message = format!("{stream} is not relayed to {edge}");
                Refused::new(ErrorCode::UnknownStream, message)
            });
        };
        let id = relay.id;
        self.lifecycle.stop(id, CloseReason::Stopped, at.now);
        self.act(at, effects);
        if let Some((_, _, stopped_by)) = self.closing.get_mut(&id) {
            *stopped_by = Some(call);
        }
        Ok(())
    }

    /// Closes all relays.
    pub(crate) fn stop_all(&mut self, at: Moment, effects: &mut Vec<Effect>) {
        for relay in self.table.iter() {
            self.lifecycle.stop(relay.id, CloseReason::Stopped, at.now);
        }
        self.act(at, effects);
    }

    /// Brings the relays into line with a new catalogue. Relays whose route is as it was go on
    /// undisturbed; those that have none any more close, and those whose route changed close and
    /// start anew.
    pub(crate) fn reroute(
        &mut self,
        catalog: &Catalog,
        pulls: &mut Pulls,
        at: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let mut changed = Vec::new();
        for relay in self.table.iter() {
            let route = catalog.route(&relay.name.stream, &relay.name.edge).ok();
            if route != Some(&relay.route) {
                self.lifecycle.stop(relay.id, CloseReason::NotInCatalog, at.now);
                changed.extend(route);
            }
        }
        self.act(at, effects);
        for route in changed {
            self.open(route, OpenCause::Reroute, catalog, pulls, at, effects);
        }
    }

    /// Judges each relay by its fresh counters.
    pub(crate) fn judge(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        for relay in self.table.iter_mut() {
            relay.measure(now);
            relay.viewer_time.count(self.lifecycle.viewers(relay.id, now), now);
            if let Some(count) = relay.refusals.due(relay.media_refusals(), now) {
                let RelayName { stream, edge } = relay.name.clone();
                let live = self.lifecycle.state(relay.id) == Some(State::Live);
                effects.push(Effect::Log(LogEvent::Refusals { stream, edge, live, count }));
            }
            let forged = relay.counters().map(|counters| counters.forged).sum();
            if let Some((count, offender)) = relay.forged.due(forged, now) {
                let RelayName { stream, edge } = relay.name.clone();
                effects.push(Effect::Log(LogEvent::Forged { stream, edge, offender, count }));
            }
            for (flow, counters) in relay.counters().enumerate() {
                let (received, sent) = (counters.received, counters.packets);
                let traffic = lifecycle::Input::Traffic { received, sent };
                self.lifecycle.observe(relay.id, flow, traffic, now);
            }
        }
    }
}

fn publish(name: &RelayName, state: State, reason: Option<CloseReason>, at: Moment) -> Effect {
    let RelayName { stream, edge } = name.clone();
    Effect::Publish(Event { at: at.unix, stream, edge, state, reason })
}
