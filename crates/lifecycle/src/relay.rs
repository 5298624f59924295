//! One relay's life.

use std::time::{Duration, Instant};

use model::{Acceptance, CloseReason, FlowKind, Rules, State};

use crate::flow::{Flow, Phase, Refuser};
use crate::output::Output;
use crate::schedule::Schedule;
use crate::viewer_count::ViewerCount;

/// An edge that refuses a relay through a whole grace gets only probes for this long, unless it
/// accepts one.
const FULL_RATE_PAUSE: Duration = Duration::from_secs(3600);

/// The context of a change: the time, the edge's schedule, and the list of outputs.
pub(crate) struct Moment<'a> {
    pub(crate) now: Instant,
    pub(crate) schedule: &'a mut Schedule,
    pub(crate) outputs: &'a mut Vec<Output>,
}

#[derive(Debug)]
pub(crate) struct Relay {
    id: u64,
    pub(crate) rules: Rules,
    pub(crate) state: State,
    pub(crate) since: Instant,
    pub(crate) flows: Vec<Flow>,
    /// Until then a Starting relay does not become Suspect.
    grace_until: Instant,
    /// Whether the edge ever accepted any of it.
    accepted: bool,
    /// Whether the edge has reported anything since the relay came into Starting.
    reported: bool,
    /// When the last grace at full rate began, if nothing was accepted since.
    tried: Option<Instant>,
    viewers: ViewerCount,
    /// When somebody last started it, or the edge last showed a viewer.
    leased_at: Instant,
}

impl Relay {
    /// A relay whose last unaccepted grace at full rate began at `tried`. If that is less than
    /// [`FULL_RATE_PAUSE`] ago, it begins with probes.
    pub(crate) fn start(
        id: u64,
        flows: &[FlowKind],
        rules: Rules,
        tried: Option<Instant>,
        at: &mut Moment<'_>,
    ) -> Self {
        at.outputs.push(Output::Entered { relay: id, state: State::Starting });
        let mut relay = Self {
            id,
            rules,
            state: State::Starting,
            since: at.now,
            flows: flows.iter().map(|kind| Flow::new(*kind, at.now)).collect(),
            grace_until: at.now + rules.grace,
            accepted: false,
            reported: false,
            tried,
            viewers: ViewerCount::default(),
            leased_at: at.now,
        };
        if relay.may_try(at.now) {
            relay.tried = Some(at.now);
        } else {
            relay.shut(true, at);
        }
        relay
    }

    /// Whether it may send at full rate to an edge that has not accepted.
    fn may_try(&self, now: Instant) -> bool {
        self.tried.is_none_or(|tried| tried + FULL_RATE_PAUSE <= now)
    }

    /// Until when the edge may refuse it at full rate, while it is Starting.
    fn full_rate_until(&self) -> Option<Instant> {
        let tried = self.tried.map(|tried| tried + self.rules.grace)?;
        Some(tried.min(self.grace_until))
    }

    /// The edge accepts: what it refused before is forgiven.
    fn accept(&mut self) {
        self.accepted = true;
        self.tried = None;
    }

    pub(crate) fn rtp(&self) -> impl Iterator<Item = &Flow> {
        self.flows.iter().filter(|flow| flow.is_rtp())
    }

    /// Changes one flow, and outputs its new gate.
    fn change(&mut self, index: usize, at: &mut Moment<'_>, change: impl FnOnce(&mut Flow)) {
        let Some(flow) = self.flows.get_mut(index) else { return };
        let before = flow.gate();
        change(flow);
        if flow.gate() != before {
            at.outputs.push(Output::Gate { relay: self.id, flow: index, gate: flow.gate() });
        }
    }

    fn enter(&mut self, state: State, at: &mut Moment<'_>) {
        self.state = state;
        self.since = at.now;
        at.outputs.push(Output::Entered { relay: self.id, state });
    }

    /// Opens the shut flows that `which` picks.
    fn open(&mut self, at: &mut Moment<'_>, which: impl Fn(&Flow) -> bool) {
        for index in 0..self.flows.len() {
            let now = at.now;
            if self.flows[index].phase != Phase::Open && which(&self.flows[index]) {
                self.change(index, at, |flow| flow.opened(now));
            }
        }
    }

    fn suspect(&mut self, at: &mut Moment<'_>) {
        self.enter(State::Suspect, at);
        self.viewers = ViewerCount::default();
        self.shut(false, at);
    }

    /// Shuts every flow. RTP flows wait for their turn to probe.
    fn shut(&mut self, ahead: bool, at: &mut Moment<'_>) {
        for index in 0..self.flows.len() {
            let flow = &self.flows[index];
            if !flow.is_rtp() {
                self.change(index, at, |flow| flow.phase = Phase::Shut);
            } else if flow.phase == Phase::Open {
                self.wait(index, ahead, at);
            }
        }
    }

