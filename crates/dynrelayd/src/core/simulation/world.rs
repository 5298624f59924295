//! Edges, RTSP servers, encoders, a disk and clients around a core, with a virtual clock.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use catalog::{Catalog, ConfigError, Pair};
use control::Request;
use forward::{Counters, FlowEvent};
use model::Gate;
use rtp::Feedback;
use rtsp::{State, Transport};

use super::super::{
    CallId, Core, EdgeAnswer, Effect, FlowCounts, FlowEnds, Input, OpenFailure, PullReport,
    Question, RelayId, RelayName, testing,
};
use super::checks::{Checks, Met, Open};

/// The time for which the clients of a world act.
const LENGTH: Duration = Duration::from_secs(90);
const STREAMS: u64 = 5;
const EDGES: [&str; 3] = ["198.51.100.1", "198.51.100.2", "198.51.100.3"];

/// An event in the future.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A client sends a request.
    Client,
    /// An edge answers a question.
    Answer(Question),
    /// A pull changes to its next state.
    Pull { stream: String, id: u64 },
    /// Handles an event of a flow.
    Flow(RelayId),
    /// The catalogue has been read.
    Read,
    /// A scan for streams on air is over.
    OnAir(Vec<String>),
    /// An administrator's scan is over.
    Scanned(CallId),
    /// The core wants to be woken.
    Wake,
}

pub(super) struct World {
    core: Core,
    begin: Instant,
    now: Duration,
    queue: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    number: u64,
    random: Random,
    trace: bool,
    open: BTreeMap<RelayId, Open>,
    checks: Checks,
    last_call: u64,
    stopped: bool,
}

impl World {
    pub(super) fn new(seed: u64, trace: bool) -> Self {
        let mut random = Random(seed);
        let begin = Instant::now();
        let catalog = random.pick(catalogs());
        let mut world = Self {
            core: Core::new(Arc::clone(catalog), 1, begin),
            begin,
            now: Duration::ZERO,
            queue: BinaryHeap::new(),
            number: 0,
            random,
            trace,
            open: BTreeMap::new(),
            checks: Checks::default(),
            last_call: 0,
            stopped: false,
        };
        let names = (0..world.random.below(4)).map(|_| RelayName {
            stream: format!("s{}", world.random.below(STREAMS)),
            edge: format!("e{}", world.random.below(3)),
        });
        let names: std::collections::BTreeSet<_> = names.collect();
        world.feed(Input::Resume(names.into_iter().collect()));
        world.at(Duration::ZERO, Event::Client);
        world
    }

    /// Runs to the end. Returns the events that it met.
    pub(super) fn live(mut self) -> Met {
        while let Some(Reverse((time, _, event))) = self.queue.pop() {
            if time > LENGTH {
                break;
            }
            self.now = time;
            if self.trace && event != Event::Wake {
                println!("{:?} {event:?}", self.now);
            }
            self.happen(event);
        }
        self.stopped = true;
        self.feed(Input::Stop);
        self.checks.end(&self.open);
        self.checks.met
    }

