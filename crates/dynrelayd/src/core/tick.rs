//! What the supervisor sees of the flows, and sees to as time passes.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use forward::FlowEvent;
use lifecycle::Input;
use model::CloseReason;
use rtp::Feedback;

use crate::core::supervisor::Supervisor;
use crate::log::relay_log::tell_of_storm;

/// How often the counters are read while anything is relayed.
pub(crate) const GLANCE: Duration = Duration::from_millis(500);

impl Supervisor {
    /// Something happened to a flow.
    pub(crate) fn observe(&mut self, notice: forward::Notice, now: Instant) {
        let (relay, flow) = (notice.relay, notice.flow);
        if let Some(replica) = self.replicas.get_mut(&relay) {
            return replica.observe(notice);
        }
        for event in notice.read() {
            let seen = match event {
                FlowEvent::Refused => Input::Refused,
                FlowEvent::Unreachable { .. } => Input::Unreachable,
                FlowEvent::Probed => Input::Probed,
                FlowEvent::Report(Feedback::Viewers(count)) => Input::Viewers(count),
                FlowEvent::Report(Feedback::ReceiverReport) => Input::ReceiverReport,
                FlowEvent::Failed => {
                    self.lifecycle.stop(relay, CloseReason::Failed, now);
                    continue;
                }
            };
            self.lifecycle.observe(relay, flow, seen, now);
        }
    }

    /// Reads the counters when it is time to, gives up on edges that don't answer, and lets the
    /// lifecycle see what is due.
    pub(crate) fn let_time_pass(&mut self, now: Instant) {
        let glance = now >= self.glanced + GLANCE;
        if glance || self.changed {
            self.tend_replicas(now);
        }
        if glance {
            self.glanced = now;
            self.look_for_returns(now);
            for (id, relay) in &mut self.relays {
                relay.measure(now);
                relay.audience.count(self.lifecycle.viewers(*id, now), now);
                if let Some(count) = relay.storm.look(relay.media_refusals(), now) {
                    tell_of_storm(relay, self.lifecycle.state(*id), count);
                }
                for (flow, counters) in relay.flows.iter().map(forward::Flow::counters).enumerate()
                {
                    let traffic =
                        Input::Traffic { received: counters.received, sent: counters.packets };
                    self.lifecycle.observe(*id, flow, traffic, now);
                }
            }
        }
        self.step(now);
        self.lifecycle.poll(now);
        self.act();
        self.give_up_waiting(now);
        self.turnstile.poll(now);
        self.give_up_listening(now);
        self.end_pulls(now);
    }

    /// Ends the pulls of streams that neither a relay, a replica nor a viewer on the way needs.
    fn end_pulls(&mut self, now: Instant) {
        if self.pulls.is_empty() {
            return;
        }
        let relayed = self.relays.values().map(|relay| relay.stream.as_str());
        let asked = self.waiting.iter().map(|waiting| waiting.stream.as_str());
        let replicated = self.replicas.values().map(|replica| replica.stream.as_str());
        let needed: HashSet<&str> = relayed.chain(asked).chain(replicated).collect();
        self.pulls.end_unneeded(now, |stream| needed.contains(stream));
    }

    /// Tells of packets that came back.
    fn look_for_returns(&mut self, now: Instant) {
        let relays = self.relays.values().map(|relay| (&relay.stream, relay.flows.as_slice()));
        let replicas = self.replicas.values().map(|replica| (&replica.stream, replica.flows()));
        for (stream, flows) in relays.chain(replicas) {
            self.returns.look(stream, flows, now);
        }
    }
}
