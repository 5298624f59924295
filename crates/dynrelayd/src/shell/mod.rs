//! Everything that touches the system: sockets, threads, files, signals.
//!
//! [`Shell::run`] takes one message after the other, passes it to the core, and performs the
//! core's effects at once.

mod clients;
mod control_socket;
mod edge_probe;
mod file_lock;
mod flow_plan;
mod listener;
mod message;
mod on_air;
mod permissions;
mod pull_threads;
mod reader;
mod session;
mod signals;
mod state_file;
mod systemd;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use catalog::{Catalog, Pair};
use control::Event;
use forward::{Flow, Plane};
use model::Gate;
use tracing::info;

use crate::core::{
    self, Answer, CallId, Core, Effect, FlowCounts, FlowEnds, Input, OpenFailure, RelayId,
};
use crate::log::relay_log;
use crate::sandbox;
use clients::Clients;
use control_socket::ControlSocket;
use message::{Message, ReplyTo, ScanRequest};
use pull_threads::PullThreads;
use reader::Reader;
use state_file::StateFile;
use systemd::Watchdog;

/// How late due work may be done, so that several things are done at once.
const SLACK: Duration = Duration::from_millis(20);
/// File descriptors that no relay may use. Callers, a reload's files and edge probes need them.
const RESERVE: usize = 32;

/// Everything that the core must not hold.
struct Shell {
    core: Core,
    plane: Plane,
    flows: HashMap<RelayId, Vec<Flow>>,
    pulls: PullThreads,
    reader: Reader,
    state_file: StateFile,
    clients: Arc<Clients>,
    /// The callers who wait for an answer.
    callers: HashMap<CallId, ReplyTo>,
    last_call: u64,
    /// The followers of events.
    followers: Vec<SyncSender<String>>,
    sender: Sender<Message>,
    watchdog: Watchdog,
}

/// Sets everything up, serves until a signal stops it, and takes everything down.
pub(crate) fn run(config: &Path) -> Result<()> {
    let catalog = reader::load(config)?;
    let daemon = catalog.config().daemon.clone();
    crate::log::start(daemon.log_level, daemon.log_format);
    let socket = ControlSocket::open(&daemon.socket, daemon.socket_group.as_deref())?;
    // This comes before any other thread. The catalogue is read again under confinement, so that a
    // file that a reload could not read is reported now.
    let catalog = if daemon.confine {
        sandbox::start(config, catalog.config());
        drop(catalog);
        reader::load(config)?
    } else {
        catalog
    };
    reader::trim_memory();
    core::faults(&catalog).for_each(|fault| relay_log::write(&fault));

    let (sender, inbox) = mpsc::channel();
    signals::listen(sender.clone()).context("can't listen for signals")?;
    let clients = Clients::new(catalog.config().limits);
    let listener = socket.listener.try_clone().context("can't copy the control socket")?;
    let mut shell = Shell::new(config.to_owned(), catalog, Arc::clone(&clients), sender.clone())?;
    listener::open(listener, clients, sender).context("can't serve the control socket")?;
    let version = env!("CARGO_PKG_VERSION");
    info!(name: "up", socket = %daemon.socket.display(), version, "dynrelayd is up");
    systemd::ready();
    let resumed = shell.state_file.relays().cloned().collect();
    shell.feed(Input::Resume(resumed));
    shell.run(&inbox);
    systemd::stopping();
    shell.feed(Input::Stop);
    shell.pulls.wait();
    info!(name: "down", "dynrelayd stopped");
    Ok(())
}

impl Shell {
    fn new(
        config: PathBuf,
        catalog: Catalog,
        clients: Arc<Clients>,
        sender: Sender<Message>,
    ) -> Result<Self> {
        let events = sender.clone();
        let plane = Plane::start(flow_plan::settings(&catalog), move |notice| {
            // There is no receiver only while the daemon stops.
            let _ = events.send(Message::Flow(notice));
        })
        .context("can't start the workers that forward packets")?;
        let state_file =
            StateFile::load(&catalog.config().daemon.state, catalog.config().limits.relays)
                .context("can't start the thread that writes the state file")?;
        let now = Instant::now();
        Ok(Self {
            core: Core::new(Arc::new(catalog), std::process::id(), now),
            plane,
            flows: HashMap::new(),
            pulls: PullThreads::new(sender.clone()),
            reader: Reader::new(config, sender.clone()),
            state_file,
            clients,
            callers: HashMap::new(),
            last_call: 0,
            followers: Vec::new(),
            sender,
            watchdog: Watchdog::of_the_service(now),
        })
    }

    /// Serves until a signal stops it.
    fn run(&mut self, inbox: &Receiver<Message>) {
        loop {
            let wake =
                [self.core.next_wake(), self.watchdog.next_wake()].into_iter().flatten().min();
            let message = match wake {
                Some(at) => {
                    let wait = at.saturating_duration_since(Instant::now());
                    inbox.recv_timeout(wait.max(SLACK))
                }
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match message {
                // All senders are gone only if the signals' thread is gone, too.
                Ok(Message::Input(Input::Stop)) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => self.feed(Input::Tick),
            }
            self.watchdog.poll(Instant::now());
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Input(input) => {
                if matches!(input, Input::CatalogRead(_)) {
                    systemd::ready();
                }
                self.feed(input);
            }
            Message::Flow(notice) => {
                let (relay, flow) = (notice.relay, notice.flow);
                for event in notice.read() {
                    self.feed(Input::Flow { relay, flow, event });
                }
            }
            Message::Request { request, reply } => {
                self.last_call += 1;
                let call = CallId(self.last_call);
                self.callers.insert(call, reply);
                self.feed(Input::Request { call, request });
            }
        }
    }

    /// Passes an input to the core, performs the effects, and passes their answers back.
    fn feed(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for effect in self.core.handle(input, Instant::now(), SystemTime::now()) {
                inputs.extend(self.perform(effect));
            }
        }
    }

