//! One flow of a relay.

use std::time::{Duration, Instant};

use model::{FlowKind, Gate, Rules};

use crate::schedule::{Place, Schedule};

/// The sender of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refuser {
    /// The edge: the port is closed.
    Edge,
    /// A firewall on the way.
    Firewall,
    /// Nobody: the edge cannot be reached.
    Network,
}

/// The state of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Sending at full rate.
    Open,
    /// Refused RTP, waiting for its turn to probe.
    Waiting(Place),
    /// Its turn: the next packet is the probe.
    Turn,
    /// The probe was sent, and may still be refused.
    Probed { at: Instant, sequence: Option<u16> },
    /// Refused RTCP, or RTCP of a Suspect relay.
    Shut,
}

#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) kind: FlowKind,
    pub(crate) phase: Phase,
    /// Refusals in Live and Suspect since the edge last accepted this flow.
    pub(crate) errors: u32,
    /// Turns since then in which the source sent no packet.
    pub(crate) misses: u32,
    /// When it last began to send at full rate.
    pub(crate) opened_at: Instant,
    pub(crate) refused_at: Option<Instant>,
    /// Whether the edge has accepted it since it last refused it.
    pub(crate) accepted: bool,
    /// Where the last refusal came from.
    pub(crate) refuser: Refuser,
    /// The first and the last unreachable error of a series without a pause as long as a grace.
    unreachable: Option<(Instant, Instant)>,
    /// When its last turn began.
    pub(crate) turn_at: Option<Instant>,
    /// The sequence number that a refusal since then quotes, if there was one.
    pub(crate) answered: Option<Option<u16>>,
    received: u64,
    sent: u64,
    /// `sent` when it was last opened or refused.
    sent_mark: u64,
    observed_at: Instant,
    heard_at: Instant,
    /// When the counters first showed packets that the edge could have refused.
    evidence_at: Option<Instant>,
}

impl Flow {
    pub(crate) fn new(kind: FlowKind, now: Instant) -> Self {
        Self {
            kind,
            phase: Phase::Open,
            errors: 0,
            misses: 0,
            opened_at: now,
            refused_at: None,
            accepted: false,
            refuser: Refuser::Edge,
            unreachable: None,
            turn_at: None,
            answered: None,
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

    /// Records a refusal that quotes this sequence number.
    pub(crate) fn refused(&mut self, refuser: Refuser, sequence: Option<u16>, now: Instant) {
        self.refuser = refuser;
        self.refused_at = Some(now);
        self.answered = Some(sequence);
        self.accepted = false;
        self.sent_mark = self.sent;
    }

    /// Records an unreachable error; true while it is tolerated: for one grace at full rate, because
    /// the viewers are still there after a short outage.
    pub(crate) fn tolerates_unreachable(&mut self, rules: &Rules, now: Instant) -> bool {
        let since = match self.unreachable {
            Some((since, last)) if now < last + rules.grace => since,
            _ => now,
        };
        self.unreachable = Some((since, now));
        self.phase == Phase::Open && now < since + rules.grace
    }

    /// How long the source has sent nothing, by the last look at the counters.
    pub(crate) fn silence(&self) -> Duration {
        self.observed_at.saturating_duration_since(self.heard_at)
    }

    /// Whether its source sends. A media that is not broadcast neither keeps nor closes a relay.
    pub(crate) fn speaks(&self, rules: &Rules) -> bool {
        self.silence() < rules.source_silence
    }

    /// Records new totals.
    pub(crate) fn traffic(
        &mut self,
        (received, sent): (u64, u64),
        schedule: &Schedule,
        rules: &Rules,
        now: Instant,
    ) {
        // Time between two looks counts as silence only up to half of `source_silence`.
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

    /// Since when this edge has refused nothing at full rate, here or for another flow.
    fn calm_since(&self, schedule: &Schedule) -> Instant {
        schedule.flood_at().map_or(self.opened_at, |flood| flood.max(self.opened_at))
    }

    fn evidence(&self, schedule: &Schedule) -> Option<Instant> {
        self.evidence_at.filter(|at| *at > self.calm_since(schedule))
    }

    /// When full rate proves that the edge accepts this flow, unless a refusal comes before.
    pub(crate) fn proved_at(&self, schedule: &Schedule, rules: &Rules) -> Option<Instant> {
        let evidence = self.evidence(schedule).filter(|_| self.phase == Phase::Open)?;
        let quiet = self.calm_since(schedule) + rules.quiet;
        let proof = quiet.max(evidence + schedule.patience(rules));
        Some(self.unreachable.map_or(proof, |(_, last)| proof.max(last + rules.grace)))
    }

    /// When the last refusal is `quiet` ago.
    pub(crate) fn quiet_at(&self, rules: &Rules) -> Option<Instant> {
        self.refused_at.map(|at| at + rules.quiet)
    }

    /// Whether it was refused lately, or is shut because of a refusal.
    pub(crate) fn is_refused(&self, rules: &Rules, now: Instant) -> bool {
        self.phase != Phase::Open || self.quiet_at(rules).is_some_and(|at| now < at)
    }

    /// Whether it has sent packets since it was last opened or refused.
    pub(crate) fn has_sent(&self) -> bool {
        self.sent != self.sent_mark
    }

    /// Forgets earlier refusals: the edge accepts it.
    pub(crate) fn forgive(&mut self) {
        self.accepted = true;
        self.errors = 0;
        self.misses = 0;
    }
}
