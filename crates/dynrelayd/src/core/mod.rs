//! Every decision of the daemon: pure.
//!
//! [`Core::handle`] takes an [`Input`] with the time and returns [`Effect`]s. It has no socket,
//! thread, file, clock or randomness. Only [`Core`] sees all parts; each part owns its fields and is
//! given what it needs.

mod edge_cache;
mod edge_choice;
mod effect;
mod history;
mod input;
mod log_event;
mod log_summary;
mod loop_warning;
mod network_limit;
mod on_air;
mod open_failures;
mod pulls;
mod rate_history;
mod rate_limit;
mod relays;
mod reload;
mod replicas;
#[cfg(test)]
mod simulation;

mod starts;
#[cfg(test)]
mod testing;
mod viewer_time;
mod views;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use catalog::{Catalog, Config, ConfigError, Route, Severity};
use control::{ErrorCode, Event, Pong, Refused, Request};
use forward::FlowEvent;
use lifecycle::{Lifecycle, Output};
use model::{CloseReason, State};
use rtp::Feedback;

pub(crate) use edge_cache::{EdgeAnswer, Question};
pub(crate) use effect::{Answer, Effect, PullOrder};
pub(crate) use input::{CallId, FlowCounts, FlowEnds, Input, OpenFailure, RelayId};
pub(crate) use log_event::{Closed, LogEvent, OpenCause};
pub(crate) use on_air::Audible;
pub(crate) use pulls::PullReport;
pub(crate) use rate_limit::RateLimit;
pub(crate) use relays::{RelayName, paths};

use edge_cache::EdgeCache;
use edge_choice::{Chooser, Place, Wish, unknown_edge, unknown_stream};
use history::History;
use input::Moment;
use log_summary::LogSummary;
use loop_warning::LoopWarnings;
use on_air::OnAir;
use pulls::{Coming, PullNews, Pulls};
use rate_history::TotalRates;
use relays::{Relay, Relays};
use reload::Reloads;
use replicas::Replicas;
use starts::{Start, Starts, WaitsFor};
use views::Views;

/// How often the counters are read while anything is relayed.
const ROUND: Duration = Duration::from_millis(500);
/// How many scans of administrators may run at a time.
const SCANS: usize = 4;

/// All decisions, with the state that they need.
#[derive(Debug)]
pub(crate) struct Core {
    catalog: Arc<Catalog>,
    lifecycle: Lifecycle,
    relays: Relays,
    /// Closed relays that wait for their last counters: the reason, and the caller who stopped
    /// them.
    closing: BTreeMap<RelayId, (Relay, CloseReason, Option<CallId>)>,
    /// For each relay that was not accepted last time: when its grace at full rate began.
    tried: BTreeMap<RelayName, Instant>,
    replicas: Replicas,
    pulls: Pulls,
    starts: Starts,
    edges: EdgeCache,
    on_air: OnAir,
    scans: HashSet<CallId>,
    history: History,
    rates: TotalRates,
    loops: LoopWarnings,
    summary: LogSummary,
    reloads: Reloads,
    /// The next number of a relay or replica.
    next_id: RelayId,
    /// The requests that wait for fresh counters.
    looks: Vec<(CallId, Request)>,
    /// Whether a reading of the counters is under way, and when the last round began.
    counting: bool,
    round: Instant,
    round_due: bool,
    /// The relays have changed since the state file was written.
    changed: bool,
    stopping: bool,
    began: Instant,
    pid: u32,
    effects: Vec<Effect>,
}