    /// Performs an effect. Returns the input that answers it, if that is known at once.
    fn perform(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Open { relay, stream, pairs } => {
                let result = self.open(relay, &stream, &pairs);
                return Some(Input::Opened { relay, result });
            }
            Effect::Close(relay) => {
                let flows = self.flows.remove(&relay).unwrap_or_default();
                return Some(Input::Closed { relay, counts: counts(&flows) });
            }
            Effect::SetGate { relay, flow, gate } => {
                if let Some(flow) = self.flows.get(&relay).and_then(|flows| flows.get(flow)) {
                    flow.set_gate(gate);
                }
            }
            Effect::ReadCounters => {
                let all = self.flows.iter().map(|(relay, flows)| (*relay, counts(flows)));
                return Some(Input::Counters(all.collect()));
            }
            Effect::StartPull(order) => return self.pulls.start(order),
            Effect::EndPull(stream) => self.pulls.end(&stream),
            Effect::AskEdge(question) => return edge_probe::ask(question, self.sender.clone()),
            Effect::Listen(streams) => {
                return on_air::listen(streams, &self.plane, self.sender.clone());
            }
            Effect::Scan { call, media, quick } => self.scan(call, media, quick),
            Effect::ReadCatalog(before) => {
                systemd::reloading();
                return self.reader.read(before);
            }
            Effect::Retire(catalog) => self.reader.retire(catalog),
            Effect::SetLimits(limits) => self.clients.set_limits(limits),
            Effect::Reply { call, answer } => self.reply(call, answer),
            Effect::Publish(event) => self.publish(&event),
            Effect::SaveState(relays) => self.state_file.save(relays),
            Effect::Log(event) => relay_log::write(&event),
            Effect::Status { relays, streams, edges } => {
                let line = format!("relays: {relays}, streams: {streams}, edges: {edges}");
                systemd::status(&line);
            }
        }
        None
    }

    fn open(
        &mut self,
        relay: RelayId,
        stream: &str,
        pairs: &[Pair],
    ) -> Result<Vec<FlowEnds>, OpenFailure> {
        let failed = |error: String| OpenFailure::Failed(error);
        let pulled = self.pulls.outputs(stream);
        let media = flow_plan::media(pairs, &pulled);
        let flows = self.plane.open(relay, &media, Gate::Open);
        let flows = flows.map_err(|error| failed(error.to_string()))?;
        reserve().map_err(|error| {
            OpenFailure::Limit(format!(
                "no more relays can be opened: {error}; raise LimitNOFILE in dynrelayd's unit"
            ))
        })?;
        let arrivals =
            core::paths(pairs).map(|(_, _, path)| flow_plan::arrival(&path.source, &pulled));
        let ends = arrivals.zip(&flows).map(|(from, flow)| FlowEnds { from, via: flow.local() });
        let ends = ends.collect();
        self.flows.insert(relay, flows);
        Ok(ends)
    }

    fn scan(&mut self, call: CallId, media: Vec<scan::Media>, quick: bool) {
        let request = ScanRequest::open(call, &self.plane, media, quick, self.sender.clone());
        if let Some(ReplyTo::Scan(caller)) = self.callers.remove(&call) {
            // If the caller has hung up, dropping the request ends the scan.
            let _ = caller.send(Ok(request));
        }
    }

    fn reply(&mut self, call: CallId, answer: Answer) {
        match self.callers.remove(&call) {
            // A caller that has hung up needs no answer.
            Some(ReplyTo::Request(caller)) => drop(caller.send(answer)),
            Some(ReplyTo::Scan(caller)) => drop(caller.send(Err(Box::new(answer)))),
            Some(ReplyTo::Follow(caller)) => {
                // Confirms the subscription before the first event.
                let confirmed = caller.try_send(session::line(&answer)).is_ok();
                self.followers.extend(confirmed.then_some(caller));
            }
            None => {}
        }
    }

    /// Sends a change to the followers. Drops those who hung up or do not read.
    fn publish(&mut self, event: &Event) {
        let line = serde_json::to_string(event).unwrap_or_default();
        self.followers.retain(|follower| follower.try_send(line.clone()).is_ok());
    }
}

fn counts(flows: &[Flow]) -> Vec<FlowCounts> {
    let counts = |flow: &Flow| FlowCounts {
        counters: flow.counters(),
        gate: flow.gate(),
        returned_by: flow.take_returned(),
        forger: flow.take_forger(),
    };
    flows.iter().map(counts).collect()
}

/// Checks that a reserve of descriptors is left.
fn reserve() -> io::Result<()> {
    let stderr = io::stderr();
    let spare: io::Result<Vec<OwnedFd>> =
        (0..RESERVE).map(|_| stderr.as_fd().try_clone_to_owned()).collect();
    spare.map(drop)
}
