//! One relay: its route, its flows and its status.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{Pair, Path, Route};
use control::{FlowStatus, RelayDetail, RelayStatus};
use forward::Counters;
use model::{Acceptance, FlowKind, State};

use super::input::{FlowCounts, FlowEnds, Moment, RelayId, RelayName};
use super::log_event::OpenCause;
use super::log_summary::{ForgedSummary, RefusalSummary};
use super::rate_history::{RateHistory, per_second};
use super::viewer_time::ViewerTime;

/// One stream on its way to one edge.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) id: RelayId,
    pub(crate) name: RelayName,
    pub(crate) route: Arc<Route>,
    /// The edge's address.
    pub(crate) address: IpAddr,
    /// Why it is being opened; none once it is open.
    pub(crate) opening: Option<OpenCause>,
    began: Instant,
    /// Seconds since 1970.
    started: u64,
    /// When its state began, in seconds since 1970.
    pub(crate) since: u64,
    flows: Vec<Flow>,
    pub(crate) viewer_time: ViewerTime,
    pub(crate) refusals: RefusalSummary,
    pub(crate) forged: ForgedSummary,
    pub(crate) rates: RateHistory,
}

/// A flow of a relay, in the order of the data plane: RTP before RTCP, media by media.
#[derive(Debug)]
struct Flow {
    ends: FlowEnds,
    counts: Option<FlowCounts>,
    /// Payload bytes at the last measurement, and its time.
    measured: (u64, Instant),
    /// Payload bytes a second between the last two measurements.
    rate: u64,
}

/// Every flow of these pairs, with its kind and the label of its media, in the order of the data
/// plane.
pub(crate) fn paths(pairs: &[Pair]) -> impl Iterator<Item = (&str, FlowKind, &Path)> {
    pairs.iter().flat_map(|pair| {
        let rtcp = pair.rtcp.iter().map(|path| (pair.label.as_str(), FlowKind::Rtcp, path));
        std::iter::once((pair.label.as_str(), FlowKind::Rtp, &pair.rtp)).chain(rtcp)
    })
}

impl Relay {
    /// A relay that is being opened; none if its route has no flow.
    pub(crate) fn new(
        id: RelayId,
        route: Arc<Route>,
        cause: OpenCause,
        at: Moment,
    ) -> Option<Self> {
        let address = route.paths().next()?.target.ip();
        Some(Self {
            id,
            name: RelayName { stream: route.stream.clone(), edge: route.edge.clone() },
            address,
            route,
            opening: Some(cause),
            began: at.now,
            started: at.unix,
            since: at.unix,
            flows: Vec::new(),
            viewer_time: ViewerTime::new(at.now),
            refusals: RefusalSummary::new(at.now),
            forged: ForgedSummary::default(),
            rates: RateHistory::new(at.now),
        })
    }

    /// Marks it as open.
    pub(crate) fn opened(&mut self, ends: Vec<FlowEnds>, now: Instant) {
        self.opening = None;
        let flow = |ends| Flow { ends, counts: None, measured: (0, now), rate: 0 };
        self.flows = ends.into_iter().map(flow).collect();
    }

    /// The kind of each flow.
    pub(crate) fn kinds(&self) -> Vec<FlowKind> {
        paths(&self.route.pairs).map(|(_, kind, _)| kind).collect()
    }

    /// Stores new counters.
    pub(crate) fn count(&mut self, counts: Vec<FlowCounts>) {
        for (flow, counts) in self.flows.iter_mut().zip(counts) {
            flow.counts = Some(counts);
            self.forged.seen(counts.forger);
        }
    }

    /// The counters of each flow that have been read.
    pub(crate) fn counters(&self) -> impl Iterator<Item = Counters> {
        self.flows.iter().map(Flow::counters)
    }

    fn total(&self, of: fn(&Counters) -> u64) -> u64 {
        self.counters().map(|counters| of(&counters)).sum()
    }

