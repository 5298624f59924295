//! One edge address, with the relays to it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use model::{CloseReason, FlowKind, Rules, State};

use crate::flow::{Phase, Refuser};
use crate::input::Input;
use crate::output::Output;
use crate::relay::{Moment, Relay};
use crate::schedule::{Place, Schedule};

/// The relays to one address, which share a probe schedule.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) schedule: Schedule,
    pub(crate) relays: BTreeMap<u64, Relay>,
}

impl Edge {
    pub(crate) fn new(address: IpAddr) -> Self {
        Self { schedule: Schedule::new(address), relays: BTreeMap::new() }
    }

    pub(crate) fn start(
        &mut self,
        id: u64,
        flows: &[FlowKind],
        (rules, tried): (Rules, Option<Instant>),
        now: Instant,
        outputs: &mut Vec<Output>,
    ) {
        let mut at = Moment { now, schedule: &mut self.schedule, outputs };
        let relay = Relay::start(id, flows, rules, tried, &mut at);
        self.relays.insert(id, relay);
    }

    pub(crate) fn renew(&mut self, id: u64, now: Instant, outputs: &mut Vec<Output>) {
        let mut at = Moment { now, schedule: &mut self.schedule, outputs };
        if let Some(relay) = self.relays.get_mut(&id) {
            relay.renew(&mut at);
        }
    }

    pub(crate) fn close(
        &mut self,
        id: u64,
        reason: CloseReason,
        now: Instant,
        outputs: &mut Vec<Output>,
    ) {
        let mut at = Moment { now, schedule: &mut self.schedule, outputs };
        if let Some(mut relay) = self.relays.remove(&id) {
            relay.close(reason, &mut at);
        }
    }

    pub(crate) fn observe(
        &mut self,
        (id, flow): (u64, usize),
        seen: Input,
        now: Instant,
        outputs: &mut Vec<Output>,
    ) {
        if matches!(seen, Input::Probed { .. }) {
            self.end_other_turns((id, flow), now, outputs);
        }
        let refused =
            matches!(seen, Input::Refused { .. } | Input::Unreachable | Input::Firewalled);
        let others_wait = refused && self.others_wait();
        let mut at = Moment { now, schedule: &mut self.schedule, outputs };
        let Some(relay) = self.relays.get_mut(&id) else { return };
        match seen {
            Input::Refused { sequence } => {
                at.schedule.answers = true;
                relay.refused(flow, (Refuser::Edge, sequence), others_wait, &mut at);
            }
            Input::Unreachable => {
                relay.refused(flow, (Refuser::Network, None), others_wait, &mut at);
            }
            Input::Firewalled => {
                relay.refused(flow, (Refuser::Firewall, None), others_wait, &mut at);
            }
            Input::Probed { sequence } => relay.probed(flow, sequence, &mut at),
            Input::Traffic { received, sent } => {
                if let Some(flow) = relay.flows.get_mut(flow) {
                    flow.traffic((received, sent), at.schedule, &relay.rules, now);
                }
            }
            Input::Viewers(count) => relay.watched(flow, count, &mut at),
            Input::ReceiverReport => relay.reported(flow, &mut at),
        }
        if let Some(reason) = relay.settle(&mut at) {
            self.close(id, reason, now, outputs);
        }
    }

    pub(crate) fn poll(&mut self, now: Instant, outputs: &mut Vec<Output>) {
        let somebody_waits = self.first().is_some();
        let mut at = Moment { now, schedule: &mut self.schedule, outputs };
        self.relays.retain(|_, relay| {
            relay.conclude(somebody_waits, &mut at);
            let reason = relay.settle(&mut at);
            if let Some(reason) = reason {
                relay.close(reason, &mut at);
            }
            reason.is_none()
        });
        self.give_turn(now, outputs);
    }

    /// Whether flows outside of Starting relays wait for probes.
    fn others_wait(&self) -> bool {
        let others = self.relays.values().filter(|relay| relay.state != State::Starting);
        others.flat_map(Relay::rtp).any(|flow| flow.phase != Phase::Open)
    }

    /// A probe left late, after the turn had passed to another flow. That flow waits again.
    fn end_other_turns(&mut self, probed: (u64, usize), now: Instant, outputs: &mut Vec<Output>) {
        if let Some((id, flow)) = self.turn().filter(|turn| *turn != probed) {
            let mut at = Moment { now, schedule: &mut self.schedule, outputs };
            if let Some(relay) = self.relays.get_mut(&id) {
                relay.wait(flow, true, &mut at);
            }
        }
    }

    /// The flow whose turn it is.
    fn turn(&self) -> Option<(u64, usize)> {
        self.relays.iter().find_map(|(id, relay)| {
            Some((*id, relay.flows.iter().position(|flow| flow.phase == Phase::Turn)?))
        })
    }

    /// The first flow in line. A flow whose source is silent has no packet to probe with.
    fn first(&self) -> Option<(Place, u64, usize)> {
        let waiting = self.relays.iter().flat_map(|(id, relay)| {
            relay.flows.iter().enumerate().filter_map(|(index, flow)| match flow.phase {
                Phase::Waiting(place) if flow.speaks(&relay.rules) => Some((place, *id, index)),
                _ => None,
            })
        });
        waiting.min()
    }

    fn give_turn(&mut self, now: Instant, outputs: &mut Vec<Output>) {
        if self.turn().is_some() {
            return;
        }
        let Some((_, id, index)) = self.first() else { return };
        let Some(relay) = self.relays.get_mut(&id) else { return };
        if self.schedule.free_at(&relay.rules).is_none_or(|free| free <= now) {
            relay.take_turn(index, &mut Moment { now, schedule: &mut self.schedule, outputs });
        }
    }

    /// The earliest time after `polled` at which something changes without an input.
    pub(crate) fn next_wake(&self, polled: Option<Instant>) -> Option<Instant> {
        let relays =
            self.relays.values().filter_map(|relay| relay.next_wake(&self.schedule, polled));
        relays.chain(self.next_turn().filter(|at| Some(*at) > polled)).min()
    }

    fn next_turn(&self) -> Option<Instant> {
        let (_, id, _) = self.first().filter(|_| self.turn().is_none())?;
        self.schedule.free_at(&self.relays.get(&id)?.rules)
    }
}
