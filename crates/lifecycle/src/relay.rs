//! One relay's life.

use std::time::{Duration, Instant};

use model::{Acceptance, CloseReason, FlowKind, Rules, State};

use crate::flow::{Flow, Phase};
use crate::output::Output;
use crate::schedule::Schedule;

/// A viewer count that is not repeated for so long is no longer known. Darwin Streaming Server
/// repeats it every 5 to 6 seconds.
const FRESH: Duration = Duration::from_secs(20);

/// So many reports in a row must count no viewer before they close a relay.
const SEVERAL: u32 = 3;

/// A higher viewer count is not believed.
const MOST_VIEWERS: u32 = 1_000_000;

/// A relay that was refused through a whole grace sends at full rate again only after so long,
/// unless the edge accepts a probe.
const PENANCE: Duration = Duration::from_secs(3600);

/// The time, the edge's schedule, and where outputs go.
pub(crate) struct Moment<'a> {
    pub(crate) now: Instant,
    pub(crate) schedule: &'a mut Schedule,
    pub(crate) outputs: &'a mut Vec<Output>,
}

/// A run of reports that all counted no viewer, with no pause as long as [`FRESH`].
#[derive(Clone, Copy, Debug)]
struct Unwatched {
    since: Instant,
    last: Instant,
    reports: u32,
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
    /// Whether the edge ever accepted any of it.
    accepted: bool,
    /// Whether the edge has reported anything since the relay came into Starting.
    reported: bool,
    /// When the last grace at full rate began, if nothing was accepted since.
    tried: Option<Instant>,
    /// The edge reports that nobody watches.
    unwatched: Option<Unwatched>,
    /// The last start or sign of a viewer.
    leased_at: Instant,
}

impl Relay {
    /// A relay whose last unaccepted grace at full rate began at `tried`. If that is less than
    /// [`PENANCE`] ago, it begins with probes.
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
            unwatched: None,
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
        self.tried.is_none_or(|tried| tried + PENANCE <= now)
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
        self.unwatched = None;
        self.flows.iter_mut().for_each(|flow| flow.viewers = None);
        self.shut(false, at);
    }

    /// Sends nothing but probes from now on.
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

    /// When it was started, or renewed for the last time: its grace runs from there.
    pub(crate) fn asked_at(&self) -> Option<Instant> {
        self.grace_until.checked_sub(self.rules.grace)
    }

    /// A viewer is on the way.
    pub(crate) fn renew(&mut self, at: &mut Moment<'_>) {
        let (now, grace) = (at.now, self.rules.grace);
        self.leased_at = now;
        self.unwatched = None;
        match self.state {
            State::Suspect => {
                self.enter(State::Starting, at);
                self.reported = false;
                if self.may_try(now) {
                    self.tried = Some(now);
                    self.open(at, |_| true);
                }
            }
            // A crowd must not keep a refused flow at full rate: once a grace is enough.
            State::Live => self.open(at, |flow| flow.opened_at + grace <= now),
            State::Starting | State::Closed => {}
        }
        self.grace_until = now + grace;
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
                let full_rate = self.full_rate_until().is_some_and(|until| at.now < until);
                let expected = starting && full_rate;
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

    /// A probe was not refused. The edge of a relay that it accepted before is back; to another
    /// edge this is a hint, and full rate has to prove it.
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

    /// Takes in how many watch, as the edge says on one of its flows.
    pub(crate) fn watched(&mut self, index: usize, viewers: u32, at: &mut Moment<'_>) {
        if viewers > MOST_VIEWERS {
            return;
        }
        at.schedule.counts_viewers = true;
        self.reported = true;
        if let Some(flow) = self.flows.get_mut(index) {
            flow.viewers = Some((viewers, at.now));
        }
        for flow in self.flows.iter_mut().filter(|flow| viewers > 0 && flow.phase == Phase::Open) {
            flow.accepted = true;
        }
        self.unwatched = match (self.viewers(at.now), self.unwatched) {
            (Some(0), Some(run)) if at.now < run.last + FRESH => {
                Some(Unwatched { last: at.now, reports: run.reports.saturating_add(1), ..run })
            }
            (Some(0), _) => Some(Unwatched { since: at.now, last: at.now, reports: 1 }),
            _ => None,
        };
        if viewers > 0 {
            self.leased_at = at.now;
        }
    }

    /// Takes in a receiver report without a count on one of its flows.
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
        let unproved = !flow.reached || (!flow.is_rtp() && self.state == State::Suspect);
        match flow.is_refused(&self.rules, now) {
            true if unproved => Acceptance::Unknown,
            true => Acceptance::Refused,
            false if flow.accepted => Acceptance::Accepted,
            false => Acceptance::Unknown,
        }
    }

    /// How many watch, as the edge said in the last [`FRESH`].
    pub(crate) fn viewers(&self, now: Instant) -> Option<u32> {
        let counts = self.flows.iter().filter_map(|flow| flow.viewers);
        counts.filter(|(_, at)| now < *at + FRESH).map(|(viewers, _)| viewers).max()
    }

    /// Draws what conclusions there are: changes of state, or the reason to close.
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

    /// Ends full rate for the flows that the edge refuses, once their grace is over. A flow that it
    /// does not refuse goes on: errors are few, and only time tells whether it is accepted.
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
        } else if self.is_unwatched(now) {
            Some(CloseReason::NoViewers)
        } else if due(self.lease_until()) {
            Some(CloseReason::LeaseExpired)
        } else {
            None
        }
    }

    /// When it closes if the edge goes on reporting that nobody watches.
    pub(crate) fn unwatched_until(&self) -> Option<Instant> {
        self.unwatched.map(|run| run.since + self.rules.no_viewers)
    }

    fn is_unwatched(&self, now: Instant) -> bool {
        self.unwatched.is_some_and(|run| {
            let fresh = now < run.last + FRESH;
            fresh && run.reports >= SEVERAL && run.since + self.rules.no_viewers <= now
        })
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
        at.outputs.push(Output::Closed { relay: self.id, reason, tried: self.tried });
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
        let ends = [
            starting.then_some(self.grace_until),
            self.full_rate_until().filter(|_| starting),
            self.unwatched_until(),
            self.lease_until(),
        ];
        turns.chain(proofs.chain(ends).flatten()).filter(|at| Some(*at) > polled).min()
    }
}
