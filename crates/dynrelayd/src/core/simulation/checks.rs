//! The invariants that hold at each step of a world.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use catalog::Pair;
use control::{ErrorCode, Request};
use model::Gate;

use super::super::{Answer, CallId, Core, Effect, FlowCounts, Question, RelayId, RelayName};

const LINGER: Duration = Duration::from_secs(20);

/// A relay or replica in the data plane.
pub(super) struct Open {
    pub(super) stream: String,
    pub(super) pairs: Box<[Pair]>,
    pub(super) flows: Vec<FlowCounts>,
    /// The edge's behaviour.
    pub(super) refuses: bool,
    pub(super) silent: bool,
}

/// The events that a world has met.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Met {
    pub(super) opened: u64,
    pub(super) closed: u64,
    pub(super) started: u64,
    pub(super) refused: u64,
    pub(super) waited: u64,
    pub(super) pulls: u64,
    pub(super) replicas: u64,
    pub(super) reloads: u64,
    pub(super) rerouted: u64,
    pub(super) limited: u64,
}

impl Met {
    fn all(&mut self) -> [&mut u64; 10] {
        let Self { opened, closed, started, refused, waited, pulls, replicas, reloads, .. } = self;
        let Self { rerouted, limited, .. } = self;
        [opened, closed, started, refused, waited, pulls, replicas, reloads, rerouted, limited]
    }

    pub(super) fn add(&mut self, mut other: Self) {
        for (all, one) in self.all().into_iter().zip(other.all()) {
            *all += *one;
        }
    }

    pub(super) fn all_above(&mut self, least: u64) -> bool {
        self.all().into_iter().all(|count| *count > least)
    }
}

impl Open {
    /// The counters after a while.
    pub(super) fn count(&mut self) -> Vec<FlowCounts> {
        for FlowCounts { counters, gate, .. } in self.flows.iter_mut().filter(|_| !self.silent) {
            counters.received += 25;
            counters.idle = Some(Duration::ZERO);
            if *gate == Gate::Open {
                counters.packets += 25;
                counters.bytes += 25_000;
            }
        }
        self.flows.clone()
    }
}

#[derive(Default)]
pub(super) struct Checks {
    pub(super) met: Met,
    /// The calls without an answer: their time, and the stream of a start.
    waiting: BTreeMap<CallId, (Duration, Option<String>)>,
    scans: HashSet<CallId>,
    asking: Vec<Question>,
    pulls: HashMap<String, u64>,
    /// The time until which an unneeded pull may go on.
    lingers: HashMap<String, Duration>,
    saved: BTreeSet<RelayName>,
    /// Before the step: admitted starts, tokens, and relays.
    admitted: HashSet<CallId>,
    tokens: (u32, f64),
    relays: usize,
    resuming: bool,
    /// The starts that this step answered.
    answered: HashSet<CallId>,
}

impl Checks {
    pub(super) fn asked(&mut self, call: CallId, request: &Request, now: Duration) {
        let stream = match request {
            Request::Start { stream, .. } => Some(stream.clone()),
            _ => None,
        };
        self.waiting.insert(call, (now, stream));
    }

    pub(super) fn pulls_now(&self, stream: &str, id: u64) -> bool {
        self.pulls.get(stream) == Some(&id)
    }

    pub(super) fn before(&mut self, core: &Core, resuming: bool, now: Instant) {
        let (admitted, rate) = core.starts.admitted();
        (self.admitted, self.tokens) = (admitted, rate.available(now));
        self.relays = core.relays.table().len();
        self.resuming = resuming;
        self.answered.clear();
    }

