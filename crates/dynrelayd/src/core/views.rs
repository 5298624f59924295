//! The answers to `list`, `show` and `streams`.

use catalog::{Catalog, Run, Stream};
use control::{
    After, CloseForecast, Origin, OriginKind, Refused, RelayDetail, RelayList, RelayShow,
    RelayStatus, StreamList, StreamStatus,
};
use forward::Counters;
use lifecycle::{Lifecycle, When};
use model::{SourceState, State};

use super::edge_choice::{unknown_edge, unknown_stream};
use super::history::History;
use super::input::Moment;
use super::on_air::{self, Audible, OnAir};
use super::pulls::Pulls;
use super::rate_history::RateHistory;
use super::relays::{Relay, Relays};
use super::replicas::{Replica, Replicas, SILENCE};

/// The facts for these answers, with fresh counters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Views<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) relays: &'a Relays,
    pub(crate) replicas: &'a Replicas,
    pub(crate) pulls: &'a Pulls,
    pub(crate) lifecycle: &'a Lifecycle,
    pub(crate) history: &'a History,
    pub(crate) on_air: &'a OnAir,
    pub(crate) total: &'a RateHistory,
    pub(crate) at: Moment,
}

impl Views<'_> {
    /// Every open relay, by stream and edge; with `all`, also the recently closed ones. With
    /// `rates`, the rates of the last minutes.
    pub(crate) fn list(&self, all: bool, rates: bool) -> RelayList {
        let running = self.relays.iter().filter(|relay| relay.opening.is_none());
        let running = running.map(|relay| RelayStatus {
            rates: rates.then(|| relay.rates.coarse()),
            origin: self.origin(&relay.name.stream),
            ..relay.status(self.state(relay), self.lifecycle.viewers(relay.id, self.at.now))
        });
        let closed = self.history.iter().filter(|_| all);
        let closed = closed.map(|closed| RelayStatus { rates: None, ..closed.relay.clone() });
        RelayList {
            relays: running.chain(closed).collect(),
            rates: rates.then(|| self.total.coarse()),
        }
    }

    fn state(&self, relay: &Relay) -> State {
        self.lifecycle.state(relay.id).unwrap_or(State::Closed)
    }

    /// The relays of a stream with their flows, the open ones first.
    pub(crate) fn show(&self, stream: &str, edge: Option<&str>) -> Result<RelayShow, Refused> {
        let matches = |of: &str| edge.is_none_or(|edge| edge == of);
        let origin = self.origin(stream);
        let running = self.relays.of_stream(stream).filter(|relay| matches(&relay.name.edge));
        let running = running.map(|relay| {
            let mut detail = self.detail(relay);
            detail.relay.origin.clone_from(&origin);
            detail
        });
        let closed = self.history.iter().map(|closed| (&closed.relay, closed));
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
        let (life, id, Moment { now, unix }) = (self.lifecycle, relay.id, self.at);
        let answers = life.edge_answers(relay.address);
        let ago = life.asked(id).map(|at| now.saturating_duration_since(at).as_secs());
        let forecasts = life.close_forecasts(id).into_iter();
        let mut detail = relay.detail(self.state(relay), life.viewers(id, now), answers);
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

    /// Every stream of the catalogue.
    pub(crate) fn streams(&self) -> StreamList {
        StreamList { streams: self.catalog.streams().map(|stream| self.stream(stream)).collect() }
    }

    fn stream(&self, stream: &Stream) -> StreamStatus {
        let (name, Moment { now, .. }) = (&stream.name, self.at);
        let counted = self.relays.of_stream(name);
        let counted = counted.filter_map(|relay| relay.on_air(on_air::SILENCE, now)).max();
        let origin = self.origin_of(stream);
        // A replica may receive it where no relay does.
        let arrives = origin.state == SourceState::Running && origin.kind != OriginKind::Rtsp;
        let relays = self.relays.of_stream(name);
        StreamStatus {
            name: name.clone(),
            title: stream.title.clone(),
            media: stream.labels().collect(),
            edges: stream.edges().map(str::to_owned).collect(),
            relayed_to: relays.map(|relay| relay.name.edge.clone()).collect(),
            on_air: counted.or(arrives.then_some(true)).or_else(|| self.on_air.known(name, now)),
            origin: Some(origin),
        }
    }

    /// The streams that a scan can listen to. It leaves out streams that are received anyway or
    /// must be pulled first.
    pub(crate) fn audible(&self) -> Vec<Audible> {
        let idle = self.catalog.streams().filter(|stream| {
            let received = self.arrival(&stream.name).0 == SourceState::Running;
            stream.source.is_none() && !received && !self.relays.has_stream(&stream.name)
        });
        let media = |stream: &Stream| scan::Media::of(stream).unwrap_or_default();
        let audible = idle.map(|stream| (stream.name.clone(), media(stream)));
        audible.filter(|(_, media)| !media.is_empty()).collect()
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
        let relays = self.relays.of_stream(stream).flat_map(Relay::counters);
        let replicas = || self.replicas.of_stream(stream);
        let copies = replicas().flat_map(Replica::counters).copied();
        let idle = |counters: Counters| counters.idle;
        let received = self.relays.has_stream(stream) || replicas().any(Replica::is_open);
        let fault = replicas().find_map(Replica::fault).map(str::to_owned);
        match relays.chain(copies).filter_map(idle).min() {
            _ if !received && fault.is_some() => (SourceState::Failed, fault),
            _ if !received => (SourceState::Idle, None),
            Some(idle) if idle <= SILENCE => (SourceState::Running, None),
            _ => (SourceState::Waiting, None),
        }
    }
}

/// How a stream comes to this host.
fn kind(stream: &Stream) -> OriginKind {
    if stream.source.is_some() {
        return OriginKind::Rtsp;
    }
    let elsewhere = stream.replicas.iter().any(|replica| replica.run == Run::Elsewhere);
    let sources = stream.sources().unwrap_or_default();
    let multicast = sources.iter().flatten().any(|source| source.address.is_multicast());
    if multicast && !elsewhere { OriginKind::Multicast } else { OriginKind::Unicast }
}
