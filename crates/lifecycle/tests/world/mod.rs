//! Origin, network and edges around a lifecycle, with a virtual clock.

mod checks;
mod edge;
mod random;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use lifecycle::{Input, Lifecycle, Output};
use model::{CloseReason, FlowKind, Gate, Rules, State};

pub(crate) use edge::{Edge, Path};
pub(crate) use random::Random;

/// The delay from the worker to the core, and back.
const INBOX: Duration = Duration::from_millis(1);

/// A stream on its way to one edge, with one relay after another.
pub(crate) struct Stream {
    pub(crate) edge: usize,
    pub(crate) paths: Vec<Path>,
    pub(crate) relay: Option<u64>,
    /// When its last grace at full rate began without acceptance.
    tried: Option<Instant>,
}

/// A flow as the data plane knows it.
#[derive(Clone)]
struct Socket {
    gate: Gate,
    /// The gate that the lifecycle set last.
    asked: Gate,
    received: u64,
    sent: u64,
    /// The packet that the last unread error quotes.
    pending: Option<u16>,
    refusals: u32,
}

pub(crate) struct Relay {
    pub(crate) stream: usize,
    pub(crate) started: Duration,
    pub(crate) state: State,
    /// The states that it entered, and when; the close comes last.
    pub(crate) history: Vec<(Duration, Option<State>)>,
    pub(crate) closed: Option<CloseReason>,
    outputs: Vec<Socket>,
}

impl Relay {
    /// Whether everything that arrived was sent.
    pub(crate) fn lossless(&self) -> bool {
        self.outputs.iter().all(|output| output.received == output.sent)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The source sends a packet.
    Packet { stream: usize, flow: usize },
    /// A packet reaches the edge.
    Arrival { relay: u64, flow: usize, sequence: u16 },
    /// An ICMP error reaches the origin.
    Error { relay: u64, flow: usize, sequence: u16 },
    /// The worker reads the socket's error.
    Refused { relay: u64, flow: usize },
    /// The core learns that a probe was sent.
    Probed { relay: u64, flow: usize, sequence: u16 },
    /// A gate reaches the worker: 0 open, 1 probe, 2 shut.
    Gate { relay: u64, flow: usize, gate: u8 },
    /// A viewer asks relay.cgi for a stream.
    Start { stream: usize },
    /// The edge reports its viewers.
    Report { stream: usize },
    /// The daemon reads the counters.
    Second,
    /// The lifecycle asked to be polled.
    Wake,
}

pub(crate) struct World {
    base: Instant,
    pub(crate) now: Duration,
    queue: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    number: u64,
    /// When the lifecycle wants to be polled next.
    wake: Option<Duration>,
    pub(crate) random: Random,
    pub(crate) life: Lifecycle,
    pub(crate) rules: Rules,
    pub(crate) edges: Vec<Edge>,
    pub(crate) streams: Vec<Stream>,
    pub(crate) relays: BTreeMap<u64, Relay>,
    pub(crate) trace: bool,
}

impl World {
    pub(crate) fn new(seed: u64, rules: Rules) -> Self {
        let mut world = Self {
            base: Instant::now(),
            now: Duration::ZERO,
            queue: BinaryHeap::new(),
            number: 0,
            wake: None,
            random: Random(seed),
            life: Lifecycle::new(),
            rules,
            edges: Vec::new(),
            streams: Vec::new(),
            relays: BTreeMap::new(),
            trace: false,
        };
        world.at(Duration::from_secs(1), Event::Second);
        world
    }

    fn at(&mut self, time: Duration, event: Event) {
        self.number += 1;
        self.queue.push(Reverse((time, self.number, event)));
    }

    /// Adds a stream whose sources send from now on. Returns its number.
    pub(crate) fn add(&mut self, edge: usize, paths: Vec<Path>) -> usize {
        let stream = self.streams.len();
        for (flow, path) in paths.iter().enumerate() {
            let phase = self.random.between(0, u64::try_from(path.pace.as_micros()).unwrap());
            self.at(self.now + Duration::from_micros(phase), Event::Packet { stream, flow });
        }
        if self.edges[edge].counts {
            self.at(self.now + Duration::from_secs(5), Event::Report { stream });
        }
        self.streams.push(Stream { edge, paths, relay: None, tried: None });
        stream
    }