impl Core {
    /// No relays yet. `pid` is the number of this process, for `ping`.
    pub(crate) fn new(catalog: Arc<Catalog>, pid: u32, now: Instant) -> Self {
        let starts = Starts::new(catalog.config().limits.starts_per_second, now);
        let mut replicas = Replicas::default();
        replicas.set_catalog(&catalog);
        Self {
            catalog,
            lifecycle: Lifecycle::new(),
            relays: Relays::default(),
            closing: BTreeMap::new(),
            tried: BTreeMap::new(),
            replicas,
            pulls: Pulls::default(),
            starts,
            edges: EdgeCache::default(),
            on_air: OnAir::default(),
            scans: HashSet::new(),
            history: History::default(),
            rates: TotalRates::new(now),
            loops: LoopWarnings::default(),
            summary: LogSummary::default(),
            reloads: Reloads::default(),
            next_id: 1,
            looks: Vec::new(),
            counting: false,
            round: now,
            round_due: false,
            changed: false,
            stopping: false,
            began: now,
            pid,
            effects: Vec::new(),
        }
    }

    /// Handles an input, and does everything that is due. The shell performs the effects at once
    /// and in order. If an input answers an effect, it comes before any other input.
    pub(crate) fn handle(&mut self, input: Input, now: Instant, unix: SystemTime) -> Vec<Effect> {
        let unix = unix.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let at = Moment { now, unix };
        self.take(input, at);
        self.act(at);
        self.pass_time(at);
        if std::mem::take(&mut self.changed) && !self.stopping {
            self.effects.push(Effect::SaveState(self.relays.names()));
            self.tell_status();
        }
        std::mem::take(&mut self.effects)
    }