    /// Puts a flow into the edge's line for probes.
    pub(crate) fn wait(&mut self, index: usize, ahead: bool, at: &mut Moment<'_>) {
        let place = at.schedule.place(ahead);
        self.change(index, at, |flow| flow.phase = Phase::Waiting(place));
    }

    /// When somebody last asked for it. Its grace begins there.
    pub(crate) fn asked_at(&self) -> Option<Instant> {
        self.grace_until.checked_sub(self.rules.grace)
    }

    /// A viewer is on the way.
    pub(crate) fn renew(&mut self, at: &mut Moment<'_>) {
        let (now, grace) = (at.now, self.rules.grace);
        self.leased_at = now;
        self.viewers.restart();
        match self.state {
            State::Suspect => {
                self.enter(State::Starting, at);
                self.reported = false;
                if self.may_try(now) {
                    self.tried = Some(now);
                    self.open(at, |_| true);
                }
            }
            // Once a grace is enough: a crowd must not keep a refused flow at full rate.
            State::Live => self.open(at, |flow| flow.opened_at + grace <= now),
            State::Starting | State::Closed => {}
        }
        self.grace_until = now + grace;
    }

    /// Handles a refusal, and the sequence number that it quotes. `others_wait` says that flows of
    /// other relays wait for probes.
    pub(crate) fn refused(
        &mut self,
        index: usize,
        (refuser, sequence): (Refuser, Option<u16>),
        others_wait: bool,
        at: &mut Moment<'_>,
    ) {
        let Some(flow) = self.flows.get_mut(index) else { return };
        if refuser != Refuser::Edge && flow.tolerates_unreachable(&self.rules, at.now) {
            return;
        }
        if !flow.is_rtp() {
            self.viewers.forget(index);
            flow.accepted = false;
            at.schedule.rtcp_refused(at.now);
            self.change(index, at, |flow| flow.phase = Phase::Shut);
            return;
        }
        flow.refused(refuser, sequence, at.now);
        match flow.phase {
            Phase::Open => {
                at.schedule.flooded(at.now);
                let starting = self.state == State::Starting;
                let full_rate = self.full_rate_until().is_some_and(|until| at.now < until);
                let expected = starting && full_rate;
                if !expected || !at.schedule.allows_full_rate(others_wait, &self.rules, at.now) {
                    self.count(index);
                    self.wait(index, starting, at);
                }
            }
            Phase::Probed { sequence: probe, .. } if is_same(probe, sequence) => {
                self.count(index);
                self.wait(index, false, at);
            }
            // The refusal overtook the report that its probe was sent. `probed` handles it.
            Phase::Turn => {}
            // The packet left before the probe, or before the gate shut.
            Phase::Probed { .. } | Phase::Waiting(_) | Phase::Shut => at.schedule.flooded(at.now),
        }
    }

    fn count(&mut self, index: usize) {
        if self.state != State::Starting {
            self.flows[index].errors = self.flows[index].errors.saturating_add(1);
        }
    }

    /// Handles a sent probe. Its turn may have ended before.
    pub(crate) fn probed(&mut self, index: usize, sequence: Option<u16>, at: &mut Moment<'_>) {
        at.schedule.probed(at.now);
        let Some(flow) = self.flows.get(index) else { return };
        match flow.phase {
            Phase::Open | Phase::Probed { .. } | Phase::Shut => {}
            Phase::Turn | Phase::Waiting(_)
                if flow.answered.is_some_and(|quoted| is_same(sequence, quoted)) =>
            {
                self.count(index);
                // The data plane has shut the gate by itself.
                let place = at.schedule.place(false);
                self.flows[index].phase = Phase::Waiting(place);
                self.flows[index].answered = None;
            }
            Phase::Turn | Phase::Waiting(_) => {
                self.flows[index].phase = Phase::Probed { at: at.now, sequence };
            }
        }
    }

    /// Gives a waiting flow its turn.
    pub(crate) fn take_turn(&mut self, index: usize, at: &mut Moment<'_>) {
        let now = at.now;
        self.change(index, at, |flow| {
            flow.phase = Phase::Turn;
            flow.turn_at = Some(now);
            flow.answered = None;
        });
    }

    /// Ends turns in which no packet came, and decides about probes that were not refused. A turn
    /// goes on while no other flow waits.
    pub(crate) fn conclude(&mut self, others_wait: bool, at: &mut Moment<'_>) {
        let patience = at.schedule.patience(&self.rules);
        for index in 0..self.flows.len() {
            let flow = &mut self.flows[index];
            match (flow.phase, flow.turn_at) {
                (Phase::Turn, Some(began)) if began + patience <= at.now => {
                    flow.turn_at = Some(at.now);
                    if flow.answered.take().is_some() && flow.refuser != Refuser::Edge {
                        // The probe did not leave this host: there is no route, or a firewall.
                        self.count(index);
                    } else {
                        flow.misses = flow.misses.saturating_add(1);
                    }
                    if others_wait {
                        self.wait(index, false, at);
                    }
                }
                (Phase::Probed { at: sent, .. }, _) if sent + patience <= at.now => {
                    if at.schedule.is_probe_conclusive(sent, &self.rules) {
                        self.answered_by_silence(index, at);
                    } else {
                        self.wait(index, true, at);
                    }
                }
                _ => {}
            }
        }
    }