    fn at(&mut self, after: Duration, event: Event) {
        self.number += 1;
        self.queue.push(Reverse((self.now + after, self.number, event)));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Client => {
                let pause = if self.random.chance(70) { 300 } else { 6000 };
                let pause = self.random.millis(0, pause);
                self.at(pause, Event::Client);
                self.client();
            }
            Event::Answer(question) => {
                let answer = match self.random.below(10) {
                    0 => EdgeAnswer::NoConsent("RTSP 404".into()),
                    1 | 2 => EdgeAnswer::Unreachable("timed out".into()),
                    _ => EdgeAnswer::Yes,
                };
                self.feed(Input::EdgeAnswer { question, answer });
            }
            Event::Pull { stream, id } => self.pull(stream, id),
            Event::Flow(relay) => self.flow(relay),
            Event::Read => {
                let result = if self.random.chance(15) {
                    let error = io::Error::other("no disk");
                    Err(ConfigError::Unreadable { file: "dynrelay.toml".into(), error })
                } else {
                    Ok(Arc::clone(self.random.pick(catalogs())))
                };
                self.feed(Input::CatalogRead(result));
            }
            Event::OnAir(streams) => {
                let on_air = streams.into_iter().map(|stream| (stream, Some(true))).collect();
                self.feed(Input::OnAir(on_air));
            }
            Event::Scanned(call) => self.feed(Input::ScanEnded(call)),
            Event::Wake => self.feed(Input::Tick),
        }
    }

    fn client(&mut self) {
        // Also a stream and an edge that no catalogue has.
        let stream = format!("s{}", self.random.below(STREAMS + 1));
        let edge = format!("e{}", self.random.below(4));
        let clients = ["192.0.2.1", "203.0.113.1", "198.18.0.1"];
        let client = self.random.pick(&clients).parse().ok();
        let named = self.random.chance(20).then(|| edge.clone());
        let request = match self.random.below(40) {
            0..22 => Request::Start { stream, edge: named, client },
            22..26 => Request::Stop { stream, edge },
            26..28 => Request::List { all: true, rates: true },
            28..30 => Request::Show { stream, edge: named },
            30..32 => Request::streams(true),
            32 => Request::Ping,
            33 => Request::Scan { streams: vec![stream], millis: 10, quick: false },
            34 => return self.feed(Input::Reload),
            35 => Request::Reload,
            // Many requests at once.
            _ => {
                for _ in 0..self.random.below(8) {
                    let start = Request::Start { stream: stream.clone(), edge: None, client };
                    self.ask(start);
                }
                return;
            }
        };
        self.ask(request);
    }

    fn ask(&mut self, request: Request) {
        self.last_call += 1;
        let call = CallId(self.last_call);
        self.checks.asked(call, &request, self.now);
        self.feed(Input::Request { call, request });
    }

    fn pull(&mut self, stream: String, id: u64) {
        if !self.checks.pulls_now(&stream, id) {
            return;
        }
        let state = if self.random.chance(60) {
            let from = "192.0.2.9:554".parse().unwrap();
            State::Playing { transport: Transport::Udp, from, skipped: 0 }
        } else if self.random.chance(40) {
            State::Connecting
        } else {
            let why = rtsp::Error::WrongPassword;
            State::Waiting { why, wait: Duration::from_secs(1) }
        };
        let after = self.random.millis(10, 5000);
        self.at(after, Event::Pull { stream: stream.clone(), id });
        self.feed(Input::Pull(PullReport { stream, id, state: Ok(state) }));
    }

    /// An event of a relay's flow, by the edge's behaviour.
    fn flow(&mut self, relay: RelayId) {
        let again = self.random.millis(20, 900);
        self.at(again, Event::Flow(relay));
        let change = self.random.below(40);
        let Some(open) = self.open.get_mut(&relay) else {
            self.queue.retain(|Reverse((.., event))| *event != Event::Flow(relay));
            return;
        };
        match change {
            0 => open.refuses = !open.refuses,
            1 => open.silent = !open.silent,
            _ => {}
        }
        let flow = usize::try_from(self.random.below(2)).unwrap() % open.flows.len();
        let counts = &mut open.flows[flow];
        let event = match counts.gate {
            _ if open.silent => return,
            Gate::Probe => {
                counts.gate = Gate::Shut;
                counts.counters.packets += 1;
                FlowEvent::Probed { sequence: None }
            }
            _ if open.refuses => FlowEvent::Refused { sequence: None },
            _ if change == 2 => FlowEvent::Failed,
            _ if change == 3 => {
                FlowEvent::Unreachable { errno: libc::EHOSTUNREACH, offender: None }
            }
            _ if change < 10 => FlowEvent::Report(Feedback::Viewers(u32::from(change > 6))),
            _ => return,
        };
        self.feed(Input::Flow { relay, flow, event });
    }

    /// Passes an input to the core, as the shell does, and checks all results.
    fn feed(&mut self, input: Input) {
        let resuming = matches!(input, Input::Resume(_));
        self.checks.before(&self.core, resuming, self.begin + self.now);
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let now = self.begin + self.now;
            let unix = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.now;
            for effect in self.core.handle(input, now, unix) {
                if self.trace && !matches!(effect, Effect::ReadCounters | Effect::SaveState(_)) {
                    println!("  {effect:?}");
                }
                self.checks.effect(&effect, &self.core, &self.open, self.now);
                inputs.extend(self.perform(effect));
            }
        }
        let now = self.begin + self.now;
        self.checks.after(&self.core, &self.open, self.now, now, self.stopped);
        if let Some(wake) = self.core.next_wake() {
            let late = self.random.millis(0, 20);
            self.queue.retain(|Reverse((.., event))| *event != Event::Wake);
            self.at(wake.saturating_duration_since(now) + late, Event::Wake);
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Open { relay, stream, pairs } => {
                let result = self.perform_open(relay, stream, pairs);
                return Some(Input::Opened { relay, result });
            }
            Effect::Close(relay) => {
                let open = self.open.remove(&relay);
                return Some(Input::Closed { relay, counts: open.unwrap().flows });
            }
            Effect::SetGate { relay, flow, gate } => {
                self.open.get_mut(&relay).unwrap().flows[flow].gate = gate;
            }
            Effect::ReadCounters => {
                let all = self.open.iter_mut().map(|(relay, open)| (*relay, open.count()));
                return Some(Input::Counters(all.collect()));
            }
            Effect::StartPull(order) if self.random.chance(5) => {
                let (stream, id) = (order.stream, order.id);
                let state = Err("no thread".to_owned());
                return Some(Input::Pull(PullReport { stream, id, state }));
            }
            Effect::StartPull(order) => {
                let after = self.random.millis(5, 2500);
                self.at(after, Event::Pull { stream: order.stream, id: order.id });
            }
            Effect::AskEdge(question) => {
                let after = self.random.millis(1, 1400);
                self.at(after, Event::Answer(question));
            }
            Effect::Listen(streams) => {
                let names = streams.into_iter().map(|(name, _)| name).collect();
                let after = self.random.millis(900, 2000);
                self.at(after, Event::OnAir(names));
            }
            Effect::Scan { call, .. } => {
                let after = self.random.millis(0, 3000);
                self.at(after, Event::Scanned(call));
            }
            Effect::ReadCatalog(_) => {
                let after = self.random.millis(1, 900);
                self.at(after, Event::Read);
            }
            _ => {}
        }
        None
    }

    fn perform_open(
        &mut self,
        relay: RelayId,
        stream: String,
        pairs: Box<[Pair]>,
    ) -> Result<Vec<FlowEnds>, OpenFailure> {
        match self.random.below(30) {
            0 => return Err(OpenFailure::Failed("no socket".into())),
            1 => return Err(OpenFailure::Limit("no descriptors".into())),
            _ => {}
        }
        let count = super::super::paths(&pairs).count();
        let counters = Counters::default();
        let counts = FlowCounts { counters, gate: Gate::Open, returned_by: None, forger: None };
        let nowhere = "127.0.0.1:1".parse().unwrap();
        let (refuses, silent) = (self.random.chance(30), self.random.chance(10));
        let flows = vec![counts; count];
        self.open.insert(relay, Open { stream, pairs, flows, refuses, silent });
        self.at(Duration::from_millis(100), Event::Flow(relay));
        Ok(vec![FlowEnds { from: nowhere, via: nowhere }; count])
    }
}

