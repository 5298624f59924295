//! A relay that runs: its route, its flows, and what is told of it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use catalog::Route;
use control::{FlowStatus, RelayDetail, RelayStatus};
use forward::{Counters, Flow};
use model::{Acceptance, FlowKind, State};

use crate::core::rate_history::{Pace, per_second};
use crate::core::viewer_time::Audience;
use crate::log::storm::Storm;
use crate::shell::flow_plan::{Path, arrival, paths};

/// A relay, as the data plane and the lifecycle know it.
pub(crate) type RelayId = u64;

/// One stream on its way to one edge.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) stream: String,
    pub(crate) edge: String,
    pub(crate) route: Arc<Route>,
    /// Where what is pulled is handed over; empty where nothing is.
    pulled: Vec<SocketAddr>,
    /// The edge's.
    pub(crate) address: IpAddr,
    /// In the data plane's order: media by media, RTP before RTCP.
    pub(crate) flows: Vec<Flow>,
    began: Instant,
    /// Seconds since 1970.
    started: u64,
    /// When the state began: seconds since 1970.
    pub(crate) since: u64,
    /// One for each flow.
    rates: Vec<Rate>,
    pub(crate) audience: Audience,
    pub(crate) storm: Storm,
    /// That of the whole.
    pub(crate) pace: Pace,
}

/// The payload bytes that a flow sends each second, from one look at its counters to the next.
#[derive(Debug)]
struct Rate {
    bytes: u64,
    at: Instant,
    per_second: u64,
}

impl Rate {
    fn measure(&mut self, bytes: u64, now: Instant) {
        let passed = now.saturating_duration_since(self.at);
        let per_second = per_second(bytes.saturating_sub(self.bytes), passed);
        *self = Self { bytes, at: now, per_second };
    }
}

impl Relay {
    /// A relay that begins now.
    pub(crate) fn new(
        stream: &str,
        edge: &str,
        route: Arc<Route>,
        pulled: Vec<SocketAddr>,
        address: IpAddr,
        flows: Vec<Flow>,
        now: Instant,
    ) -> Self {
        let started = unix_time();
        let rates = flows.iter().map(|_| Rate { bytes: 0, at: now, per_second: 0 }).collect();
        Self {
            stream: stream.to_owned(),
            edge: edge.to_owned(),
            route,
            pulled,
            address,
            flows,
            began: now,
            started,
            since: started,
            rates,
            audience: Audience::new(now),
            storm: Storm::new(now),
            pace: Pace::new(now),
        }
    }

    /// Refusals of its RTP flows so far. RTCP's don't matter: many servers open no port for it.
    pub(crate) fn media_refusals(&self) -> u64 {
        let flows = paths(&self.route).zip(&self.flows);
        let media = flows.filter(|(path, _)| path.kind == FlowKind::Rtp);
        media.map(|(_, flow)| flow.counters().refusals).sum()
    }

    /// Measures each flow's rate anew.
    pub(crate) fn measure(&mut self, now: Instant) {
        for (rate, flow) in self.rates.iter_mut().zip(&self.flows) {
            rate.measure(flow.counters().bytes, now);
        }
    }

    /// Notes how fast it went in the step of this number, which is over; gives the rate.
    pub(crate) fn step(&mut self, number: u64, now: Instant) -> u64 {
        let bytes = self.flows.iter().map(|flow| flow.counters().bytes).sum();
        self.pace.step(number, bytes, now)
    }

    /// Whether its stream is on air: nothing for `silence` means that it is not. None if it is too
    /// early to tell.
    pub(crate) fn on_air(&self, silence: Duration, now: Instant) -> Option<bool> {
        let flows = paths(&self.route).zip(&self.flows);
        let media = flows.filter(|(path, _)| path.kind == FlowKind::Rtp);
        match media.filter_map(|(_, flow)| flow.counters().idle).min() {
            Some(idle) => Some(idle < silence),
            None => (now.saturating_duration_since(self.began) > silence).then_some(false),
        }
    }

    /// The relay in short. `viewers`: how many watch, where the edge says so.
    pub(crate) fn status(&self, state: State, viewers: Option<u32>) -> RelayStatus {
        let total =
            |of: fn(&Counters) -> u64| self.flows.iter().map(|flow| of(&flow.counters())).sum();
        RelayStatus {
            stream: self.stream.clone(),
            edge: self.edge.clone(),
            state,
            since: self.since,
            started: self.started,
            packets: total(|counters| counters.packets),
            bytes: total(|counters| counters.bytes),
            rate: self.rates.iter().map(|rate| rate.per_second).sum(),
            refusals: total(|counters| counters.refusals),
            lost: total(|counters| counters.lost),
            drops: total(|counters| counters.drops),
            gaps: total(|counters| counters.gaps),
            viewers,
            reason: None,
            rates: None,
            origin: None,
        }
    }

    /// The relay with its flows. `answers`: whether a refusal ever came back from its edge.
    pub(crate) fn detail(&self, state: State, viewers: Option<u32>, answers: bool) -> RelayDetail {
        let flows = paths(&self.route).zip(self.flows.iter().zip(&self.rates));
        RelayDetail {
            relay: RelayStatus { rates: Some(self.pace.fine()), ..self.status(state, viewers) },
            address: self.address,
            answers,
            asked: None,
            rules: None,
            closes: Vec::new(),
            flows: flows
                .map(|(path, (flow, rate))| FlowStatus {
                    from: arrival(&path.path.source, &self.pulled),
                    ..flow_status(&path, flow, rate)
                })
                .collect(),
        }
    }
}

fn flow_status(path: &Path<'_>, flow: &Flow, rate: &Rate) -> FlowStatus {
    let counters = flow.counters();
    FlowStatus {
        media: path.media.to_owned(),
        kind: path.kind,
        from: path.path.source.socket(),
        to: path.path.target,
        via: flow.local(),
        gate: flow.gate(),
        acceptance: Acceptance::Unknown,
        packets: counters.packets,
        bytes: counters.bytes,
        rate: rate.per_second,
        refusals: counters.refusals,
        lost: counters.lost,
        reports: counters.reports,
        drops: counters.drops,
        gaps: counters.gaps,
        ssrc_changes: counters.ssrc_changes,
        returned: counters.returned,
        idle_ms: counters.idle.map(|idle| u64::try_from(idle.as_millis()).unwrap_or(u64::MAX)),
    }
}

/// Seconds since 1970.
pub(crate) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