    /// The time at which something is due without an input.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let times = [
            self.is_busy().then(|| self.round + ROUND),
            self.starts.next_wake(),
            self.lifecycle.next_wake(),
            self.summary.next_wake(),
            self.on_air.next_wake(),
            self.pulls.next_wake(),
        ];
        times.into_iter().flatten().min()
    }

    fn is_busy(&self) -> bool {
        !self.relays.is_empty() || !self.replicas.is_empty() || !self.pulls.is_empty()
    }

    fn take(&mut self, input: Input, at: Moment) {
        match input {
            Input::Request { call, .. } if self.stopping => self.refuse(call, stopping()),
            Input::Request { call, request } => self.request(call, request, at),
            Input::Flow { relay, flow, event } => self.observe(relay, flow, event, at.now),
            Input::Counters(counts) => self.count(counts, at),
            Input::Opened { relay, result } => self.opened(relay, result, at),
            Input::Closed { relay, counts } => self.closed(relay, counts, at),
            Input::EdgeAnswer { question, answer } => {
                let asked = question.clone();
                let resumed = self.starts.take(
                    |_, on| matches!(on, WaitsFor::Edges(questions) if questions.contains(&asked)),
                );
                let wanted = |question: &Question| self.starts.want(question);
                self.edges.learn(question, answer, wanted, at.now, &mut self.effects);
                self.resume(resumed, at);
            }
            Input::OnAir(results) => {
                let callers = self.on_air.learn(results, at.now);
                self.tell_streams(&callers, at);
            }
            Input::ScanEnded(call) => drop(self.scans.remove(&call)),
            Input::Pull(report) => {
                let name = report.stream.clone();
                let news = self.pulls.learn(report, &mut self.effects);
                let waits =
                    |wish: &Wish, on: &WaitsFor| *on == WaitsFor::Pull && wish.stream == name;
                match news {
                    PullNews::None => {}
                    PullNews::Settled => {
                        let resumed = self.starts.take(waits);
                        self.resume(resumed, at);
                    }
                    PullNews::CantStart(refused) => {
                        for start in self.starts.take(waits) {
                            self.answer_start(&start, Err(refused.clone()), at);
                        }
                    }
                }
            }
            Input::CatalogRead(result) => self.catalog_read(result, at),
            Input::Resume(names) => self.resume_relays(names, at),
            Input::Reload => self.reload(None),
            Input::Stop => self.stop_all(at),
            Input::Tick => {}
        }
    }

    fn request(&mut self, call: CallId, request: Request, at: Moment) {
        match request {
            Request::Start { stream, edge, client } => {
                let start = Start::new(call, Wish { stream, edge, client }, at.now);
                self.start(start, at);
            }
            Request::Stop { stream, edge } => self.stop(call, &stream, &edge, at),
            Request::List { .. } | Request::Show { .. } | Request::Streams { .. } => {
                self.looks.push((call, request));
                self.read_counters();
            }
            Request::Ping | Request::Events => {
                let pong = Pong {
                    version: env!("CARGO_PKG_VERSION").into(),
                    pid: self.pid,
                    uptime: at.now.saturating_duration_since(self.began).as_secs(),
                    closed: self.history.counts().clone(),
                };
                self.reply(call, Answer::Pong(pong));
            }
            Request::Reload => self.reload(Some(call)),
            Request::Scan { streams, quick, .. } => self.scan(call, &streams, quick),
        }
    }

    fn reply(&mut self, call: CallId, answer: Answer) {
        self.effects.push(Effect::Reply { call, answer });
    }

    fn refuse(&mut self, call: CallId, refused: Refused) {
        self.reply(call, Answer::Refused(refused));
    }

    fn log(&mut self, event: LogEvent) {
        self.effects.push(Effect::Log(event));
    }

    // Starts.

    fn start(&mut self, mut start: Start, at: Moment) {
        let chooser = Chooser {
            catalog: &self.catalog,
            relays: &self.relays,
            lifecycle: &self.lifecycle,
            edges: &self.edges,
        };
        let waits_for = match chooser.choose(&start.wish, at.now, &mut self.effects) {
            Ok(Place::Origin(started)) => return self.answer_start(&start, Ok(started), at),
            Ok(Place::Unknown(questions)) => {
                for question in &questions {
                    self.edges.ask(question, &mut self.effects);
                }
                Ok(WaitsFor::Edges(questions))
            }
            Ok(Place::Edge(edge)) => match self.watch(&mut start, &edge, at) {
                Ok(None) => return self.answer_started(&start, &edge, at),
                Ok(Some(waits_for)) => Ok(waits_for),
                Err(refused) => Err(refused),
            },
            Err(refused) => Err(refused),
        };
        match waits_for {
            Ok(waits_for) => self.starts.wait(start, waits_for),
            Err(refused) => self.answer_start(&start, Err(refused), at),
        }
    }

    /// Makes sure that the stream is relayed to this edge. Returns what the start must wait for.
    fn watch(
        &mut self,
        start: &mut Start,
        edge: &str,
        at: Moment,
    ) -> Result<Option<WaitsFor>, Refused> {
        let catalog = Arc::clone(&self.catalog);
        let stream = catalog.stream(&start.wish.stream);
        let stream = stream.ok_or_else(|| unknown_stream(&start.wish.stream))?;
        let (limits, relays) = (&catalog.config().limits, self.relays.len());
        if stream.source.is_some() {
            match self.pulls.coming(&stream.name) {
                Coming::Yes => {}
                Coming::Soon if self.starts.is_crowded(&stream.name) => {
                    return Err(self.pulls.late(&stream.name));
                }
                Coming::Soon => return Ok(Some(WaitsFor::Pull)),
                Coming::Idle => {
                    self.starts.admit(start, relays, limits, at.now)?;
                    self.pulls.need(stream, &mut self.effects);
                    return Ok(Some(WaitsFor::Pull));
                }
                Coming::Failed(refused) => {
                    self.keep_pulling(&stream.name, at.now);
                    return Err(refused);
                }
            }
        }
        match self.relays.find(&stream.name, edge) {
            Some(relay) if relay.opening.is_some() => Ok(Some(WaitsFor::Opened(relay.id))),
            Some(relay) => {
                self.lifecycle.renew(relay.id, at.now);
                self.act(at);
                Ok(None)
            }
            None => {
                let unfit = |refusal: catalog::Refusal| {
                    Refused::new(ErrorCode::NoConsent, refusal.to_string())
                };
                let route = catalog.route(&stream.name, edge).map_err(unfit)?;
                let name = RelayName { stream: stream.name.clone(), edge: edge.to_owned() };
                if let Some(refused) = self.starts.failures.answer(&name, at.now) {
                    return Err(refused);
                }
                self.starts.admit(start, relays, limits, at.now)?;
                let opened = self.open(Arc::clone(route), OpenCause::Start, at);
                opened.map(|id| Some(WaitsFor::Opened(id))).ok_or_else(|| unknown_edge(edge))
            }
        }
    }

    /// Keeps the pull for the viewer's next try. An open relay keeps the pull itself, as long as it
    /// is open.
    fn keep_pulling(&mut self, stream: &str, now: Instant) {
        if !self.relays.has_stream(stream) {
            self.pulls.keep(stream, now);
        }
    }

    fn resume(&mut self, starts: Vec<Start>, at: Moment) {
        for start in starts {
            self.start(start, at);
        }
    }

    fn answer_started(&mut self, start: &Start, edge: &str, at: Moment) {
        let chooser = Chooser {
            catalog: &self.catalog,
            relays: &self.relays,
            lifecycle: &self.lifecycle,
            edges: &self.edges,
        };
        let relay = self.relays.find(&start.wish.stream, edge);
        let state = relay.and_then(|relay| self.lifecycle.state(relay.id));
        let edge = self.catalog.edge(edge).ok_or_else(|| unknown_edge(edge));
        let answer = edge.map(|edge| chooser.at_edge(&start.wish.stream, edge, state));
        self.answer_start(start, answer, at);
    }

    fn answer_start(
        &mut self,
        start: &Start,
        answer: Result<control::Started, Refused>,
        at: Moment,
    ) {
        let Start { call, wish, .. } = start;
        self.summary.note(&wish.stream, wish.client, &answer, at.now, &mut self.effects);
        match answer {
            Ok(started) => self.reply(*call, Answer::Started(started)),
            Err(refused) => self.refuse(*call, refused),
        }
    }

    fn give_up_waiting(&mut self, at: Moment) {
        for (start, waits_for) in self.starts.take_late(at.now) {
            let stream = &start.wish.stream;
            let refused = match waits_for {
                WaitsFor::Pull => {
                    self.keep_pulling(stream, at.now);
                    self.pulls.late(stream)
                }
                WaitsFor::Edges(_) | WaitsFor::Opened(_) => {
                    let message = format!("{stream}: no edge answered in time");
                    Refused::new(ErrorCode::EdgeUnreachable, message)
                }
            };
            self.answer_start(&start, Err(refused), at);
        }
    }

    // Relays.

    /// Begins to open a relay; none if its route has no flow.
    fn open(&mut self, route: Arc<Route>, cause: OpenCause, at: Moment) -> Option<RelayId> {
        let (id, stream, pairs) = (self.next_id, route.stream.clone(), route.pairs.clone());
        let relay = Relay::new(id, route, cause, at)?;
        self.next_id += 1;
        if let Some(stream) = self.catalog.stream(&stream) {
            self.pulls.need(stream, &mut self.effects);
        }
        self.relays.insert(relay);
        self.effects.push(Effect::Open { relay: id, stream, pairs });
        Some(id)
    }

    fn opened(&mut self, id: RelayId, result: Result<Vec<FlowEnds>, OpenFailure>, at: Moment) {
        if self.replicas.opened(id, result.as_ref().err(), at.unix, &mut self.effects) {
            return;
        }
        let waiting = self.starts.take(|_, on| *on == WaitsFor::Opened(id));
        match result {
            Ok(ends) => {
                let Some(relay) = self.relays.get_mut(id) else { return };
                relay.opened(ends, at.now);
                self.starts.failures.forget(&relay.name);
                let tried = self.tried.get(&relay.name).copied();
                let (RelayName { stream, edge }, address) = (relay.name.clone(), relay.address);
                let (kinds, rules) = (relay.kinds(), self.catalog.rules(&stream));
                self.lifecycle.start(id, address, &kinds, rules, tried, at.now);
                self.pulls.taken(&stream);
                self.changed = true;
                self.log(LogEvent::Opened { stream, edge: edge.clone(), address });
                self.act(at);
                waiting.iter().for_each(|start| self.answer_started(start, &edge, at));
            }
            Err(failure) => {
                let Some(relay) = self.relays.remove(id) else { return };
                let (name, why) = (relay.name, failure.to_string());
                let RelayName { stream, edge } = name.clone();
                let refused = Refused::new(
                    match failure {
                        OpenFailure::Limit(_) => ErrorCode::Limit,
                        OpenFailure::Failed(_) => ErrorCode::Internal,
                    },
                    format!("{stream}/{edge}: {why}"),
                );
                let cause = relay.opening.unwrap_or(OpenCause::Start);
                if let Some(count) = self.starts.failures.record(&name, refused.clone(), at.now) {
                    self.log(LogEvent::Failed { stream, edge, cause, why, count });
                }
                for start in waiting {
                    self.starts.give_back(&start);
                    self.answer_start(&start, Err(refused.clone()), at);
                }
            }
        }
    }

    fn resume_relays(&mut self, names: Vec<RelayName>, at: Moment) {
        let catalog = Arc::clone(&self.catalog);
        for RelayName { stream, edge } in names {
            match catalog.route(&stream, &edge) {
                Ok(route) => drop(self.open(Arc::clone(route), OpenCause::Resume, at)),
                Err(refusal) => {
                    let (cause, why) = (OpenCause::Resume, refusal.to_string());
                    self.log(LogEvent::Failed { stream, edge, cause, why, count: 1 });
                }
            }
        }
        self.tell_status();
        self.tend_replicas(at);
    }

    /// Handles an event of a flow.
    fn observe(&mut self, relay: RelayId, flow: usize, event: FlowEvent, now: Instant) {
        if self.replicas.observe(relay, event) {
            return;
        }
        let seen = match event {
            FlowEvent::Refused => lifecycle::Input::Refused { sequence: None },
            FlowEvent::Unreachable { .. } => lifecycle::Input::Unreachable,
            FlowEvent::Probed => lifecycle::Input::Probed { sequence: None },
            FlowEvent::Report(Feedback::Viewers(count)) => lifecycle::Input::Viewers(count),
            FlowEvent::Report(Feedback::ReceiverReport) => lifecycle::Input::ReceiverReport,
            FlowEvent::Failed => return self.lifecycle.stop(relay, CloseReason::Failed, now),
        };
        self.lifecycle.observe(relay, flow, seen, now);
    }

    /// Performs the lifecycle's instructions.
    fn act(&mut self, at: Moment) {
        for output in self.lifecycle.take_outputs() {
            match output {
                Output::Gate { relay, flow, gate } => {
                    if self.relays.get(relay).is_some() {
                        self.effects.push(Effect::SetGate { relay, flow, gate });
                    }
                }
                Output::Entered { relay, state } => {
                    let Some(relay) = self.relays.get_mut(relay) else { continue };
                    relay.since = at.unix;
                    if state == State::Live {
                        relay.refusals.forgive(relay.media_refusals());
                    }
                    let RelayName { stream, edge } = relay.name.clone();
                    self.publish(stream.clone(), edge.clone(), state, None, at);
                    self.log(LogEvent::State { stream, edge, state });
                }
                Output::Closed { relay, reason, tried } => {
                    let Some(relay) = self.relays.remove(relay) else { continue };
                    match tried {
                        Some(tried) => self.tried.insert(relay.name.clone(), tried),
                        None => self.tried.remove(&relay.name),
                    };
                    self.effects.push(Effect::Close(relay.id));
                    self.closing.insert(relay.id, (relay, reason, None));
                    self.changed = true;
                }
            }
        }
    }

    /// Handles the last counters of a closed relay.
    fn closed(&mut self, id: RelayId, counts: Vec<FlowCounts>, at: Moment) {
        let Some((mut relay, reason, call)) = self.closing.remove(&id) else { return };
        relay.count(counts);
        relay.since = at.unix;
        let answers = self.lifecycle.edge_answers(relay.address);
        let mut end = relay.detail(State::Closed, None, answers);
        end.relay.reason = Some(reason);
        let RelayName { stream, edge } = relay.name.clone();
        if let Some(call) = call {
            self.reply(call, Answer::Stopped(end.relay.clone()));
        }
        self.log(LogEvent::Closed(Box::new(Closed {
            end: end.clone(),
            reason,
            seconds: relay.seconds(at.now),
            viewers: relay.viewer_time.most,
            watched: relay.viewer_time.watched(),
        })));
        self.history.remember(end, reason);
        self.publish(stream, edge, State::Closed, Some(reason), at);
    }

    fn publish(
        &mut self,
        stream: String,
        edge: String,
        state: State,
        reason: Option<CloseReason>,
        at: Moment,
    ) {
        let event = Event { at: at.unix, stream, edge, state, reason };
        self.effects.push(Effect::Publish(event));
    }

    /// Closes a relay at a caller's request. The answer has its last counters.
    fn stop(&mut self, call: CallId, stream: &str, edge: &str, at: Moment) {
        let Some(relay) = self.relays.find(stream, edge) else {
            let refused = if self.catalog.stream(stream).is_none() {
                unknown_stream(stream)
            } else if self.catalog.edge(edge).is_none() {
                unknown_edge(edge)
            } else {
                let message = format!("{stream} is not relayed to {edge}");
                Refused::new(ErrorCode::UnknownStream, message)
            };
            return self.refuse(call, refused);
        };
        let id = relay.id;
        self.lifecycle.stop(id, CloseReason::Stopped, at.now);
        self.act(at);
        match self.closing.get_mut(&id) {
            Some((_, _, stopped_by)) => *stopped_by = Some(call),
            None => {
                let message = format!("{stream}/{edge} is being opened: try again");
                self.refuse(call, Refused::new(ErrorCode::Internal, message));
            }
        }
    }

    // Views, and the passing of time.

    fn views(&self, at: Moment) -> Views<'_> {
        Views {
            catalog: &self.catalog,
            relays: &self.relays,
            replicas: &self.replicas,
            pulls: &self.pulls,
            lifecycle: &self.lifecycle,
            history: &self.history,
            on_air: &self.on_air,
            total: &self.rates.history,
            at,
        }
    }

    /// Answers a request that waited for fresh counters.
    fn look(&mut self, call: CallId, request: Request, at: Moment) {
        match request {
            Request::List { all, rates } => {
                let list = self.views(at).list(all, rates);
                self.reply(call, Answer::List(list));
            }
            Request::Show { stream, edge } => match self.views(at).show(&stream, edge.as_deref()) {
                Ok(show) => self.reply(call, Answer::Show(show)),
                Err(refused) => self.refuse(call, refused),
            },
            Request::Streams { listen } => {
                let audible = if listen { self.views(at).audible() } else { Vec::new() };
                if self.on_air.listen(audible, at.now, &mut self.effects) {
                    self.on_air.wait(call, at.now);
                } else {
                    self.tell_streams(&[call], at);
                }
            }
            _ => {}
        }
    }

    fn tell_streams(&mut self, callers: &[CallId], at: Moment) {
        if callers.is_empty() {
            return;
        }
        let streams = self.views(at).streams();
        for call in callers {
            self.reply(*call, Answer::Streams(streams.clone()));
        }
    }

    /// Lets a caller listen to those of these streams that are not pulled.
    fn scan(&mut self, call: CallId, streams: &[String], quick: bool) {
        if self.scans.len() >= SCANS {
            let why = "too many scans run: try again when one of them is over";
            return self.refuse(call, Refused::new(ErrorCode::Limit, why));
        }
        let known = streams.iter().filter_map(|name| self.catalog.stream(name));
        let arriving = known.filter(|stream| stream.source.is_none());
        let media = arriving.flat_map(|stream| scan::Media::of(stream).unwrap_or_default());
        let media = media.collect();
        self.scans.insert(call);
        self.effects.push(Effect::Scan { call, media, quick });
    }

    fn read_counters(&mut self) {
        if !self.counting {
            self.counting = true;
            self.effects.push(Effect::ReadCounters);
        }
    }

    /// Takes fresh counters: once a round for the lifecycle, and for views.
    fn count(&mut self, counts: Vec<(RelayId, Vec<FlowCounts>)>, at: Moment) {
        self.counting = false;
        for (id, counts) in counts {
            let relay = self.relays.get_mut(id);
            let stream = relay.as_ref().map(|relay| relay.name.stream.as_str());
            if let Some(stream) = stream.or_else(|| self.replicas.stream(id)) {
                self.loops.look(stream, &counts, at.now, &mut self.effects);
            }
            match relay {
                Some(relay) => relay.count(counts),
                None => self.replicas.count(id, counts),
            }
        }
        if std::mem::take(&mut self.round_due) {
            self.tend_replicas(at);
            self.judge_relays(at.now);
        }
        self.rates.step(&mut self.relays, at);
        for (call, request) in std::mem::take(&mut self.looks) {
            self.look(call, request, at);
        }
    }

    /// Judges each relay by its fresh counters.
    fn judge_relays(&mut self, now: Instant) {
        for relay in self.relays.iter_mut() {
            relay.measure(now);
            relay.viewer_time.count(self.lifecycle.viewers(relay.id, now), now);
            if let Some(count) = relay.refusals.due(relay.media_refusals(), now) {
                let RelayName { stream, edge } = relay.name.clone();
                let live = self.lifecycle.state(relay.id) == Some(State::Live);
                self.effects.push(Effect::Log(LogEvent::Refusals { stream, edge, live, count }));
            }
            for (flow, counters) in relay.counters().enumerate() {
                let (received, sent) = (counters.received, counters.packets);
                let traffic = lifecycle::Input::Traffic { received, sent };
                self.lifecycle.observe(relay.id, flow, traffic, now);
            }
        }
    }

    fn tend_replicas(&mut self, at: Moment) {
        self.replicas.tend(
            &self.catalog,
            &self.relays,
            &mut self.pulls,
            &mut self.next_id,
            at,
            &mut self.effects,
        );
    }

    /// Does what is due. If a reading of the counters is under way, the lifecycle waits for it:
    /// after a pause, no relay closes because of missing readings.
    fn pass_time(&mut self, at: Moment) {
        if self.is_busy() && at.now >= self.round + ROUND {
            self.round = at.now;
            self.round_due = true;
            self.read_counters();
        }
        if self.counting {
            return;
        }
        self.lifecycle.poll(at.now);
        self.act(at);
        if self.changed && !self.stopping {
            self.tend_replicas(at);
        }
        self.give_up_waiting(at);
        self.summary.poll(at.now, &mut self.effects);
        let late = self.on_air.take_late(at.now);
        self.tell_streams(&late, at);
        let needed = |stream: &str| {
            let relayed = self.relays.has_stream(stream) || self.starts.has_stream(stream);
            relayed || self.replicas.of_stream(stream).next().is_some()
        };
        self.pulls.end_unneeded(at.now, needed, &mut self.effects);
    }

    fn tell_status(&mut self) {
        let (relays, streams) = (self.relays.len(), self.catalog.streams().len());
        let edges = self.catalog.edges().len();
        self.effects.push(Effect::Status { relays, streams, edges });
    }

    // Reload and stop.

    fn reload(&mut self, call: Option<CallId>) {
        if self.reloads.ask(call) {
            self.effects.push(Effect::ReadCatalog(Arc::clone(&self.catalog)));
        }
    }

    /// Takes a new catalogue into use. Relays with the same route go on; relays without a route
    /// close; relays with another route close and start anew. A fault in dynrelay.toml changes
    /// nothing.
    fn catalog_read(&mut self, result: Result<Arc<Catalog>, ConfigError>, at: Moment) {
        let result = match result {
            _ if self.stopping => return,
            Ok(catalog) => {
                self.swap(catalog, at);
                Ok(reload::reloaded(&self.catalog))
            }
            Err(error) => {
                // A line for each fault in the log; a single line in the answer.
                let faults = error.to_string();
                for fault in faults.lines() {
                    let text = format!("nothing is changed: {fault}");
                    self.log(LogEvent::Fault { text, error: true });
                }
                Err(Refused::new(ErrorCode::BadRequest, faults.replace('\n', "; ")))
            }
        };
        if self.reloads.end(&result, &mut self.effects) {
            self.effects.push(Effect::ReadCatalog(Arc::clone(&self.catalog)));
        }
    }

    fn swap(&mut self, catalog: Arc<Catalog>, at: Moment) {
        self.effects.extend(faults(&catalog).map(Effect::Log));
        let Config { daemon, limits, .. } = catalog.config();
        if *daemon != self.catalog.config().daemon {
            self.log(LogEvent::NeedsRestart);
        }
        self.starts.rate.set_rate(limits.starts_per_second);
        self.effects.push(Effect::SetLimits(*limits));
        self.replicas.set_catalog(&catalog);
        let old = std::mem::replace(&mut self.catalog, catalog);
        // This comes first, so that the ports of changed replicas and relays are free.
        self.replicas.end_unwanted(&self.catalog, &self.relays, &mut self.effects);
        let ended = self.pulls.reconcile(&self.catalog, &mut self.effects);
        self.reroute(at);
        self.tend_replicas(at);
        let resumed =
            self.starts.take(|wish, on| *on == WaitsFor::Pull && ended.contains(&wish.stream));
        self.resume(resumed, at);
        let (streams, edges) = (self.catalog.streams().len(), self.catalog.edges().len());
        self.log(LogEvent::Reloaded { streams, edges });
        self.tell_status();
        self.effects.push(Effect::Retire(old));
    }

    /// Adapts the open relays to the catalogue.
    fn reroute(&mut self, at: Moment) {
        let catalog = Arc::clone(&self.catalog);
        let mut changed = Vec::new();
        for relay in self.relays.iter() {
            let RelayName { stream, edge } = &relay.name;
            let route = catalog.route(stream, edge).ok();
            if route != Some(&relay.route) {
                self.lifecycle.stop(relay.id, CloseReason::NotInCatalog, at.now);
                changed.extend(route.cloned());
            }
        }
        self.act(at);
        for route in changed {
            self.open(route, OpenCause::Reroute, at);
        }
    }

    /// Closes everything, and answers all waiting callers. The state file keeps the relays for the
    /// next daemon.
    fn stop_all(&mut self, at: Moment) {
        self.stopping = true;
        let ids: Vec<RelayId> = self.relays.iter().map(|relay| relay.id).collect();
        for id in ids {
            self.lifecycle.stop(id, CloseReason::Stopped, at.now);
        }
        self.act(at);
        let starts = self.starts.take(|_, _| true).into_iter().map(|start| start.call);
        let looks = std::mem::take(&mut self.looks).into_iter().map(|(call, _)| call);
        let all = starts.chain(looks).chain(self.reloads.take_all()).chain(self.on_air.take_all());
        for call in all.collect::<Vec<_>>() {
            self.refuse(call, stopping());
        }
        self.summary.close(&mut self.effects);
        self.replicas.close_all(&mut self.effects);
        self.pulls.end_all(&mut self.effects);
    }
}

/// The problems of a catalogue's files, for the log.
pub(crate) fn faults(catalog: &Catalog) -> impl Iterator<Item = LogEvent> {
    catalog.problems().iter().map(|problem| LogEvent::Fault {
        text: problem.to_string(),
        error: problem.severity == Severity::Error,
    })
}

fn stopping() -> Refused {
    Refused::new(ErrorCode::Internal, "dynrelayd is stopping")
}
