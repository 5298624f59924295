//! Binds the catalogue, the lifecycle and the data plane to what is asked and what happens.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use catalog::Catalog;
use control::{ErrorCode, Event, Pong, Refused, Reply, Request};
use forward::Plane;
use lifecycle::{Lifecycle, Output};
use model::{CloseReason, State};
use serde::Serialize;
use tracing::{info, warn};

use crate::core::history::History;
use crate::core::input::{Asked, Inbox, Input, Post, Watcher};
use crate::core::loop_warning::Returns;
use crate::core::on_air::Air;
use crate::core::pulls::Pulls;
use crate::core::rate_history::Pace;
use crate::core::rate_limit::Allowance;
use crate::core::relay::{Relay, RelayId, unix_time};
use crate::core::replicas::Replica;
use crate::core::scan_request::Hearings;
use crate::core::starts::Waiting;
use crate::core::tick::GLANCE;
use crate::log::log_summary::Turnstile;
use crate::log::relay_log::tell_of_end;
use crate::shell::clients::Guests;
use crate::shell::edge_probe::Reach;
use crate::shell::flow_plan::settings;
use crate::shell::session::line_of;
use crate::shell::state_file::{Memory, Remembered};
use crate::shell::systemd::{self, Watchdog};

/// How late something may happen by itself, so that of many relays several are seen to at once.
const SLACK: Duration = Duration::from_millis(20);

/// The one thread that decides.
#[derive(Debug)]
pub(crate) struct Supervisor {
    pub(crate) config: PathBuf,
    pub(crate) catalog: Catalog,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) plane: Plane,
    /// Those that are not closed.
    pub(crate) relays: BTreeMap<RelayId, Relay>,
    /// Those that are to be sent now, by numbers that no relay has.
    pub(crate) replicas: BTreeMap<RelayId, Replica>,
    pub(crate) returns: Returns,
    next_id: RelayId,
    pub(crate) history: History,
    memory: Memory,
    /// The relays are others than the memory holds.
    pub(crate) changed: bool,
    pub(crate) reach: Reach,
    pub(crate) air: Air,
    pub(crate) hearings: Hearings,
    pub(crate) pulls: Pulls,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) allowance: Allowance,
    pub(crate) guests: Arc<Guests>,
    pub(crate) turnstile: Turnstile,
    /// Of each stream and edge whose last relay was not accepted: when its grace at full rate
    /// began.
    pub(crate) tried: BTreeMap<(String, String), Instant>,
    watchers: Vec<Watcher>,
    began: Instant,
    /// When the counters were read last.
    pub(crate) glanced: Instant,
    /// Of all relays together.
    pub(crate) pace: Pace,
    /// When the last step of the paces ended, and its number.
    pub(crate) stepped: Instant,
    pub(crate) steps: u64,
    watchdog: Watchdog,
}

/// What came of a request.
pub(crate) type Answer<T> = Result<T, Refused>;

impl Supervisor {
    /// Starts the data plane, with no relay.
    pub(crate) fn new(
        config: PathBuf,
        catalog: Catalog,
        guests: Arc<Guests>,
        post: Post,
    ) -> Result<Self> {
        let now = Instant::now();
        let events = post.clone();
        let plane = Plane::start(settings(&catalog), move |event| {
            // Nobody listens any more only when the daemon is stopping.
            let _ = events.send(Input::Forward(event));
        })
        .context("can't start the workers that forward packets")?;
        let starts = catalog.config().limits.starts_per_second;
        let memory = Memory::load(&catalog.config().daemon.state)
            .context("can't start the thread that keeps the state file")?;
        Ok(Self {
            config,
            catalog,
            lifecycle: Lifecycle::new(),
            plane,
            relays: BTreeMap::new(),
            replicas: BTreeMap::new(),
            returns: Returns::default(),
            next_id: 1,
            history: History::default(),
            memory,
            changed: false,
            reach: Reach::new(post.clone()),
            pulls: Pulls::new(post.clone()),
            air: Air::new(post),
            hearings: Hearings::default(),
            waiting: Vec::new(),
            allowance: Allowance::new(starts, now),
            guests,
            turnstile: Turnstile::default(),
            tried: BTreeMap::new(),
            watchers: Vec::new(),
            began: now,
            glanced: now,
            pace: Pace::new(now),
            stepped: now,
            steps: 0,
            watchdog: Watchdog::of_the_service(now),
        })
    }