    /// Handles a probe that was not refused. If the edge accepted the relay before, it does so again.
    /// Otherwise this is a hint that full rate has to prove.
    fn answered_by_silence(&mut self, index: usize, at: &mut Moment<'_>) {
        let now = at.now;
        match self.state {
            State::Suspect if self.accepted => {
                self.enter(State::Live, at);
                self.open(at, |_| true);
            }
            State::Suspect => {
                self.enter(State::Starting, at);
                self.open(at, Flow::is_rtp);
            }
            State::Starting => self.open(at, Flow::is_rtp),
            State::Live | State::Closed => self.change(index, at, |flow| flow.opened(now)),
        }
    }

    /// Handles a viewer count that the edge reports on one of the flows.
    pub(crate) fn watched(&mut self, index: usize, viewers: u32, at: &mut Moment<'_>) {
        if !self.viewers.report(index, viewers, at.now) {
            return;
        }
        at.schedule.counts_viewers = true;
        self.reported = true;
        for flow in self.flows.iter_mut().filter(|flow| viewers > 0 && flow.phase == Phase::Open) {
            flow.accepted = true;
        }
        if viewers > 0 {
            self.leased_at = at.now;
        }
    }

    /// Handles a receiver report without a count on one of the flows.
    pub(crate) fn reported(&mut self, index: usize, at: &mut Moment<'_>) {
        self.reported = true;
        if let Some(flow) = self.flows.get_mut(index) {
            flow.accepted = true;
        }
        if !at.schedule.counts_viewers {
            self.leased_at = at.now;
        }
    }

    /// Whether the edge takes a flow. The RTCP flows of a Suspect relay are shut without a refusal.
    pub(crate) fn acceptance(&self, flow: &Flow, now: Instant) -> Acceptance {
        let unproved =
            flow.refuser != Refuser::Edge || (!flow.is_rtp() && self.state == State::Suspect);
        match flow.is_refused(&self.rules, now) {
            true if unproved => Acceptance::Unknown,
            true => Acceptance::Refused,
            false if flow.accepted => Acceptance::Accepted,
            false => Acceptance::Unknown,
        }
    }

    pub(crate) fn viewers(&self, now: Instant) -> Option<u32> {
        self.viewers.at(now)
    }

    /// Changes the state if it is time to, or returns the reason to close.
    pub(crate) fn settle(&mut self, at: &mut Moment<'_>) -> Option<CloseReason> {
        let proved = self.forgive_what_is_taken(at) || self.is_reported_as_taken(at.now);
        if proved {
            self.accept();
        }
        self.over(at.now).or_else(|| {
            match self.state {
                State::Starting if proved => self.live(at),
                State::Starting => self.end_full_rate(at),
                State::Live if self.all_refused(|flow| flow.phase != Phase::Open) => {
                    self.suspect(at);
                }
                State::Live | State::Suspect | State::Closed => {}
            }
            self.given_up()
        })
    }

    fn forgive_what_is_taken(&mut self, at: &Moment<'_>) -> bool {
        let mut proved = false;
        for flow in self.flows.iter_mut().filter(|flow| flow.is_rtp()) {
            if flow.proved_at(at.schedule, &self.rules).is_some_and(|proof| proof <= at.now) {
                flow.forgive();
                proved = true;
            }
        }
        proved
    }

    /// Whether the edge reports, and an RTP flow at full rate is not refused.
    fn is_reported_as_taken(&self, now: Instant) -> bool {
        let taken = |flow: &Flow| flow.has_sent() && !flow.is_refused(&self.rules, now);
        self.reported && self.rtp().any(taken)
    }

    fn live(&mut self, at: &mut Moment<'_>) {
        self.enter(State::Live, at);
        self.open(at, |flow| !flow.is_rtp());
    }

    /// Ends full rate for refused flows when the grace is over. A flow that is not refused goes on:
    /// ICMP errors are rare, and only time shows whether the edge accepts it.
    fn end_full_rate(&mut self, at: &mut Moment<'_>) {
        let (rules, now) = (self.rules, at.now);
        if self.full_rate_until().is_some_and(|until| now < until) {
            return;
        }
        for index in 0..self.flows.len() {
            let flow = &self.flows[index];
            if flow.is_rtp() && flow.phase == Phase::Open && flow.is_refused(&rules, now) {
                self.wait(index, true, at);
            }
        }
        if self.grace_until <= now && self.all_refused(|flow| flow.phase != Phase::Open) {
            self.suspect(at);
        }
    }

