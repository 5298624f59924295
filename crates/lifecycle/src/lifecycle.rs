//! All relays.

use std::collections::{BTreeMap, HashMap};
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
/// The caller gives each relay a new number. Inputs about an unknown relay are ignored, because events
/// of the data plane may come late.
#[derive(Debug, Default)]
pub struct Lifecycle {
    edges: BTreeMap<IpAddr, Edge>,
    /// The edge of each relay.
    edge_of: HashMap<u64, IpAddr>,
    outputs: Vec<Output>,
    polled: Option<Instant>,
}

impl Lifecycle {
    /// No relays yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a relay to the address `edge`, or renews it if it runs. `flows` has the order of the
    /// data plane: RTP and RTCP, media by media. They begin [`Gate::Open`] and without traffic.
    ///
    /// `tried` comes from the [`Output::Closed`] of the last relay of this stream to this edge. It
    /// says when a grace at full rate began that the edge refused. For an hour after that, the relay
    /// begins with probes: requests without a viewer cost at most one grace an hour.
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
        self.edge_of.insert(relay, edge);
        let edge = self.edges.entry(edge).or_insert_with(|| Edge::new(edge));
        edge.start(relay, flows, (rules, tried), now, &mut self.outputs);
    }

    /// A viewer is on the way to a relay that runs. The grace and the lease begin again. A Suspect
    /// relay is Starting again, at full rate unless the edge refused the last grace. A Live relay
    /// opens a refused flow, at most once in a grace.
    pub fn renew(&mut self, relay: u64, now: Instant) {
        if let Some(edge) = self.edge_of.get(&relay).and_then(|at| self.edges.get_mut(at)) {
            edge.renew(relay, now, &mut self.outputs);
        }
    }

    /// Closes a relay now.
    pub fn stop(&mut self, relay: u64, reason: CloseReason, now: Instant) {
        if let Some(edge) = self.edge_of.get(&relay).and_then(|at| self.edges.get_mut(at)) {
            edge.close(relay, reason, now, &mut self.outputs);
        }
    }

    /// Handles what happened on a flow, in order. Only [`Input::Traffic`] shows that a source is
    /// silent; the passing of time alone never does.
    pub fn observe(&mut self, relay: u64, flow: usize, seen: Input, now: Instant) {
        if let Some(edge) = self.edge_of.get(&relay).and_then(|at| self.edges.get_mut(at)) {
            edge.observe((relay, flow), seen, now, &mut self.outputs);
        }
    }

    /// Handles the passing of time. To poll twice has the same effect as once.
    pub fn poll(&mut self, now: Instant) {
        self.polled = Some(now);
        for edge in self.edges.values_mut() {
            edge.poll(now, &mut self.outputs);
        }
    }

    /// When to poll next, if no input comes before. It is later than the last poll.
    #[must_use]
    pub fn next_wake(&self) -> Option<Instant> {
        self.edges.values().filter_map(|edge| edge.next_wake(self.polled)).min()
    }

    /// The outputs since the last call, in order.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        for output in &self.outputs {
            if let Output::Closed { relay, .. } = output {
                self.edge_of.remove(relay);
            }
        }
        mem::take(&mut self.outputs)
    }

    fn relay(&self, relay: u64) -> Option<&Relay> {
        self.edges.get(self.edge_of.get(&relay)?)?.relays.get(&relay)
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

    /// When [`Lifecycle::start`] or [`Lifecycle::renew`] was last called for it.
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

    /// The events that may close the relay, the likeliest first.
    #[must_use]
    pub fn close_forecasts(&self, relay: u64) -> Vec<CloseForecast> {
        self.relay(relay).map_or_else(Vec::new, Relay::close_forecasts)
    }

    /// Whether this address ever refused a packet. If it never does, a firewall may drop its errors;
    /// then only a lease or viewer counts can close the relays to it.
    #[must_use]
    pub fn edge_answers(&self, edge: IpAddr) -> bool {
        self.edges.get(&edge).is_some_and(|edge| edge.schedule.answers)
    }
}
