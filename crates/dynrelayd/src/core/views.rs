//! What is told to those who look: list, show, streams.

use std::collections::HashMap;
use std::time::Instant;

use control::{
    After, CloseForecast, ErrorCode, OriginKind, Refused, RelayDetail, RelayList, RelayShow,
    RelayStatus, StreamList, StreamStatus,
};
use lifecycle::When;
use model::SourceState;

use crate::core::on_air::SILENCE;
use crate::core::relay::{Relay, RelayId, unix_time};
use crate::core::starts::unknown_edge;
use crate::core::supervisor::{Answer, Supervisor};

impl Supervisor {
    /// Every relay that runs, by stream and edge; then, if `all`, those that closed recently. With
    /// how fast those that run went lately, if `rates`.
    pub(crate) fn list(&self, all: bool, rates: bool, now: Instant) -> RelayList {
        let origins = self.origins();
        let running = self.relays.iter().map(|(id, relay)| RelayStatus {
            rates: rates.then(|| relay.pace.coarse()),
            origin: origins.of(&relay.stream),
            ..relay.status(self.state(*id), self.lifecycle.viewers(*id, now))
        });
        let mut relays: Vec<RelayStatus> = running.collect();
        relays.sort_by(|a, b| (&a.stream, &a.edge).cmp(&(&b.stream, &b.edge)));
        if all {
            let closed = self.history.iter();
            relays.extend(closed.map(|closed| RelayStatus { rates: None, ..closed.relay.clone() }));
        }
        RelayList { relays, rates: rates.then(|| self.pace.coarse()) }
    }

    /// A stream's relays with their flows, the running ones first.
    pub(crate) fn show(&self, stream: &str, edge: Option<&str>, now: Instant) -> Answer<RelayShow> {
        let asked_for =
            |relay: &str, of: &str| relay == stream && edge.is_none_or(|edge| edge == of);
        let running = self.relays.iter().filter(|(_, relay)| asked_for(&relay.stream, &relay.edge));
        let origin = self.origins().of(stream);
        let running = running.map(|(id, relay)| {
            let mut detail = self.detail(*id, relay, now);
            detail.relay.origin.clone_from(&origin);
            detail
        });
        let closed = self
            .history
            .iter()
            .filter(|closed| asked_for(&closed.relay.stream, &closed.relay.edge));
        let relays: Vec<RelayDetail> = running.chain(closed.cloned()).collect();
        if relays.is_empty() && self.catalog.stream(stream).is_none() {
            return Err(unknown_stream(stream));
        }
        let unknown = edge.filter(|edge| self.catalog.edge(edge).is_none());
        if let (true, Some(edge)) = (relays.is_empty(), unknown) {
            return Err(unknown_edge(edge));
        }
        Ok(RelayShow { origin, relays })
    }

    /// A relay that runs.
    fn detail(&self, id: RelayId, relay: &Relay, now: Instant) -> RelayDetail {
        let answers = self.lifecycle.edge_answers(relay.address);
        let close_forecasts = self.lifecycle.close_forecasts(id).into_iter();
        let asked = self.lifecycle.asked(id).map(|at| now.saturating_duration_since(at).as_secs());
        let mut detail = relay.detail(self.state(id), self.lifecycle.viewers(id, now), answers);
        for (flow, acceptance) in detail.flows.iter_mut().zip(self.lifecycle.acceptance(id, now)) {
            flow.acceptance = acceptance;
        }
        RelayDetail {
            asked: asked.map(|ago| unix_time().saturating_sub(ago)),
            rules: self.lifecycle.rules(id),
            closes: close_forecasts.map(|forecast| told(forecast, now)).collect(),
            ..detail
        }
    }

    /// What the catalogue holds.
    pub(crate) fn streams(&self, now: Instant) -> StreamList {
        let origins = self.origins();
        let mut relayed: HashMap<&str, Vec<&Relay>> = HashMap::new();
        for relay in self.relays.values() {
            relayed.entry(&relay.stream).or_default().push(relay);
        }
        let streams = self.catalog.streams().map(|stream| {
            let name = stream.name.as_str();
            let relays = relayed.remove(name).unwrap_or_default();
            let mut relayed_to: Vec<_> = relays.iter().map(|relay| relay.edge.clone()).collect();
            relayed_to.sort();
            let counted = relays.iter().filter_map(|relay| relay.on_air(SILENCE, now)).max();
            let origin = origins.of(name);
            // A replica may see it arrive where no relay does.
            let arrives = origin.as_ref().filter(|origin| origin.state == SourceState::Running);
            let arrives = arrives.filter(|origin| origin.kind != OriginKind::Rtsp).map(|_| true);
            StreamStatus {
                name: name.to_owned(),
                title: stream.title.clone(),
                media: stream.labels().collect(),
                edges: stream.edges().map(str::to_owned).collect(),
                relayed_to,
                on_air: counted.or(arrives).or_else(|| self.air.known(name, now)),
                origin,
            }
        });
        StreamList { streams: streams.collect() }
    }
}

/// What would close a relay, in the protocol's words.
fn told(forecast: lifecycle::CloseForecast, now: Instant) -> CloseForecast {
    let after = match forecast.when {
        When::Refusals(left) => After::Refusals(left),
        When::At(at) => After::Seconds(at.saturating_duration_since(now).as_secs()),
        When::Silence(left) => After::Silence(left.as_secs()),
    };
    CloseForecast { reason: forecast.reason, after }
}

/// The refusal for a name that the catalogue doesn't have.
pub(crate) fn unknown_stream(stream: &str) -> Refused {
    let message = if model::is_name(stream) {
        format!("there is no stream {stream} in the catalogue")
    } else {
        "that can't be a stream's name".to_owned()
    };
    Refused::new(ErrorCode::UnknownStream, message)
}