    pub(crate) fn start_at(&mut self, time: Duration, stream: usize) {
        self.at(time, Event::Start { stream });
    }

    pub(crate) fn run(&mut self, until: Duration) {
        while let Some(Reverse((time, _, event))) = self.queue.peek().copied() {
            if time > until {
                break;
            }
            self.queue.pop();
            self.now = time;
            self.happen(event);
        }
        self.now = until;
    }

    pub(crate) fn instant(&self) -> Instant {
        self.base + self.now
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Packet { stream, flow } => self.packet(stream, flow),
            Event::Arrival { relay, flow, sequence } => self.arrival(relay, flow, sequence),
            Event::Error { relay, flow, sequence } => {
                let output = &mut self.relays.get_mut(&relay).unwrap().outputs[flow];
                if output.pending.replace(sequence).is_none() {
                    self.at(self.now + INBOX, Event::Refused { relay, flow });
                }
            }
            Event::Refused { relay, flow } => {
                let output = &mut self.relays.get_mut(&relay).unwrap().outputs[flow];
                let sequence = output.pending.take();
                output.refusals += 1;
                let edge = &self.edges[self.streams[self.relays[&relay].stream].edge];
                let sequence = sequence.filter(|_| edge.quotes);
                self.see(relay, flow, Input::Refused { sequence });
            }
            Event::Probed { relay, flow, sequence } => {
                let output = &mut self.relays.get_mut(&relay).unwrap().outputs[flow];
                if output.asked == Gate::Probe {
                    output.asked = Gate::Shut;
                }
                self.see(relay, flow, Input::Probed { sequence: Some(sequence) });
            }
            Event::Gate { relay, flow, gate } => {
                let gate = [Gate::Open, Gate::Probe, Gate::Shut][usize::from(gate)];
                self.relays.get_mut(&relay).unwrap().outputs[flow].gate = gate;
            }
            Event::Start { stream } => self.start(stream),
            Event::Report { stream } => self.report(stream),
            Event::Second => self.second(),
            Event::Wake => {
                if self.wake == Some(self.now) {
                    self.settle();
                }
            }
        }
    }

    fn packet(&mut self, stream: usize, flow: usize) {
        let (now, pace) = (self.now, self.streams[stream].paths[flow].pace);
        // Sources are a little uneven.
        let jitter = self.random.between(90, 111);
        let next = pace * u32::try_from(jitter).unwrap() / 100;
        self.at(now + next, Event::Packet { stream, flow });
        let Some(relay) = self.streams[stream].relay else { return };
        if self.streams[stream].paths[flow].is_paused(now) {
            return;
        }
        let edge = &mut self.edges[self.streams[stream].edge];
        let output = &mut self.relays.get_mut(&relay).unwrap().outputs[flow];
        output.received += 1;
        if output.gate == Gate::Shut {
            return;
        }
        output.sent += 1;
        let sequence = (output.received & 0xFFFF) as u16;
        let late = u32::try_from(self.random.between(0, 101)).unwrap();
        let (arrival, loss) = (now + edge.delay + edge.jitter * late / 100, edge.loss);
        if output.gate == Gate::Probe {
            output.gate = Gate::Shut;
            let late = output.asked != Gate::Probe;
            checks::probe_spacing(edge, now, late);
            edge.probed = Some((now, late));
            self.at(now + INBOX, Event::Probed { relay, flow, sequence });
        }
        if !self.random.chance(loss) {
            self.at(arrival, Event::Arrival { relay, flow, sequence });
        }
    }

