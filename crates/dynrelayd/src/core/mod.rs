//! Every decision of the daemon: pure.
//!
//! [`Core::handle`] takes an [`Input`] with the time and returns [`Effect`]s. It has no socket,
//! thread, file, clock or randomness. Only [`Core`] sees all parts; each part owns its fields and gets
//! the other parts as arguments.

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
mod relay;
mod relay_table;
mod relays;
mod reload;
mod replicas;
#[cfg(test)]
mod simulation;
mod starts;
mod stream_list;
mod stream_pages;
#[cfg(test)]
mod testing;
mod viewer_time;
mod views;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use catalog::{Catalog, Config, ConfigError, Severity};
use control::{ErrorCode, Pong, Refused, Request};

pub(crate) use effect::{Answer, Effect, PullOrder, stopping};
pub(crate) use input::{
    CallId, EdgeAnswer, FlowCounts, FlowEnds, Input, OpenFailure, PullReport, Question, RelayId,
    RelayName,
};
pub(crate) use log_event::{Closed, LogEvent, OpenCause};
pub(crate) use on_air::Audible;
pub(crate) use rate_limit::RateLimit;
pub(crate) use relay::paths;

use edge_choice::Wish;
use input::Moment;
use loop_warning::LoopWarnings;
use on_air::OnAir;
use pulls::{PullNews, Pulls};
use rate_history::TotalRates;
use relays::Relays;
use reload::Reloads;
use replicas::Replicas;
use starts::{Needs, Starts};
use stream_list::StreamChoice;
use stream_pages::StreamPages;
use views::Views;

/// How often the counters are read while anything is relayed.
const ROUND: Duration = Duration::from_millis(500);
/// How many scans of administrators may run at a time.
const SCANS: usize = 4;

