//! One relay's life.

use std::time::Instant;

use model::{Acceptance, CloseReason, FlowKind, Rules, State};

use crate::flow::{Flow, Phase};
use crate::output::Output;
use crate::schedule::Schedule;

/// The time, the edge's schedule, and where outputs go.
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
    /// While it is Starting, refusals are expected until then.
    grace_until: Instant,
    /// Whether the edge ever took any of it.
    accepted: bool,
    /// Since when the edge reports that nobody watches.
    unwatched_since: Option<Instant>,
    /// The last start or sign of a viewer.
    leased_at: Instant,
}

impl Relay {
    pub(crate) fn start(id: u64, flows: &[FlowKind], rules: Rules, at: &mut Moment<'_>) -> Self {
        at.outputs.push(Output::Entered { relay: id, state: State::Starting });
        Self {
            id,
            rules,
            state: State::Starting,
            since: at.now,
            flows: flows.iter().map(|kind| Flow::new(*kind, at.now)).collect(),
            grace_until: at.now + rules.grace,
            accepted: false,
            unwatched_since: None,
            leased_at: at.now,
        }
    }

    pub(crate) fn rtp(&self) -> impl Iterator<Item = &Flow> {
        self.flows.iter().filter(|flow| flow.is_rtp())
    }

    /// Changes one flow, and its gate with it.
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