    /// Whether there is an RTP flow with a source that sends, and all of these are refused.
    fn all_refused(&self, refused: impl Fn(&Flow) -> bool) -> bool {
        let mut speaking = self.rtp().filter(|flow| flow.speaks(&self.rules)).peekable();
        speaking.peek().is_some() && speaking.all(refused)
    }

    /// The reason to close in any state.
    fn over(&self, now: Instant) -> Option<CloseReason> {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if !self.rtp().any(|flow| flow.speaks(&self.rules)) {
            Some(CloseReason::SourceEnded)
        } else if self.viewers.is_unwatched(self.rules.no_viewers, now) {
            Some(CloseReason::NoViewers)
        } else if due(self.lease_until()) {
            Some(CloseReason::LeaseExpired)
        } else {
            None
        }
    }

    /// When it closes if the edge keeps reporting that nobody watches.
    pub(crate) fn unwatched_until(&self) -> Option<Instant> {
        self.viewers.unwatched_until(self.rules.no_viewers)
    }

    pub(crate) fn lease_until(&self) -> Option<Instant> {
        self.rules.lease.map(|lease| self.leased_at + lease)
    }

    /// How many more refusals close a Suspect relay. A turn without a packet, because the source is
    /// slower than the schedule, counts like a refusal. But one flow needs all its errors.
    pub(crate) fn errors_left(&self) -> u32 {
        let limit = self.rules.errors.max(1);
        let speaking = || self.rtp().filter(|flow| flow.speaks(&self.rules));
        let most = speaking().map(|flow| limit.saturating_sub(flow.errors)).min();
        let each =
            speaking().map(|flow| limit.saturating_sub(flow.errors.saturating_add(flow.misses)));
        most.unwrap_or(limit).max(each.fold(0, u32::saturating_add))
    }

    pub(crate) fn refusal_reason(&self) -> CloseReason {
        let speaking = || self.rtp().filter(|flow| flow.speaks(&self.rules));
        let refused_by = |refuser| speaking().any(|flow| flow.refuser == refuser);
        if !refused_by(Refuser::Edge) && refused_by(Refuser::Firewall) {
            CloseReason::EdgeFirewalled
        } else if !refused_by(Refuser::Edge) {
            CloseReason::EdgeUnreachable
        } else if self.accepted {
            CloseReason::NoViewers
        } else {
            CloseReason::NeverAccepted
        }
    }

    fn given_up(&self) -> Option<CloseReason> {
        let given_up = self.state == State::Suspect && self.errors_left() == 0;
        given_up.then(|| self.refusal_reason())
    }

    pub(crate) fn close(&mut self, reason: CloseReason, at: &mut Moment<'_>) {
        let now = at.now;
        if self.flows.iter().any(|flow| flow.phase == Phase::Turn || flow.turn_at == Some(now)) {
            // A probe may have left as its turn ended, and its report will come too late.
            at.schedule.probed(at.now);
        }
        for index in 0..self.flows.len() {
            self.change(index, at, |flow| flow.phase = Phase::Shut);
        }
        // A relay that an administrator stops amid its grace has not had its chance.
        let tried = self.tried.filter(|tried| *tried + self.rules.grace <= now);
        at.outputs.push(Output::Closed { relay: self.id, reason, tried });
    }

    /// The earliest time after `polled` at which the relay changes without an input.
    pub(crate) fn next_wake(
        &self,
        schedule: &Schedule,
        polled: Option<Instant>,
    ) -> Option<Instant> {
        let patience = schedule.patience(&self.rules);
        let turns = self.flows.iter().filter_map(|flow| match flow.phase {
            Phase::Turn => flow.turn_at.map(|began| began + patience),
            Phase::Probed { at, .. } => Some(at + patience),
            Phase::Open | Phase::Waiting(_) | Phase::Shut => None,
        });
        let starting = self.state == State::Starting;
        let proofs = self
            .rtp()
            .filter(|_| starting)
            .flat_map(|flow| [flow.quiet_at(&self.rules), flow.proved_at(schedule, &self.rules)]);
        let ends = [
            starting.then_some(self.grace_until),
            self.full_rate_until().filter(|_| starting),
            self.unwatched_until(),
            self.lease_until(),
        ];
        turns.chain(proofs.chain(ends).flatten()).filter(|at| Some(*at) > polled).min()
    }
}

/// Whether two sequence numbers are the same, as far as both are known.
fn is_same(probe: Option<u16>, quoted: Option<u16>) -> bool {
    probe.zip(quoted).is_none_or(|(probe, quoted)| probe == quoted)
}