    /// The bytes that it has sent.
    pub(crate) fn bytes(&self) -> u64 {
        self.total(|counters| counters.bytes)
    }

    fn media_counters(&self) -> impl Iterator<Item = Counters> {
        let flows = paths(&self.route.pairs).zip(self.counters());
        flows.filter(|((_, kind, _), _)| *kind == FlowKind::Rtp).map(|(_, counters)| counters)
    }

    /// The refusals of its RTP flows. Those of RTCP do not matter: many servers open no port for
    /// it.
    pub(crate) fn media_refusals(&self) -> u64 {
        self.media_counters().map(|counters| counters.refusals).sum()
    }

    /// Measures the rate of each flow since the last call.
    pub(crate) fn measure(&mut self, now: Instant) {
        for flow in &mut self.flows {
            let bytes = flow.counters().bytes;
            let (before, at) = std::mem::replace(&mut flow.measured, (bytes, now));
            let passed = now.saturating_duration_since(at);
            flow.rate = per_second(bytes.saturating_sub(before), passed);
        }
    }

    /// Whether its stream is on air: not after `silence` without a packet. None if it is too early
    /// to know.
    pub(crate) fn on_air(&self, silence: Duration, now: Instant) -> Option<bool> {
        match self.media_counters().filter_map(|counters| counters.idle).min() {
            Some(idle) => Some(idle < silence),
            None => (now.saturating_duration_since(self.began) > silence).then_some(false),
        }
    }

    /// Seconds since it began.
    pub(crate) fn seconds(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs()
    }

    /// The relay in short.
    pub(crate) fn status(&self, state: State, viewers: Option<u32>) -> RelayStatus {
        RelayStatus {
            stream: self.name.stream.clone(),
            edge: self.name.edge.clone(),
            state,
            since: self.since,
            started: self.started,
            packets: self.total(|counters| counters.packets),
            bytes: self.bytes(),
            rate: self.flows.iter().map(|flow| flow.rate).sum(),
            refusals: self.total(|counters| counters.refusals),
            forged: self.total(|counters| counters.forged),
            lost: self.total(|counters| counters.lost),
            drops: self.total(|counters| counters.drops),
            gaps: self.total(|counters| counters.gaps),
            viewers,
            reason: None,
            rates: None,
            origin: None,
        }
    }

    /// The relay with its flows. `answers` says whether its edge ever sent a refusal.
    pub(crate) fn detail(&self, state: State, viewers: Option<u32>, answers: bool) -> RelayDetail {
        let flows = paths(&self.route.pairs).zip(&self.flows);
        RelayDetail {
            relay: RelayStatus { rates: Some(self.rates.fine()), ..self.status(state, viewers) },
            address: self.address,
            answers,
            asked: None,
            rules: None,
            closes: Vec::new(),
            flows: flows
                .map(|((media, kind, path), flow)| flow.status(media, kind, path))
                .collect(),
        }
    }
}

impl Flow {
    fn counters(&self) -> Counters {
        self.counts.map(|counts| counts.counters).unwrap_or_default()
    }

    fn status(&self, media: &str, kind: FlowKind, path: &Path) -> FlowStatus {
        let counters = self.counters();
        FlowStatus {
            media: media.to_owned(),
            kind,
            from: self.ends.from,
            to: path.target,
            via: self.ends.via,
            gate: self.counts.map_or(model::Gate::Open, |counts| counts.gate),
            acceptance: Acceptance::Unknown,
            packets: counters.packets,
            bytes: counters.bytes,
            rate: self.rate,
            refusals: counters.refusals,
            forged: counters.forged,
            lost: counters.lost,
            reports: counters.reports,
            drops: counters.drops,
            gaps: counters.gaps,
            ssrc_changes: counters.ssrc_changes,
            returned: counters.returned,
            idle_ms: counters.idle.map(|idle| u64::try_from(idle.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}
