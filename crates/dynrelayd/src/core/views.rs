//! The answers to `list`, `show` and `streams`.

use std::sync::Arc;

use catalog::{Catalog, Stream};
use control::{
    After, CloseForecast, Origin, OriginKind, Refused, RelayDetail, RelayList, RelayShow,
    RelayStatus, StreamStatus,
};
use forward::Counters;
use lifecycle::When;
use model::SourceState;

use super::effect::{unknown_edge, unknown_stream};
use super::input::Moment;
use super::on_air::{self, OnAir};
use super::pulls::Pulls;
use super::rate_history::RateHistory;
use super::relay::Relay;
use super::relays::Relays;
use super::replicas::{Replica, Replicas, SILENCE};
use super::stream_list::{StreamChoice, Streams, idle, kind};

/// The facts for these answers, with fresh counters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Views<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) relays: &'a Relays,
    pub(crate) replicas: &'a Replicas,
    pub(crate) pulls: &'a Pulls,
    pub(crate) on_air: &'a OnAir,
    pub(crate) total: &'a RateHistory,
    pub(crate) at: Moment,
}

impl Views<'_> {
    /// Every open relay, by stream and edge; with `all`, also the recently closed ones. With
    /// `rates`, the rates of the last minutes.
    pub(crate) fn list(&self, all: bool, rates: bool) -> RelayList {
        let running = self.relays.table().iter().filter(|relay| relay.opening.is_none());
        let running = running.map(|relay| RelayStatus {
            rates: rates.then(|| relay.rates.coarse()),
            origin: self.origin(&relay.name.stream),
            ..relay.status(
                self.relays.state(relay.id),
                self.relays.lifecycle().viewers(relay.id, self.at.now),
            )
        });
        let closed = self.relays.history().iter().filter(|_| all);
        let closed = closed.map(|closed| RelayStatus { rates: None, ..closed.relay.clone() });
        RelayList {
            relays: running.chain(closed).collect(),
            rates: rates.then(|| self.total.coarse()),
        }
    }

    /// The relays of a stream with their flows, the open ones first.
    pub(crate) fn show(&self, stream: &str, edge: Option<&str>) -> Result<RelayShow, Refused> {
        let matches = |of: &str| edge.is_none_or(|edge| edge == of);
        let origin = self.origin(stream);
        let running =
            self.relays.table().of_stream(stream).filter(|relay| matches(&relay.name.edge));
        let running = running.map(|relay| {
            let mut detail = self.detail(relay);
            detail.relay.origin.clone_from(&origin);
            detail
        });
        let closed = self.relays.history().iter().map(|closed| (&closed.relay, closed));
        let closed = closed.filter(|(of, _)| of.stream == stream && matches(&of.edge));
        let relays: Vec<RelayDetail> =
            running.chain(closed.map(|(_, closed)| closed.clone())).collect();
        if relays.is_empty() && self.catalog.stream(stream).is_none() {
            return Err(unknown_stream(stream));
        }
        let unknown = edge.filter(|edge| self.catalog.edge(edge).is_none());
        if let (true, Some(edge)) = (relays.is_empty(), unknown) {
            return Err(unknown_edge(edge));
        }
        Ok(RelayShow { origin, relays })
    }

    fn detail(&self, relay: &Relay) -> RelayDetail {
        let (life, id, Moment { now, unix }) = (self.relays.lifecycle(), relay.id, self.at);
        let answers = life.edge_answers(relay.address);
        let ago = life.asked(id).map(|at| now.saturating_duration_since(at).as_secs());
        let forecasts = life.close_forecasts(id).into_iter();
        let mut detail = relay.detail(self.relays.state(relay.id), life.viewers(id, now), answers);
        for (flow, acceptance) in detail.flows.iter_mut().zip(life.acceptance(id, now)) {
            flow.acceptance = acceptance;
        }
        RelayDetail {
            asked: ago.map(|ago| unix.saturating_sub(ago)),
            rules: life.rules(id),
            closes: forecasts
                .map(|forecast| CloseForecast {
                    reason: forecast.reason,
                    after: match forecast.when {
                        When::Refusals(left) => After::Refusals(left),
                        When::At(at) => After::Seconds(at.saturating_duration_since(now).as_secs()),
                        When::Silence(left) => After::Silence(left.as_secs()),
                    },
                })
                .collect(),
            ..detail
        }
    }

    /// These streams of the catalogue.
    pub(crate) fn streams(&self, catalog: &Arc<Catalog>, choice: &StreamChoice) -> Streams {
        let relayed = self.relays.table().streams().chain(self.replicas.streams());
        let active = relayed.chain(self.pulls.streams()).chain(self.on_air.streams());
        let active = active.filter_map(|name| catalog.stream(name));
        let active = active.map(|stream| (stream.name.clone(), self.stream(stream)));
        Streams::new(Arc::clone(catalog), active.collect(), choice.clone())
    }

    fn stream(&self, stream: &Stream) -> StreamStatus {
        let (name, Moment { now, .. }) = (&stream.name, self.at);
        let relays = || self.relays.table().of_stream(name);
        let counted = relays().filter_map(|relay| relay.on_air(on_air::SILENCE, now)).max();
        let origin = self.origin_of(stream);
        // A replica may receive it where no relay does.
        let arrives = origin.state == SourceState::Running && origin.kind != OriginKind::Rtsp;
        StreamStatus {
            relayed_to: relays().map(|relay| relay.name.edge.clone()).collect(),
            on_air: counted.or(arrives.then_some(true)).or_else(|| self.on_air.known(name, now)),
            origin: Some(origin),
            ..idle(stream)
        }
    }

    /// Those of these streams that could be listened to: they arrive by themselves and are not
    /// received anyway.
    pub(crate) fn silent<'c>(&self, mut streams: Vec<&'c Stream>) -> Vec<&'c Stream> {
        streams.retain(|stream| {
            let received = self.arrival(&stream.name).0 == SourceState::Running;
            stream.source.is_none() && !received && !self.relays.table().has_stream(&stream.name)
        });
        streams
    }

    /// Where a stream comes from; none if the stream is unknown.
    fn origin(&self, stream: &str) -> Option<Origin> {
        self.catalog.stream(stream).map(|stream| self.origin_of(stream))
    }

    fn origin_of(&self, stream: &Stream) -> Origin {
        let (state, detail) = match &stream.source {
            Some(source) => {
                let (state, detail) = self.pulls.source_state(&stream.name, source);
                (state, Some(detail))
            }
            None => self.arrival(&stream.name),
        };
        Origin { kind: kind(stream), state, detail, replicas: self.replicas.statuses(stream) }
    }

    /// Whether a stream arrives, and if not, why.
    fn arrival(&self, stream: &str) -> (SourceState, Option<String>) {
        let relays = self.relays.table().of_stream(stream).flat_map(Relay::counters);
        let replicas = || self.replicas.of_stream(stream);
        let copies = replicas().flat_map(Replica::counters).copied();
        let idle = |counters: Counters| counters.idle;
        let received = self.relays.table().has_stream(stream) || replicas().any(Replica::is_open);
        let fault = replicas().find_map(Replica::fault).map(str::to_owned);
        match relays.chain(copies).filter_map(idle).min() {
            _ if !received && fault.is_some() => (SourceState::Failed, fault),
            _ if !received => (SourceState::Idle, None),
            Some(idle) if idle <= SILENCE => (SourceState::Running, None),
            _ => (SourceState::Waiting, None),
        }
    }
}
