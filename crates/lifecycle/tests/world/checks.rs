//! The invariants that hold at every step.

use std::time::Duration;

use lifecycle::Output;
use model::{CloseReason, FlowKind, Gate, State};

use super::{Edge, Relay, World};

/// At most one probe an interval to each edge address, except for a packet that left while its turn
/// ended.
pub(crate) fn probe_spacing(edge: &Edge, now: Duration, late: bool) {
    if let Some((before, before_late)) = edge.probed {
        let apart = now - before;
        assert!(
            apart >= edge.interval() || late || before_late,
            "two probes to {} only {apart:?} apart",
            edge.address
        );
    }
}

impl World {
    /// Whether only closed ports stop packets and errors.
    fn faithful(&self, relay: &Relay) -> bool {
        let edge = &self.edges[self.streams[relay.stream].edge];
        edge.loss == 0 && !edge.firewall
    }

    /// Whether an RTP port of the relay was open at any time in its life.
    fn was_taken(&self, relay: &Relay) -> bool {
        let mut rtp = self.streams[relay.stream].paths.iter().filter(|p| p.kind == FlowKind::Rtp);
        rtp.any(|path| path.open.iter().any(|(from, to)| *to > relay.started && *from < self.now))
    }

    pub(crate) fn check_output(&self, output: &Output) {
        let (Output::Gate { relay: id, .. }
        | Output::Entered { relay: id, .. }
        | Output::Closed { relay: id, .. }) = *output;
        let relay = &self.relays[&id];
        assert!(relay.closed.is_none(), "{output:?} after it closed");
        match *output {
            Output::Gate { flow, gate, .. } => {
                let asked = relay.outputs[flow].asked;
                assert_ne!(asked, gate, "{output:?} changes nothing");
                if asked == Gate::Open && self.life.state(id).is_some() {
                    self.check_watched(relay, flow, output);
                }
            }
            Output::Entered { state: State::Live, .. } if relay.state == State::Suspect => {
                assert!(
                    !self.faithful(relay) || self.was_open_lately(relay),
                    "{id} was taken for alive though its ports are closed"
                );
            }
            Output::Closed { reason, .. } => self.check_reason(relay, reason),
            Output::Entered { .. } => {}
        }
    }

    /// While the edge takes a flow, the flow may send.
    fn check_watched(&self, relay: &Relay, flow: usize, output: &Output) {
        let stream = &self.streams[relay.stream];
        let path = &stream.paths[flow];
        let settled =
            self.rules.quiet + self.edges[stream.edge].delay * 2 + Duration::from_millis(100);
        let taken = path.kind == FlowKind::Rtp
            && relay.started < self.now
            && path.open_for(self.now).is_some_and(|time| time > settled)
            && !path.is_paused(self.now);
        assert!(!taken, "{output:?} takes packets from a viewer");
    }

    fn was_open_lately(&self, relay: &Relay) -> bool {
        let since = self.now.saturating_sub(Duration::from_secs(3));
        let paths = &self.streams[relay.stream].paths;
        paths.iter().any(|path| path.open.iter().any(|(from, to)| *from <= self.now && *to > since))
    }

    fn check_reason(&self, relay: &Relay, reason: CloseReason) {
        match reason {
            CloseReason::NoViewers => assert!(
                !self.faithful(relay) || self.was_taken(relay),
                "no-viewers, but the edge never took it"
            ),
            CloseReason::NeverAccepted => {
                let paths = &self.streams[relay.stream].paths;
                let long = Duration::from_secs(60);
                let watched = paths
                    .iter()
                    .flat_map(|path| &path.open)
                    .any(|(from, to)| *to < self.now && *to > (*from).max(relay.started) + long);
                assert!(!watched, "never-accepted, but it was watched for a minute");
            }
            CloseReason::SourceEnded => {
                let paths = &self.streams[relay.stream].paths;
                let speaking = paths.iter().any(|path| {
                    let before = self.now.saturating_sub(path.pace * 2);
                    let paused = path.is_paused(self.now) || path.is_paused(before);
                    path.kind == FlowKind::Rtp && !paused
                });
                assert!(!speaking, "source-ended, but it goes on");
            }
            _ => {}
        }
    }

    pub(crate) fn check_gates(&self) {
        let mut turns = vec![0; self.edges.len()];
        for (id, relay) in self.relays.iter().filter(|(_, relay)| relay.closed.is_none()) {
            let gates = self.life.gates(*id);
            assert_eq!(self.life.state(*id), Some(relay.state), "an Entered is missing");
            for (flow, (gate, output)) in gates.iter().zip(&relay.outputs).enumerate() {
                assert_eq!(*gate, output.asked, "a Gate for {id}.{flow} is missing");
                if relay.state == State::Suspect {
                    assert_ne!(*gate, Gate::Open, "{id}.{flow} sends though Suspect");
                }
                turns[self.streams[relay.stream].edge] += u32::from(*gate == Gate::Probe);
            }
            for (errors, output) in self.life.errors(*id).iter().zip(&relay.outputs) {
                assert!(*errors <= output.refusals, "{id} counts errors that never came");
            }
        }
        assert!(turns.iter().all(|turns| *turns <= 1), "two turns at once");
    }

    /// The RTP flows of all relays to an edge.
    fn line(&self, edge: usize) -> u32 {
        let streams = self.streams.iter().filter(|stream| stream.edge == edge);
        let rtp = streams.flat_map(|s| &s.paths).filter(|path| path.kind == FlowKind::Rtp);
        u32::try_from(rtp.count()).unwrap()
    }

    /// The longest time in which every flow of an edge's line gets a turn.
    fn round(&self, edge: usize) -> Duration {
        let turn = self.edges[edge].interval().max(Duration::from_millis(500)) * 2;
        turn * (self.line(edge) + 2)
    }

    /// A viewer who comes without a start does not wait for ever, unless the source is so slow that
    /// it misses its turns.
    pub(crate) fn check_recovery(&self) {
        for relay in self.relays.values().filter(|relay| relay.closed.is_none()) {
            let stream = &self.streams[relay.stream];
            let rtp = stream.paths.iter().filter(|path| path.kind == FlowKind::Rtp);
            let patience = self.rules.grace * 4 + self.round(stream.edge) * 2;
            let mut spoken = rtp.filter(|path| !path.is_paused(self.now));
            let waits = relay.state == State::Suspect
                && spoken.all(|path| path.open_for(self.now).is_some_and(|time| time > patience))
                && stream.paths.iter().all(|path| path.pauses.is_empty())
                && stream.paths.iter().any(|path| path.pace < Duration::from_millis(400));
            assert!(!waits, "a viewer of stream {} waits", relay.stream);
        }
    }

    /// The longest time until a relay closes once nobody watches or starts anything.
    pub(crate) fn closing(&self) -> Duration {
        let rounds = self.rules.errors + 4;
        let longest = (0..self.edges.len()).map(|edge| self.round(edge)).max().unwrap();
        self.rules.grace * 3 + longest * rounds
    }
}
