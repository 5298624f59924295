//! One flow of a relay.

use std::time::{Duration, Instant};

use model::{FlowKind, Gate, Rules};

use crate::schedule::{Place, Schedule};

/// What a flow is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Sending at full rate.
    Open,
    /// Refused RTP, waiting for its turn to probe.
    Waiting(Place),
    /// It is its turn: the next packet goes out as a probe.
    Turn,
    /// Its probe went out, and the answer is awaited.
    Probed { at: Instant },
    /// Refused RTCP, or RTCP of a Suspect relay.
    Shut,
}

#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) kind: FlowKind,
    pub(crate) phase: Phase,
    /// Refusals in Live and Suspect since the edge last took this flow.
    pub(crate) errors: u32,
    /// Turns since then in which the source sent nothing to probe with.
    pub(crate) misses: u32,
    /// How many watch, and when the edge said so.
    pub(crate) viewers: Option<(u32, Instant)>,
    /// When it last began to send at full rate.
    pub(crate) opened_at: Instant,
    pub(crate) refused_at: Option<Instant>,
    /// Whether the edge proved to take it since it was last refused.
    pub(crate) accepted: bool,
    /// Whether its last refusal came from the edge itself, which so was reached.
    pub(crate) reached: bool,
    /// Since when it can't be reached, with no pause as long as a grace, and when it last couldn't.
    unreachable: Option<(Instant, Instant)>,
    /// When its last turn began.
    pub(crate) turn_at: Option<Instant>,
    /// Whether it was refused since, maybe before the news that its probe was sent.
    pub(crate) answered: bool,
    received: u64,
    sent: u64,
    /// `sent` when it was last opened or refused.
    sent_mark: u64,
    observed_at: Instant,
    heard_at: Instant,
    /// When packets were first seen to have been sent that could have been refused and visibly so.
    evidence_at: Option<Instant>,
}

impl Flow {
    pub(crate) fn new(kind: FlowKind, now: Instant) -> Self {
        Self {
            kind,
            phase: Phase::Open,
            errors: 0,
            misses: 0,
            viewers: None,
            opened_at: now,
            refused_at: None,
            accepted: false,
            reached: true,
            unreachable: None,
            turn_at: None,
            answered: false,
            received: 0,
            sent: 0,
            sent_mark: 0,
            observed_at: now,
            heard_at: now,
            evidence_at: None,
        }
    }

    pub(crate) fn is_rtp(&self) -> bool {
        self.kind == FlowKind::Rtp
    }

    pub(crate) fn gate(&self) -> Gate {
        match self.phase {
            Phase::Open => Gate::Open,
            Phase::Turn => Gate::Probe,
            Phase::Waiting(_) | Phase::Probed { .. } | Phase::Shut => Gate::Shut,
        }
    }

    pub(crate) fn opened(&mut self, now: Instant) {
        self.phase = Phase::Open;
        self.opened_at = now;
        self.refused_at = None;
        self.sent_mark = self.sent;
    }

    pub(crate) fn refused(&mut self, reached: bool, now: Instant) {
        self.reached = reached;
        self.refused_at = Some(now);
        self.answered = true;
        self.accepted = false;
        self.sent_mark = self.sent;
    }

    /// Takes in that it can't be reached; true if that is borne. At full rate it is for a grace,
    /// since whoever watches is still there after a short outage.
    pub(crate) fn borne(&mut self, rules: &Rules, now: Instant) -> bool {
        let since = match self.unreachable {
            Some((since, last)) if now < last + rules.grace => since,
            _ => now,
        };
        self.unreachable = Some((since, now));
        self.phase == Phase::Open && now < since + rules.grace
    }

    /// How long nothing came in, as far as anybody looked.
    pub(crate) fn silence(&self) -> Duration {
        self.observed_at.saturating_duration_since(self.heard_at)
    }

    /// Whether it has a say in what becomes of its relay: a media that isn't broadcast has none.
    pub(crate) fn speaks(&self, rules: &Rules) -> bool {
        self.silence() < rules.source_silence
    }

    /// Takes in new totals.
    pub(crate) fn traffic(
        &mut self,
        (received, sent): (u64, u64),
        schedule: &Schedule,
        rules: &Rules,
        now: Instant,
    ) {
        // Time in which nobody looked counts as silence only up to a half of what would close.
        let unseen = now.saturating_duration_since(self.observed_at);
        let uncounted = unseen.saturating_sub(rules.source_silence / 2);
        self.heard_at = if received == self.received { self.heard_at + uncounted } else { now };
        let before = self.observed_at;
        let packets = sent.saturating_sub(self.sent);
        if packets > 0
            && before >= self.opened_at
            && schedule.is_flow_conclusive(packets, before, rules, now)
            && self.evidence(schedule).is_none()
        {
            self.evidence_at = Some(now);
        }
        (self.received, self.sent, self.observed_at) = (received, sent, now);
    }

    /// Since when nothing was refused at full rate, neither here nor elsewhere at this edge.
    fn calm_since(&self, schedule: &Schedule) -> Instant {
        schedule.flood_at().map_or(self.opened_at, |flood| flood.max(self.opened_at))
    }

    fn evidence(&self, schedule: &Schedule) -> Option<Instant> {
        self.evidence_at.filter(|at| *at > self.calm_since(schedule))
    }

    /// When it is proved that the edge takes this flow at full rate, if all stays as it is.
    pub(crate) fn proved_at(&self, schedule: &Schedule, rules: &Rules) -> Option<Instant> {
        let evidence = self.evidence(schedule).filter(|_| self.phase == Phase::Open)?;
        let quiet = self.calm_since(schedule) + rules.quiet;
        let proof = quiet.max(evidence + schedule.patience(rules));
        Some(self.unreachable.map_or(proof, |(_, last)| proof.max(last + rules.grace)))
    }

    /// When a refusal at full rate will be `quiet` ago.
    pub(crate) fn quiet_at(&self, rules: &Rules) -> Option<Instant> {
        self.refused_at.map(|at| at + rules.quiet)
    }

    /// Whether it was refused lately or is kept from sending because of that.
    pub(crate) fn is_refused(&self, rules: &Rules, now: Instant) -> bool {
        self.phase != Phase::Open || self.quiet_at(rules).is_some_and(|at| now < at)
    }

    /// Whether packets went out since it was last opened or refused.
    pub(crate) fn has_sent(&self) -> bool {
        self.sent != self.sent_mark
    }

    /// The edge takes it: what it refused before is forgotten.
    pub(crate) fn forgive(&mut self) {
        self.accepted = true;
        self.errors = 0;
        self.misses = 0;
    }
}