    /// Opens what is not open, of the flows that `which` picks.
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
        for index in 0..self.flows.len() {
            let flow = &self.flows[index];
            if !flow.is_rtp() {
                self.change(index, at, |flow| flow.phase = Phase::Shut);
            } else if flow.phase == Phase::Open {
                self.wait(index, false, at);
            }
        }
    }

    /// Puts a flow into the edge's line for probes.
    pub(crate) fn wait(&mut self, index: usize, ahead: bool, at: &mut Moment<'_>) {
        let place = at.schedule.place(ahead);
        self.change(index, at, |flow| flow.phase = Phase::Waiting(place));
    }

    /// When it was started, or renewed for the last time: its grace runs from there.
    pub(crate) fn asked_at(&self) -> Option<Instant> {
        self.grace_until.checked_sub(self.rules.grace)
    }

    /// A viewer is on the way.
    pub(crate) fn renew(&mut self, at: &mut Moment<'_>) {
        self.leased_at = at.now;
        self.unwatched_since = self.unwatched_since.map(|_| at.now);
        if self.state == State::Suspect {
            self.enter(State::Starting, at);
            self.open(at, |_| true);
        } else {
            // A crowd must not keep a refused flow at full rate: once a grace is enough.
            let (now, grace) = (at.now, self.rules.grace);
            self.open(at, |flow| flow.opened_at + grace <= now);
        }
        self.grace_until = at.now + self.rules.grace;
    }

    /// Takes in a refusal; `reached`: by the edge itself. Whether other relays' flows wait for
    /// probes is `others_wait`.
    pub(crate) fn refused(
        &mut self,
        index: usize,
        reached: bool,
        others_wait: bool,
        at: &mut Moment<'_>,
    ) {
        let Some(flow) = self.flows.get_mut(index) else { return };
        if !reached && flow.borne(&self.rules, at.now) {
            return;
        }
        if !flow.is_rtp() {
            flow.viewers = None;
            flow.accepted = false;
            at.schedule.rtcp_refused(at.now);
            self.change(index, at, |flow| flow.phase = Phase::Shut);
            return;
        }
        flow.refused(reached, at.now);
        match flow.phase {
            Phase::Open => {
                at.schedule.flooded(at.now);
                let starting = self.state == State::Starting;
                let expected = starting && at.now < self.grace_until;
                if !expected || !at.schedule.bears(others_wait, &self.rules, at.now) {
                    self.count(index);
                    self.wait(index, starting, at);
                }
            }
            Phase::Probed { .. } => {
                self.count(index);
                self.wait(index, false, at);
            }
            // An answer that overtook the news of its probe; `probed` will see it.
            Phase::Turn => {}
            // A packet was still on its way when the gate was shut.
            Phase::Waiting(_) | Phase::Shut => at.schedule.flooded(at.now),
        }
    }

    fn count(&mut self, index: usize) {
        if self.state != State::Starting {
            self.flows[index].errors = self.flows[index].errors.saturating_add(1);
        }
    }

    /// Takes in that a probe was sent, maybe after its turn was taken away.
    pub(crate) fn probed(&mut self, index: usize, at: &mut Moment<'_>) {
        at.schedule.probed(at.now);
        let Some(flow) = self.flows.get(index) else { return };
        match flow.phase {
            Phase::Open | Phase::Probed { .. } | Phase::Shut => {}
            Phase::Turn | Phase::Waiting(_) if flow.answered => {
                self.count(index);
                // The gate is shut already, as far as the data plane is concerned.
                let place = at.schedule.place(false);
                self.flows[index].phase = Phase::Waiting(place);
                self.flows[index].answered = false;
            }
            Phase::Turn | Phase::Waiting(_) => {
                self.flows[index].phase = Phase::Probed { at: at.now };
            }
        }
    }

    /// Gives a waiting flow its turn.
    pub(crate) fn take_turn(&mut self, index: usize, at: &mut Moment<'_>) {
        let now = at.now;
        self.change(index, at, |flow| {
            flow.phase = Phase::Turn;
            flow.turn_at = Some(now);
            flow.answered = false;
        });
    }

    /// Ends turns in which nothing came, and draws the conclusion from probes without an answer. A
    /// turn that nobody else waits for goes on.
    pub(crate) fn conclude(&mut self, others_wait: bool, at: &mut Moment<'_>) {
        let patience = at.schedule.patience(&self.rules);
        for index in 0..self.flows.len() {
            let flow = &mut self.flows[index];
            match (flow.phase, flow.turn_at) {
                (Phase::Turn, Some(began)) if began + patience <= at.now => {
                    flow.turn_at = Some(at.now);
                    if std::mem::take(&mut flow.answered) && !flow.reached {
                        // No probe got out of this host: no route leads there, or it may not send.
                        self.count(index);
                    } else {
                        flow.misses = flow.misses.saturating_add(1);
                    }
                    if others_wait {
                        self.wait(index, false, at);
                    }
                }
                (Phase::Probed { at: sent }, _) if sent + patience <= at.now => {
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

    fn answered_by_silence(&mut self, index: usize, at: &mut Moment<'_>) {
        if self.state == State::Suspect {
            self.enter(State::Live, at);
            self.open(at, |_| true);
        } else {
            let now = at.now;
            self.change(index, at, |flow| flow.opened(now));
        }
    }

    /// Takes in how many watch, as the edge says on one of its flows.
    pub(crate) fn watched(&mut self, index: usize, viewers: u32, at: &mut Moment<'_>) {
        at.schedule.counts_viewers = true;
        self.accepted = true;
        if let Some(flow) = self.flows.get_mut(index) {
            flow.viewers = Some(viewers);
        }
        for flow in self.flows.iter_mut().filter(|flow| viewers > 0 && flow.phase == Phase::Open) {
            flow.accepted = true;
        }
        self.unwatched_since = match self.viewers() {
            Some(0) => self.unwatched_since.or(Some(at.now)),
            _ => None,
        };
        if viewers > 0 {
            self.leased_at = at.now;
        }
    }

    /// Takes in a receiver report without a count on one of its flows.
    pub(crate) fn reported(&mut self, index: usize, at: &mut Moment<'_>) {
        self.accepted = true;
        if let Some(flow) = self.flows.get_mut(index) {
            flow.accepted = true;
        }
        if !at.schedule.counts_viewers {
            self.leased_at = at.now;
        }
    }

    /// Whether the edge takes a flow. The RTCP flows of a Suspect relay are shut without a refusal.
    pub(crate) fn acceptance(&self, flow: &Flow, now: Instant) -> Acceptance {
        let unproved = !flow.reached || (!flow.is_rtp() && self.state == State::Suspect);
        match flow.is_refused(&self.rules, now) {
            true if unproved => Acceptance::Unknown,
            true => Acceptance::Refused,
            false if flow.accepted => Acceptance::Accepted,
            false => Acceptance::Unknown,
        }
    }

    pub(crate) fn viewers(&self) -> Option<u32> {
        self.flows.iter().filter_map(|flow| flow.viewers).max()
    }

    /// Draws what conclusions there are: changes of state, or the reason to close.
    pub(crate) fn settle(&mut self, at: &mut Moment<'_>) -> Option<CloseReason> {
        let proved = self.forgive_what_is_taken(at);
        self.over(at.now).or_else(|| {
            match self.state {
                State::Starting if proved => self.live(at),
                State::Starting if self.grace_until <= at.now => self.end_grace(at),
                State::Live if self.all_refused(|flow| flow.phase != Phase::Open) => {
                    self.suspect(at);
                }
                State::Starting | State::Live | State::Suspect | State::Closed => {}
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
        self.accepted |= proved;
        proved
    }

    fn live(&mut self, at: &mut Moment<'_>) {
        self.enter(State::Live, at);
        self.open(at, |flow| !flow.is_rtp());
    }

    fn end_grace(&mut self, at: &mut Moment<'_>) {
        let (rules, now) = (self.rules, at.now);
        if self.rtp().any(|flow| flow.has_sent() && !flow.is_refused(&rules, now)) {
            self.live(at);
        } else if self.all_refused(|flow| flow.is_refused(&rules, now)) {
            self.suspect(at);
        }
        // Else nothing came in yet that could be refused.
    }

    /// Whether every RTP flow that has a say is refused, and there is one.
    fn all_refused(&self, refused: impl Fn(&Flow) -> bool) -> bool {
        let mut speaking = self.rtp().filter(|flow| flow.speaks(&self.rules)).peekable();
        speaking.peek().is_some() && speaking.all(refused)
    }

    /// What ends it in whatever state.
    fn over(&self, now: Instant) -> Option<CloseReason> {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if !self.rtp().any(|flow| flow.speaks(&self.rules)) {
            Some(CloseReason::SourceEnded)
        } else if due(self.unwatched_until()) {
            Some(CloseReason::NoViewers)
        } else if due(self.lease_until()) {
            Some(CloseReason::LeaseExpired)
        } else {
            None
        }
    }

    pub(crate) fn unwatched_until(&self) -> Option<Instant> {
        self.unwatched_since.map(|since| since + self.rules.no_viewers)
    }

    pub(crate) fn lease_until(&self) -> Option<Instant> {
        self.rules.lease.map(|lease| self.leased_at + lease)
    }

    /// How many more refusals close a Suspect relay. A turn in which a source slower than the
    /// schedule sent nothing is no objection, but at least one flow has to have all its errors.
    pub(crate) fn errors_left(&self) -> u32 {
        let limit = self.rules.errors.max(1);
        let speaking = || self.rtp().filter(|flow| flow.speaks(&self.rules));
        let most = speaking().map(|flow| limit.saturating_sub(flow.errors)).min();
        let each =
            speaking().map(|flow| limit.saturating_sub(flow.errors.saturating_add(flow.misses)));
        most.unwrap_or(limit).max(each.fold(0, u32::saturating_add))
    }

    pub(crate) fn refusal_reason(&self) -> CloseReason {
        if !self.rtp().filter(|flow| flow.speaks(&self.rules)).any(|flow| flow.reached) {
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
            // A probe may have slipped out as its turn ended, and nobody will hear of it.
            at.schedule.probed(at.now);
        }
        for index in 0..self.flows.len() {
            self.change(index, at, |flow| flow.phase = Phase::Shut);
        }
        at.outputs.push(Output::Closed { relay: self.id, reason });
    }

    /// The earliest time later than `polled` at which something follows by itself.
    pub(crate) fn next_wake(
        &self,
        schedule: &Schedule,
        polled: Option<Instant>,
    ) -> Option<Instant> {
        let patience = schedule.patience(&self.rules);
        let turns = self.flows.iter().filter_map(|flow| match flow.phase {
            Phase::Turn => flow.turn_at.map(|began| began + patience),
            Phase::Probed { at } => Some(at + patience),
            Phase::Open | Phase::Waiting(_) | Phase::Shut => None,
        });
        let starting = self.state == State::Starting;
        let proofs = self
            .rtp()
            .filter(|_| starting)
            .flat_map(|flow| [flow.quiet_at(&self.rules), flow.proved_at(schedule, &self.rules)]);
        let ends =
            [starting.then_some(self.grace_until), self.unwatched_until(), self.lease_until()];
        turns.chain(proofs.chain(ends).flatten()).filter(|at| Some(*at) > polled).min()
    }
}