    fn arrival(&mut self, relay: u64, flow: usize, sequence: u16) {
        let stream = &self.streams[self.relays[&relay].stream];
        let edge = &mut self.edges[stream.edge];
        if stream.paths[flow].is_open(self.now) || !edge.answers(self.now) {
            return;
        }
        let (back, loss) = (self.now + edge.delay, edge.loss);
        if !self.random.chance(loss) {
            self.at(back, Event::Error { relay, flow, sequence });
        }
    }

    fn start(&mut self, stream: usize) {
        let now = self.instant();
        if let Some(relay) = self.streams[stream].relay {
            self.life.renew(relay, now);
            return self.settle();
        }
        let relay = u64::try_from(self.relays.len()).unwrap() + 1;
        let Stream { edge, paths, tried, .. } = &self.streams[stream];
        let kinds: Vec<FlowKind> = paths.iter().map(|path| path.kind).collect();
        let (gate, asked) = (Gate::Open, Gate::Open);
        let output = Socket { gate, asked, received: 0, sent: 0, pending: None, refusals: 0 };
        let outputs = vec![output; kinds.len()];
        let (started, state) = (self.now, State::Starting);
        let history = Vec::new();
        self.relays.insert(relay, Relay { stream, started, state, history, closed: None, outputs });
        self.life.start(relay, self.edges[*edge].address, &kinds, self.rules, *tried, now);
        self.streams[stream].relay = Some(relay);
        self.settle();
    }

    /// Reports come while the port of the first RTCP flow is open: then somebody watches.
    fn report(&mut self, stream: usize) {
        self.at(self.now + Duration::from_secs(5), Event::Report { stream });
        let Stream { paths, relay, .. } = &self.streams[stream];
        let rtcp = paths.iter().position(|path| path.kind == FlowKind::Rtcp);
        if let (Some(relay), Some(flow)) = (*relay, rtcp)
            && paths[flow].is_open(self.now)
        {
            self.see(relay, flow, Input::Viewers(1));
        }
    }

    fn see(&mut self, relay: u64, flow: usize, seen: Input) {
        if self.trace {
            eprintln!("{:?} {relay}.{flow} {seen:?}", self.now);
        }
        self.life.observe(relay, flow, seen, self.instant());
        self.settle();
    }

    fn second(&mut self) {
        self.at(self.now + Duration::from_secs(1), Event::Second);
        let now = self.instant();
        for (id, relay) in self.relays.iter().filter(|(_, relay)| relay.closed.is_none()) {
            for (flow, output) in relay.outputs.iter().enumerate() {
                let Socket { received, sent, .. } = *output;
                self.life.observe(*id, flow, Input::Traffic { received, sent }, now);
            }
        }
        self.settle();
        self.check_recovery();
    }

    fn settle(&mut self) {
        self.life.poll(self.instant());
        for output in self.life.take_outputs() {
            if self.trace {
                eprintln!("{:?} {output:?}", self.now);
            }
            self.act(output);
        }
        self.check_gates();
        if let Some(wake) = self.life.next_wake() {
            assert!(wake > self.instant(), "a wake that poll did not serve");
            let wake = wake - self.base;
            if self.wake != Some(wake) {
                self.wake = Some(wake);
                self.at(wake, Event::Wake);
            }
        }
    }

    fn act(&mut self, output: Output) {
        self.check_output(&output);
        match output {
            Output::Gate { relay, flow, gate } => {
                self.relays.get_mut(&relay).unwrap().outputs[flow].asked = gate;
                let gate = match gate {
                    Gate::Open => 0,
                    Gate::Probe => 1,
                    Gate::Shut => 2,
                };
                self.at(self.now + INBOX, Event::Gate { relay, flow, gate });
            }
            Output::Entered { relay, state } => {
                let relay = self.relays.get_mut(&relay).unwrap();
                relay.state = state;
                relay.history.push((self.now, Some(state)));
            }
            Output::Closed { relay, reason, tried } => {
                let relay = self.relays.get_mut(&relay).unwrap();
                relay.closed = Some(reason);
                relay.history.push((self.now, None));
                let stream = &mut self.streams[relay.stream];
                (stream.relay, stream.tried) = (None, tried);
            }
        }
    }
}