/// Many catalogues, each a little different.
fn catalogs() -> &'static [Arc<Catalog>] {
    static ALL: OnceLock<Vec<Arc<Catalog>>> = OnceLock::new();
    ALL.get_or_init(|| (0..40).map(|seed| any_catalog(&mut Random(seed))).collect())
}

fn any_catalog(random: &mut Random) -> Arc<Catalog> {
    let limits = (random.between(2, 8), random.between(1, 20));
    let mut config = format!(
        "[origin]\nurl = \"rtsp://dss1.example\"\nlocal = [\"192.0.2.0/24\"]\n[shutdown]\n\
         errors = 3\nquiet = \"2s\"\ngrace = \"5s\"\nsource_silence = \"8s\"\nno_viewers = \"6s\"\n\
         [limits]\nrelays = {}\nstarts_per_second = {}\n",
        limits.0, limits.1
    );
    let edges: Vec<u64> = (0..3).filter(|_| random.chance(85)).collect();
    for edge in &edges {
        let serves = if random.chance(40) { "serves = [\"203.0.113.0/24\"]\n" } else { "" };
        let consent = if random.chance(40) { "consent = \"describe\"\n" } else { "" };
        let address = EDGES[usize::try_from(*edge).unwrap()];
        config += &testing::edge(&format!("e{edge}"), address, &format!("{serves}{consent}"));
    }
    let mut files = Vec::new();
    for stream in (0..STREAMS).filter(|_| random.chance(85)).collect::<Vec<_>>() {
        // The last two streams are pulled; some have replicas.
        let pulled = stream + 2 >= STREAMS;
        let port = u16::try_from(5000 + 100 * stream + 2 * random.below(2)).unwrap();
        files.push((format!("s{stream}.sdp"), testing::sdp("239.1.1.1", port)));
        let (source, ports) = match pulled {
            true => (format!("source = \"rtsp://cam{}/\"\n", random.below(2)), "ports = [7000]\n"),
            false => (String::new(), ""),
        };
        let run = random.pick(&["always", "on-demand"]);
        let replica = random
            .chance(40)
            .then(|| format!("[replica]\ngroup = \"239.2.2.{stream}\"\n{ports}run = \"{run}\"\n"));
        files.push((format!("s{stream}.toml"), source + &replica.unwrap_or_default()));
        for edge in edges.iter().filter(|_| random.chance(75)).collect::<Vec<_>>() {
            let address = EDGES[usize::try_from(*edge).unwrap()];
            let port = u16::try_from(6000 + 100 * stream + 2 * random.below(2)).unwrap();
            files.push((format!("s{stream}.e{edge}.sdp"), testing::sdp(address, port)));
        }
    }
    testing::catalog(&config, &files)
}

/// Seeded randomness: splitmix64.
pub(super) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_micros(self.between(low * 1000, high * 1000 + 1))
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.next() % from.len() as u64).unwrap()]
    }
}