    /// Checks an effect before it is performed.
    pub(super) fn effect(
        &mut self,
        effect: &Effect,
        core: &Core,
        open: &BTreeMap<RelayId, Open>,
        now: Duration,
    ) {
        match effect {
            Effect::Open { relay, stream, pairs } => {
                assert!(!open.contains_key(relay), "relay {relay} is open already");
                let target = pairs[0].rtp.target.ip();
                let same =
                    |open: &Open| open.stream == *stream && open.pairs[0].rtp.target.ip() == target;
                assert!(!open.values().any(same), "{stream} is sent to {target} already");
                if target.is_multicast() {
                    self.met.replicas += 1;
                    let known = core.catalog.stream(stream).unwrap();
                    assert!(known.replicas.iter().any(|plan| plan.pairs[..] == pairs[..]));
                } else {
                    self.met.opened += 1;
                    let edges = core.catalog.edges().iter().find(|edge| edge.address == target);
                    let route = core.catalog.route(stream, &edges.unwrap().name).unwrap();
                    assert_eq!(route.pairs[..], pairs[..], "a destination of its own");
                    let most = core.catalog.config().limits.relays.max(self.relays);
                    let all = core.relays.table().len();
                    assert!(self.resuming || all <= most, "{all} relays, {most} allowed");
                }
            }
            Effect::Close(relay) => {
                let open = open.get(relay).expect("what is closed is open");
                self.met.closed += u64::from(!open.pairs[0].rtp.target.ip().is_multicast());
            }
            Effect::SetGate { relay, flow, .. } => {
                let flows = super::super::paths(&open[relay].pairs).count();
                assert!(*flow < flows, "relay {relay} has no flow {flow}");
            }
            Effect::Reply { call, answer } => self.reply(*call, answer, now),
            Effect::Scan { call, .. } => {
                assert!(self.waiting.remove(call).is_some(), "{call:?} is answered twice");
                assert!(self.scans.insert(*call));
            }
            Effect::AskEdge(question) => {
                assert!(!self.asking.contains(question), "{question:?} is on its way");
                self.asking.push(question.clone());
                assert!(self.asking.len() <= 32);
            }
            Effect::StartPull(order) => {
                self.met.pulls += 1;
                self.pulls.insert(order.stream.clone(), order.id);
            }
            Effect::EndPull(stream) => {
                assert!(self.pulls.remove(stream).is_some(), "{stream} is not pulled");
            }
            Effect::SaveState(names) => self.saved.clone_from(names),
            Effect::Retire(_) => self.met.reloads += 1,
            Effect::Log(super::super::LogEvent::Closed(closed)) => {
                self.met.rerouted += u64::from(closed.reason == model::CloseReason::NotInCatalog);
            }
            _ => {}
        }
    }

    fn reply(&mut self, call: CallId, answer: &Answer, now: Duration) {
        let asked = self.waiting.remove(&call);
        let (at, stream) = asked.unwrap_or_else(|| panic!("{call:?} is answered twice"));
        assert!(now - at <= Duration::from_secs(2), "{call:?} was answered after {:?}", now - at);
        let Some(stream) = stream else { return };
        self.answered.insert(call);
        self.met.waited += u64::from(now > at);
        match answer {
            Answer::Started(_) => self.met.started += 1,
            Answer::Refused(refused) => {
                self.met.refused += 1;
                self.met.limited += u64::from(refused.code == ErrorCode::Limit);
                let of_source = [
                    ErrorCode::SourceRefuses,
                    ErrorCode::SourceStarting,
                    ErrorCode::SourceUnreachable,
                ];
                if of_source.contains(&refused.code) {
                    self.lingers.insert(stream, now + LINGER);
                }
            }
            other => panic!("a start is answered with {other:?}"),
        }
    }

    /// Checks the world after a step.
    pub(super) fn after(
        &mut self,
        core: &Core,
        open: &BTreeMap<RelayId, Open>,
        now: Duration,
        instant: Instant,
        stopped: bool,
    ) {
        for (call, (at, _)) in &self.waiting {
            assert!(now - *at <= Duration::from_secs(2), "{call:?} waits for {:?}", now - *at);
        }
        self.asking.retain(|question| core.starts.edges().is_asking(question));
        // A pull that failed to start does not count.
        self.pulls.retain(|stream, id| core.pulls.runs(stream, *id));
        for stream in self.pulls.keys() {
            let sent = open.values().any(|open| open.stream == *stream);
            let tended = core.replicas.of_stream(stream).next().is_some();
            let wanted = core.starts.has_stream(stream);
            let lingers = self.lingers.get(stream).is_some_and(|until| now <= *until);
            assert!(sent || tended || wanted || lingers, "nobody needs the pull of {stream}");
        }
        let (newly, rate) = core.starts.admitted();
        let newly = newly.union(&self.answered).filter(|call| !self.admitted.contains(call));
        let (rate, tokens) = rate.available(instant);
        let taken = self.tokens.1 - tokens;
        let most = newly.count() as f64 + 1e-6;
        assert!(rate != self.tokens.0 || taken < most, "{taken} tokens are taken");
        if stopped {
            return assert!(self.waiting.is_empty(), "{:?} have no answer", self.waiting);
        }
        for relay in core.relays.table().iter() {
            let RelayName { stream, edge } = &relay.name;
            assert_eq!(core.catalog.route(stream, edge).unwrap().pairs, open[&relay.id].pairs);
        }
        let relays = open.values().filter(|open| !open.pairs[0].rtp.target.ip().is_multicast());
        assert_eq!(core.relays.table().len(), relays.count(), "what is open runs");
        assert_eq!(core.relays.table().names(), self.saved);
        let wake = core.next_wake();
        assert!(wake.is_none_or(|wake| wake > instant), "{wake:?} is not after {instant:?}");
    }

    /// Everything is closed and answered.
    pub(super) fn end(&self, open: &BTreeMap<RelayId, Open>) {
        assert!(open.is_empty(), "{} relays and replicas are open at the end", open.len());
        assert!(self.pulls.is_empty() && self.waiting.is_empty());
    }
}