    /// Starts the relays again that ran when the last daemon ended, however it ended.
    pub(crate) fn resume(&mut self) {
        let now = Instant::now();
        for Remembered { stream, edge } in self.memory.relays().cloned().collect::<Vec<_>>() {
            let opened = match self.catalog.route(&stream, &edge).cloned() {
                Ok(route) => self.open(&stream, &edge, route, now).map_err(anyhow::Error::from),
                Err(refusal) => Err(refusal.into()),
            };
            if let Err(error) = opened {
                let (name, edge) = (&stream, &edge);
                warn!(name: "failed", stream = %name, %edge, "a relay that ran before the restart \
                    can't go on: {error}");
            }
        }
        self.act();
        self.tell_status();
        self.tend_replicas(now);
    }

    /// Serves until it is told to stop.
    pub(crate) fn run(&mut self, inbox: &Inbox) {
        loop {
            let now = Instant::now();
            let input = match self.next_wake() {
                Some(at) => inbox.recv_timeout(at.saturating_duration_since(now).max(SLACK)),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let now = Instant::now();
            match input {
                // Nobody posts any more only if the signals' thread is gone too.
                Ok(Input::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(input) => self.take(input, now),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.let_time_pass(now);
            self.remember();
            self.watchdog.poll(now);
        }
    }

    fn remember(&mut self) {
        if std::mem::take(&mut self.changed) {
            let relays = self.relays.values();
            let names = relays.map(|Relay { stream, edge, .. }| Remembered {
                stream: stream.clone(),
                edge: edge.clone(),
            });
            self.memory.save(names.collect());
            self.tell_status();
        }
    }

    /// Tells the service manager how much there is to do.
    pub(crate) fn tell_status(&self) {
        let (streams, edges) = (self.catalog.streams().count(), self.catalog.edges().len());
        let relays = self.relays.len();
        systemd::status(&format!("relays: {relays}, streams: {streams}, edges: {edges}"));
    }

    /// Closes every relay, and answers whoever waits. The memory keeps the relays, for the next
    /// daemon.
    pub(crate) fn close_all(&mut self) {
        let now = Instant::now();
        self.close(CloseReason::Stopped, now, |_| true);
        for waiting in self.waiting.drain(..) {
            let refused = Refused::new(ErrorCode::Internal, "dynrelayd is stopping");
            waiting.answer(Err(refused));
        }
        self.turnstile.close();
        self.pulls.end_all();
    }

    /// Closes the relays that `which` picks.
    pub(crate) fn close(&mut self, why: CloseReason, now: Instant, which: impl Fn(&Relay) -> bool) {
        let picked = self.relays.iter().filter(|(_, relay)| which(relay)).map(|(id, _)| *id);
        for id in picked.collect::<Vec<_>>() {
            self.lifecycle.stop(id, why, now);
        }
        self.act();
    }

    /// The relay of this stream to this edge, if there is one.
    pub(crate) fn find(&self, stream: &str, edge: &str) -> Option<(RelayId, &Relay)> {
        let mut all = self.relays.iter();
        all.find(|(_, relay)| relay.stream == stream && relay.edge == edge)
            .map(|(id, relay)| (*id, relay))
    }

    /// A relay's state.
    pub(crate) fn state(&self, id: RelayId) -> State {
        self.lifecycle.state(id).unwrap_or(State::Closed)
    }

    /// An id that no relay had before.
    pub(crate) fn new_id(&mut self) -> RelayId {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    fn next_wake(&self) -> Option<Instant> {
        let busy = !self.relays.is_empty() || !self.replicas.is_empty() || !self.pulls.is_empty();
        let glance = busy.then(|| self.glanced + GLANCE);
        let patience = self.waiting.iter().map(|waiting| waiting.deadline).min();
        let others = [
            self.lifecycle.next_wake(),
            self.turnstile.next_wake(),
            self.air.next_wake(),
            self.watchdog.next_wake(),
        ];
        [glance, patience].into_iter().chain(others).flatten().min()
    }

    fn take(&mut self, input: Input, now: Instant) {
        match input {
            Input::Asked(Asked { request: Request::Start { stream, edge, client }, reply }) => {
                self.start(Waiting::new(stream, edge, client, reply, now), now);
            }
            Input::Asked(Asked { request: Request::Streams { listen: true }, reply }) => {
                self.tell_streams(reply, now);
            }
            Input::Asked(Asked { request, reply }) => {
                // A caller that hung up meanwhile wants no answer.
                let _ = reply.send(self.answer(request, now));
            }
            Input::Watch(watcher) => {
                // The first line says that none is missed from now on.
                if watcher.try_send(line(Ok(self.pong(now)))).is_ok() {
                    self.watchers.push(watcher);
                }
            }
            Input::Audition { streams, quick, to } => {
                // Who hung up meanwhile listens to nothing.
                let _ = to.send(self.audition(&streams, quick));
            }
            Input::Forward(event) => self.observe(event, now),
            Input::Heard(heard) => self.learn(heard, now),
            Input::Reach(verdict) => {
                self.reach.learn(verdict, now);
                self.start_waiting(now);
            }
            Input::Pull(told) => {
                if self.pulls.learn(told) {
                    self.start_waiting(now);
                }
            }
            Input::Reload => {
                // What can't be used is in the log; nobody waits for an answer.
                let _ = self.reload(now);
            }
            Input::Stop => {}
        }
        self.act();
    }

    fn answer(&mut self, request: Request, now: Instant) -> String {
        match request {
            Request::Stop { stream, edge } => line(self.stop(&stream, &edge, now)),
            Request::List { all, rates } => {
                self.step(now);
                line(Ok(self.list(all, rates, now)))
            }
            Request::Show { stream, edge } => line(self.show(&stream, edge.as_deref(), now)),
            Request::Streams { .. } => line(Ok(self.streams(now))),
            Request::Ping => line(Ok(self.pong(now))),
            Request::Reload => line(self.reload(now)),
            Request::Start { .. } | Request::Scan { .. } | Request::Events => {
                line::<()>(Err(Refused::new(ErrorCode::BadRequest, "not answered in one line")))
            }
        }
    }

    fn pong(&self, now: Instant) -> Pong {
        Pong {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            uptime: now.saturating_duration_since(self.began).as_secs(),
            closed: self.history.counts().clone(),
        }
    }

    /// Does what the lifecycle decided.
    pub(crate) fn act(&mut self) {
        for output in self.lifecycle.take_outputs() {
            match output {
                Output::Gate { relay, flow, gate } => {
                    let flow = self.relays.get(&relay).and_then(|relay| relay.flows.get(flow));
                    if let Some(flow) = flow {
                        flow.set_gate(gate);
                    }
                }
                Output::Entered { relay, state } => {
                    if let Some(relay) = self.relays.get_mut(&relay) {
                        relay.since = unix_time();
                        if state == State::Live {
                            relay.storm.forgive(relay.media_refusals());
                        }
                        let (stream, edge) = (relay.stream.clone(), relay.edge.clone());
                        info!(name: "state", stream, edge, %state, "the relay is {state}");
                        self.tell(stream, edge, state, None);
                    }
                }
                Output::Closed { relay, reason, tried } => self.closed(relay, reason, tried),
            }
        }
    }

    /// Takes a relay out of the data plane and remembers it.
    fn closed(&mut self, id: RelayId, reason: CloseReason, tried: Option<Instant>) {
        let Some(mut relay) = self.relays.remove(&id) else { return };
        self.changed = true;
        relay.since = unix_time();
        let mut end = relay.detail(State::Closed, None, self.lifecycle.edge_answers(relay.address));
        end.relay.reason = Some(reason);
        tell_of_end(&relay, &end, reason);
        let (stream, edge) = (relay.stream, relay.edge);
        let name = (stream.clone(), edge.clone());
        match tried {
            Some(tried) => self.tried.insert(name, tried),
            None => self.tried.remove(&name),
        };
        self.history.remember(end);
        self.tell(stream, edge, State::Closed, Some(reason));
    }

    /// Tells the watchers of a change; those who hung up, or don't read, are watchers no more.
    fn tell(&mut self, stream: String, edge: String, state: State, reason: Option<CloseReason>) {
        let event = Event { at: unix_time(), stream, edge, state, reason };
        let line = serde_json::to_string(&event).unwrap_or_default();
        self.watchers.retain(|watcher| watcher.try_send(line.clone()).is_ok());
    }
}

/// An answer as a line.
fn line<T: Serialize>(answer: Answer<T>) -> String {
    line_of(&match answer {
        Ok(answer) => Reply::Ok(answer),
        Err(refused) => Reply::Error(refused),
    })
}
