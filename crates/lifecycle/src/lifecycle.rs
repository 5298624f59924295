//! All relays together.

use std::collections::BTreeMap;
use std::mem;
use std::net::IpAddr;
use std::time::Instant;

use model::{Acceptance, CloseReason, FlowKind, Gate, Rules, State};

use crate::close_forecast::CloseForecast;
use crate::edge::Edge;
use crate::input::Input;
use crate::output::Output;
use crate::relay::Relay;

/// Every relay, and one probe schedule for each edge address.
///
/// A relay's number is the caller's choice and must be new for each relay. What is said of a relay
/// that is not there (any more) is passed over: events of the data plane may be late.
#[derive(Debug, Default)]
pub struct Lifecycle {
    edges: BTreeMap<IpAddr, Edge>,
    outputs: Vec<Output>,
    polled: Option<Instant>,
}

impl Lifecycle {
    /// No relays yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A new relay to the address `edge`. Its `flows` are in the order of the data plane's (RTP and
    /// RTCP, media by media), begin [`Gate::Open`], and have had no traffic yet. A relay that runs
    /// already is renewed instead. After a crash this is all there is to do.
    ///
    /// `tried` is what [`Output::Closed`] said of the last relay of this stream to this edge: when
    /// a grace at full rate began that the edge refused. For an hour after that the relay begins
    /// with probes, so that requests without a viewer cost one grace an hour at most.
    pub fn start(
        &mut self,
        relay: u64,
        edge: IpAddr,
        flows: &[FlowKind],
        rules: Rules,
        tried: Option<Instant>,
        now: Instant,
    ) {
        if self.relay(relay).is_some() {
            return self.renew(relay, now);
        }
        let edge = self.edges.entry(edge).or_insert_with(|| Edge::new(edge));
        edge.start(relay, flows, (rules, tried), now, &mut self.outputs);
    }

    /// Somebody asked for a relay that runs: a viewer is on the way. Everything that is shut opens
    /// (outside of Suspect at most once in a `grace`, or a crowd would keep refused flows at full
    /// rate); Suspect is Starting again; the grace, the lease and a count of no viewers run anew.
    pub fn renew(&mut self, relay: u64, now: Instant) {
        if let Some(edge) = self.edges.values_mut().find(|edge| edge.has(relay)) {
            edge.renew(relay, now, &mut self.outputs);
        }
    }

    /// Closes a relay now.
    pub fn stop(&mut self, relay: u64, reason: CloseReason, now: Instant) {
        if let Some(edge) = self.edges.values_mut().find(|edge| edge.has(relay)) {
            edge.close(relay, reason, now, &mut self.outputs);
        }
    }

    /// Takes in what was seen of a flow, in the order in which it happened. That the source is
    /// silent is concluded only here, from [`Input::Traffic`], never from the mere passing of time.
    pub fn observe(&mut self, relay: u64, flow: usize, seen: Input, now: Instant) {
        if let Some(edge) = self.edges.values_mut().find(|edge| edge.has(relay)) {
            edge.observe((relay, flow), seen, now, &mut self.outputs);
        }
    }

    /// Time has passed, or things were observed. To poll twice is no different from once.
    pub fn poll(&mut self, now: Instant) {
        self.polled = Some(now);
        for edge in self.edges.values_mut() {
            edge.poll(now, &mut self.outputs);
        }
    }

    /// When to poll next, if nothing is observed before: later than the last poll.
    #[must_use]
    pub fn next_wake(&self) -> Option<Instant> {
        self.edges.values().filter_map(|edge| edge.next_wake(self.polled)).min()
    }

    /// What is to be done since this was last asked, in order.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        mem::take(&mut self.outputs)
    }

    fn relay(&self, relay: u64) -> Option<&Relay> {
        self.edges.values().find_map(|edge| edge.relays.get(&relay))
    }

    /// The relay's state; none if it is closed or never was.
    #[must_use]
    pub fn state(&self, relay: u64) -> Option<State> {
        self.relay(relay).map(|relay| relay.state)
    }

    /// When it came into that state.
    #[must_use]
    pub fn since(&self, relay: u64) -> Option<Instant> {
        self.relay(relay).map(|relay| relay.since)
    }

    /// When it was last asked for: by [`Lifecycle::start`] or [`Lifecycle::renew`].
    #[must_use]
    pub fn asked(&self, relay: u64) -> Option<Instant> {
        self.relay(relay)?.asked_at()
    }

    /// The rules that it was started with.
    #[must_use]
    pub fn rules(&self, relay: u64) -> Option<Rules> {
        self.relay(relay).map(|relay| relay.rules)
    }

    /// Each flow's gate, in order.
    #[must_use]
    pub fn gates(&self, relay: u64) -> Vec<Gate> {
        self.relay(relay).map_or_else(Vec::new, |relay| {
            relay.flows.iter().map(crate::flow::Flow::gate).collect()
        })
    }

    /// Whether the edge takes each flow, in order.
    #[must_use]
    pub fn acceptance(&self, relay: u64, now: Instant) -> Vec<Acceptance> {
        self.relay(relay).map_or_else(Vec::new, |relay| {
            relay.flows.iter().map(|flow| relay.acceptance(flow, now)).collect()
        })
    }

    /// Each flow's errors, in order; RTCP flows have none.
    #[must_use]
    pub fn errors(&self, relay: u64) -> Vec<u32> {
        self.relay(relay)
            .map_or_else(Vec::new, |relay| relay.flows.iter().map(|flow| flow.errors).collect())
    }

    /// How many watch, as the edge reported in the last 20 seconds.
    #[must_use]
    pub fn viewers(&self, relay: u64, now: Instant) -> Option<u32> {
        self.relay(relay)?.viewers(now)
    }

    /// What would close the relay if all stays as it is, the likeliest first; empty while nothing
    /// is under way.
    #[must_use]
    pub fn close_forecasts(&self, relay: u64) -> Vec<CloseForecast> {
        self.relay(relay).map_or_else(Vec::new, Relay::close_forecasts)
    }

    /// Whether a refusal ever came from this address. If none ever does, a firewall may drop them,
    /// and only a lease or reported viewers can close relays to it.
    #[must_use]
    pub fn edge_answers(&self, edge: IpAddr) -> bool {
        self.edges.get(&edge).is_some_and(|edge| edge.schedule.answers)
    }
}