/// All decisions, with the state that they need.
#[derive(Debug)]
pub(crate) struct Core {
    catalog: Arc<Catalog>,
    relays: Relays,
    replicas: Replicas,
    pulls: Pulls,
    starts: Starts,
    on_air: OnAir,
    pages: StreamPages,
    scans: HashSet<CallId>,
    rates: TotalRates,
    loops: LoopWarnings,
    reloads: Reloads,
    /// The requests that wait for fresh counters.
    looks: Vec<(CallId, Request)>,
    /// Whether counters were asked for.
    counting: bool,
    /// When the last round began, and whether it waits for counters.
    round: Instant,
    round_due: bool,
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
            relays: Relays::new(),
            replicas,
            pulls: Pulls::default(),
            starts,
            on_air: OnAir::default(),
            pages: StreamPages::default(),
            scans: HashSet::new(),
            rates: TotalRates::new(now),
            loops: LoopWarnings::default(),
            reloads: Reloads::default(),
            looks: Vec::new(),
            counting: false,
            round: now,
            round_due: false,
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
        self.relays.act(at, &mut self.effects);
        self.pass_time(at);
        if let Some(names) = self.relays.take_changed().filter(|_| !self.stopping) {
            self.effects.push(Effect::SaveState(names));
            self.tell_status();
        }
        std::mem::take(&mut self.effects)
    }

    /// The time at which something is due without an input.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let times = [
            self.is_busy().then(|| self.round + ROUND),
            self.starts.next_wake(),
            self.relays.lifecycle().next_wake(),
            self.on_air.next_wake(),
            self.pulls.next_wake(),
        ];
        times.into_iter().flatten().min()
    }

    fn is_busy(&self) -> bool {
        let relaying = !self.relays.table().is_empty() || !self.replicas.is_empty();
        relaying || !self.pulls.is_empty()
    }

    /// The starts, with the other parts that they need.
    fn starts(&mut self, at: Moment) -> (&mut Starts, Needs<'_>) {
        let (catalog, relays, pulls) = (&self.catalog, &mut self.relays, &mut self.pulls);
        let needs = Needs { catalog, relays, pulls, effects: &mut self.effects, at };
        (&mut self.starts, needs)
    }

    fn take(&mut self, input: Input, at: Moment) {
        match input {
            Input::Request { call, .. } if self.stopping => self.refuse(call, stopping()),
            Input::Request { call, request } => self.request(call, request, at),
            Input::Flow { relay, flow, event } => {
                if !self.replicas.observe(relay, event) {
                    self.relays.observe(relay, flow, event, at.now);
                }
            }
            Input::Counters(counts) => self.count(counts, at),
            Input::Opened { relay, result } => self.opened(relay, result, at),
            Input::Closed { relay, counts } => {
                self.relays.closed(relay, counts, at, &mut self.effects);
            }
            Input::EdgeAnswer { question, answer } => {
                let (starts, mut needs) = self.starts(at);
                starts.edge_answered(question, answer, &mut needs);
            }
            Input::OnAir(results) => {
                let callers = self.on_air.learn(results, at.now);
                self.tell_streams(callers, at);
            }
            Input::ScanEnded(call) => drop(self.scans.remove(&call)),
            Input::Pull(report) => {
                let stream = report.stream.clone();
                let news = self.pulls.learn(report, &mut self.effects);
                let (starts, mut needs) = self.starts(at);
                match news {
                    PullNews::None => {}
                    PullNews::Settled => starts.pull_settled(&stream, &mut needs),
                    PullNews::CantStart(why) => starts.pull_failed(&stream, &why, &mut needs),
                }
            }
            Input::CatalogRead(result) => self.catalog_read(result, at),
            Input::Resume(names) => {
                let (catalog, pulls) = (Arc::clone(&self.catalog), &mut self.pulls);
                self.relays.resume(names, &catalog, pulls, at, &mut self.effects);
                self.tell_status();
                self.tend_replicas(at);
            }
            Input::Reload => self.reload(None),
            Input::Stop => self.stop_all(at),
            Input::Tick => {}
        }
    }

    fn request(&mut self, call: CallId, request: Request, at: Moment) {
        match request {
            Request::Start { stream, edge, client } => {
                let (starts, mut needs) = self.starts(at);
                starts.ask(call, Wish { stream, edge, client }, &mut needs);
            }
            Request::Stop { stream, edge } => {
                let name = RelayName { stream, edge };
                let stopped = self.relays.stop(call, &name, &self.catalog, at, &mut self.effects);
                if let Err(refused) = stopped {
                    self.refuse(call, refused);
                }
            }
            Request::List { .. } | Request::Show { .. } | Request::Streams { .. } => {
                self.looks.push((call, request));
                self.read_counters();
            }
            Request::Ping | Request::Events => {
                let pong = Pong {
                    version: env!("CARGO_PKG_VERSION").into(),
                    pid: self.pid,
                    uptime: at.now.saturating_duration_since(self.began).as_secs(),
                    closed: self.relays.history().counts().clone(),
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

    fn opened(&mut self, id: RelayId, result: Result<Vec<FlowEnds>, OpenFailure>, at: Moment) {
        if self.replicas.opened(id, result.as_ref().err(), at.unix, &mut self.effects) {
            return;
        }
        let opening = self.relays.opened(id, result, &self.catalog, at, &mut self.effects);
        let Some(opening) = opening else { return };
        if let relays::Opening::Open(name) = &opening {
            self.pulls.taken(&name.stream);
        }
        let (starts, mut needs) = self.starts(at);
        starts.opened(id, &opening, &mut needs);
    }

    // Views, and the passing of time.

    fn views(&self, at: Moment) -> Views<'_> {
        Views {
            catalog: &self.catalog,
            relays: &self.relays,
            replicas: &self.replicas,
            pulls: &self.pulls,
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
            Request::Streams { listen, page, search } => {
                let choice = StreamChoice { page, search };
                // A page that nobody listened for is not kept: it may not know what is on air.
                let kept = if listen { self.pages.get(&choice, at.now) } else { None };
                if let Some(list) = kept {
                    return self.reply(call, Answer::Streams(list));
                }
                let list = self.views(at).streams(&self.catalog, &choice);
                if listen {
                    let silent = self.views(at).silent(list.pick().0);
                    if self.on_air.listen(silent, at.now, &mut self.effects) {
                        return self.on_air.wait(call, choice, at.now);
                    }
                    self.pages.put(list.clone(), at.now);
                }
                self.reply(call, Answer::Streams(list));
            }
            _ => {}
        }
    }

    fn tell_streams(&mut self, callers: Vec<(CallId, StreamChoice)>, at: Moment) {
        for (call, choice) in callers {
            let made = self.pages.get(&choice, at.now).unwrap_or_else(|| {
                let list = self.views(at).streams(&self.catalog, &choice);
                self.pages.put(list.clone(), at.now);
                list
            });
            self.reply(call, Answer::Streams(made));
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
        if !std::mem::replace(&mut self.counting, true) {
            self.effects.push(Effect::ReadCounters);
        }
    }

    /// Takes fresh counters: once a round for the lifecycle, and for views.
    fn count(&mut self, counts: Vec<(RelayId, Vec<FlowCounts>)>, at: Moment) {
        self.counting = false;
        for (id, counts) in counts {
            let relay = self.relays.table_mut().get_mut(id);
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
            self.relays.judge(at.now, &mut self.effects);
        }
        let table = self.relays.table_mut();
        self.rates.step(at, |step| {
            let relays = table.iter_mut();
            relays.map(|relay| relay.rates.step(step, relay.bytes(), at)).sum()
        });
        for (call, request) in std::mem::take(&mut self.looks) {
            self.look(call, request, at);
        }
    }

    fn tend_replicas(&mut self, at: Moment) {
        let (relays, pulls) = (&mut self.relays, &mut self.pulls);
        self.replicas.tend(&self.catalog, relays, pulls, at, &mut self.effects);
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
        self.relays.poll(at, &mut self.effects);
        if self.relays.have_changed() && !self.stopping {
            self.tend_replicas(at);
        }
        let (starts, mut needs) = self.starts(at);
        starts.poll(&mut needs);
        let late = self.on_air.take_late(at.now);
        self.tell_streams(late, at);
        let needed = |stream: &str| {
            let relayed = self.relays.table().has_stream(stream) || self.starts.has_stream(stream);
            relayed || self.replicas.of_stream(stream).next().is_some()
        };
        self.pulls.end_unneeded(at.now, needed, &mut self.effects);
    }

    fn tell_status(&mut self) {
        let (relays, streams) = (self.relays.table().len(), self.catalog.streams().len());
        let edges = self.catalog.edges().len();
        self.effects.push(Effect::Status { relays, streams, edges });
    }

    // Reload and stop.

    fn reload(&mut self, call: Option<CallId>) {
        if self.reloads.ask(call) {
            self.effects.push(Effect::ReadCatalog(Arc::clone(&self.catalog)));
        }
    }

    /// Takes a new catalogue into use, unless dynrelay.toml has a fault.
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
                self.effects.extend(faults.lines().map(|fault| {
                    let text = format!("nothing is changed: {fault}");
                    Effect::Log(LogEvent::Fault { text, error: true })
                }));
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
            self.effects.push(Effect::Log(LogEvent::NeedsRestart));
        }
        self.starts.set_rate(limits.starts_per_second);
        self.effects.push(Effect::SetLimits(*limits));
        self.replicas.set_catalog(&catalog);
        let old = std::mem::replace(&mut self.catalog, catalog);
        // This comes first, so that the ports of changed replicas and relays are free.
        let (catalog, effects) = (&self.catalog, &mut self.effects);
        self.replicas.end_unwanted(catalog, self.relays.table(), effects);
        let ended = self.pulls.reconcile(catalog, effects);
        self.relays.reroute(catalog, &mut self.pulls, at, effects);
        self.tend_replicas(at);
        let (starts, mut needs) = self.starts(at);
        ended.iter().for_each(|stream| starts.pull_settled(stream, &mut needs));
        let (streams, edges) = (self.catalog.streams().len(), self.catalog.edges().len());
        self.effects.push(Effect::Log(LogEvent::Reloaded { streams, edges }));
        self.tell_status();
        self.pages.clear();
        self.effects.push(Effect::Retire(old));
    }

    /// Closes everything, and answers all waiting callers. The state file keeps the relays for the
    /// next daemon.
    fn stop_all(&mut self, at: Moment) {
        self.stopping = true;
        self.relays.stop_all(at, &mut self.effects);
        let starts = self.starts.close(&mut self.effects).into_iter();
        let looks = std::mem::take(&mut self.looks).into_iter().map(|(call, _)| call);
        let lists = self.on_air.take_all().into_iter().map(|(call, _)| call);
        let all = starts.chain(looks).chain(self.reloads.take_all()).chain(lists);
        for call in all.collect::<Vec<_>>() {
            self.refuse(call, stopping());
        }
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
