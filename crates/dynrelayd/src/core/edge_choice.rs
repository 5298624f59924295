//! Chooses where a viewer watches: at the origin, or at which edge.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::time::Instant;

use catalog::{Catalog, Consent, Edge};
use control::{ErrorCode, Refused, Started, Via};
use model::State;

use super::edge_cache::EdgeCache;
use super::effect::{Effect, unknown_edge, unknown_stream};
use super::input::{EdgeAnswer, Question};
use super::log_event::LogEvent;
use super::relays::Relays;

/// A viewer's request.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) stream: String,
    /// The edge that the caller requires.
    pub(crate) edge: Option<String>,
    /// The viewer's address.
    pub(crate) client: Option<IpAddr>,
}

/// The place where a viewer watches.
#[derive(Debug)]
pub(crate) enum Place {
    /// At the origin.
    Origin(Started),
    /// At this edge, which can be reached.
    Edge(String),
    /// The answers to these questions decide.
    Unknown(Vec<Question>),
}

/// The facts for the choice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chooser<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) relays: &'a Relays,
    pub(crate) edges: &'a EdgeCache,
}

impl Chooser<'_> {
    /// Chooses the place. A local viewer watches at the origin. Others watch at the best edge that
    /// can be reached: the nearest one by `serves`, then one that relays the stream already, then
    /// the one with the fewest relays, then the first in the catalogue.
    pub(crate) fn choose(
        &self,
        wish: &Wish,
        now: Instant,
        log: &mut Vec<Effect>,
    ) -> Result<Place, Refused> {
        if self.catalog.stream(&wish.stream).is_none() {
            return Err(unknown_stream(&wish.stream));
        }
        if let Some(started) = self.at_origin(wish) {
            return Ok(Place::Origin(started));
        }
        let (mut why, mut unknown) = (None, Vec::new());
        for edge in self.candidates(wish)? {
            match self.reachable(&wish.stream, edge, now) {
                // Asks the other edges as well, so that a viewer does not wait for several
                // unreachable edges one after the other.
                Err(question) => unknown.push(question),
                Ok(_) if !unknown.is_empty() => {}
                Ok(Ok(())) => return Ok(Place::Edge(edge.name.clone())),
                Ok(Err(refused)) => {
                    log.push(Effect::Log(LogEvent::PassedOver {
                        stream: wish.stream.clone(),
                        edge: edge.name.clone(),
                        why: refused.message.clone(),
                    }));
                    why = why.or(Some(refused));
                }
            }
        }
        if !unknown.is_empty() {
            return Ok(Place::Unknown(unknown));
        }
        let none = || Refused::new(ErrorCode::NoEdge, "there is no edge in the catalogue");
        Err(why.unwrap_or_else(none))
    }

    fn at_origin(&self, wish: &Wish) -> Option<Started> {
        let origin = &self.catalog.config().origin;
        wish.client.filter(|client| origin.is_local(*client))?;
        let url = origin.viewer_url(&wish.stream).filter(|_| wish.edge.is_none())?;
        let host = origin.url.as_ref().map(catalog::RtspUrl::host);
        Some(self.started(&wish.stream, url, host, None, None))
    }

    /// The answer for a viewer who is sent to an edge.
    pub(crate) fn at_edge(&self, stream: &str, edge: &str) -> Result<Started, Refused> {
        let edge = self.catalog.edge(edge).ok_or_else(|| unknown_edge(edge))?;
        let relay = self.relays.table().find(stream, &edge.name);
        let state = relay.map(|relay| self.relays.state(relay.id));
        let (url, host) = (edge.viewer_url(stream), Some(edge.url.host()));
        Ok(self.started(stream, url, host, Some(edge.name.clone()), state))
    }

    fn started(
        &self,
        stream: &str,
        url: String,
        host: Option<&str>,
        edge: Option<String>,
        state: Option<State>,
    ) -> Started {
        let stream = self.catalog.stream(stream);
        Started {
            url,
            via: if edge.is_some() { Via::Edge } else { Via::Origin },
            edge,
            state,
            title: stream.and_then(|stream| stream.title.clone()),
            audio: stream.and_then(|stream| stream.audio_at(host?)),
        }
    }

    /// The edges that agreed to take the stream, the best one first.
    fn candidates(&self, wish: &Wish) -> Result<Vec<&Edge>, Refused> {
        let edges: Vec<&Edge> = match &wish.edge {
            Some(name) => vec![self.catalog.edge(name).ok_or_else(|| unknown_edge(name))?],
            None => self.catalog.edges().iter().collect(),
        };
        let (mut candidates, mut refusals) = (Vec::new(), Vec::new());
        for edge in edges {
            match self.catalog.route(&wish.stream, &edge.name) {
                Ok(_) => candidates.push(edge),
                Err(refusal) => refusals.push(refusal.to_string()),
            }
        }
        if candidates.is_empty() && !refusals.is_empty() {
            return Err(Refused::new(ErrorCode::NoConsent, refusals.join("; ")));
        }
        candidates.sort_by_key(|edge| {
            let nearness = wish.client.and_then(|client| edge.nearness(client));
            let relays_it = self.relays.table().find(&wish.stream, &edge.name).is_some();
            (Reverse(nearness), !relays_it, self.relays.table().count_to(&edge.name))
        });
        Ok(candidates)
    }

    /// Whether viewers of this stream can be sent to an edge, or the question that decides it. An
    /// edge that takes packets of the stream now need not be asked.
    fn reachable(
        &self,
        stream: &str,
        edge: &Edge,
        now: Instant,
    ) -> Result<Result<(), Refused>, Question> {
        let relay = self.relays.table().find(stream, &edge.name);
        if relay.is_some_and(|relay| self.relays.state(relay.id) == State::Live) {
            return Ok(Ok(()));
        }
        let question = match edge.consent {
            Consent::File => Question::Connect(edge.url.as_str().to_owned()),
            Consent::Describe => Question::Describe(edge.viewer_url(stream)),
        };
        let name = &edge.name;
        match self.edges.answer(&question, now) {
            None => Err(question),
            Some(EdgeAnswer::Yes) => Ok(Ok(())),
            Some(EdgeAnswer::NoConsent(status)) => Ok(Err(Refused::new(
                ErrorCode::NoConsent,
                format!("{name} has no {stream}.sdp ({status})"),
            ))),
            Some(EdgeAnswer::Unreachable(why)) => Ok(Err(Refused::new(
                ErrorCode::EdgeUnreachable,
                format!("{name} does not answer at {}: {why}", edge.url.as_str()),
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use forward::Counters;

    use super::super::input::{FlowCounts, FlowEnds, Moment};
    use super::super::log_event::OpenCause;
    use super::super::pulls::Pulls;
    use super::super::testing;
    use super::*;

    /// The edges' answers and the relays, for a row of the table.
    #[derive(Default)]
    struct Given {
        unanswered: &'static [&'static str],
        down: &'static [&'static str],
        without_stream: &'static [&'static str],
        /// Streams and edges with a relay.
        relayed: &'static [(&'static str, &'static str)],
        /// The relays that are live.
        live: bool,
    }

    /// Chooses where a viewer watches. Returns one word: the place, or the code of the refusal.
    fn choose(given: &Given, wish: (&str, Option<&str>, Option<&str>)) -> String {
        let catalog = catalog();
        let (mut relays, now) = (Relays::new(), Instant::now());
        let effects = &mut Vec::new();
        for (stream, edge) in given.relayed {
            let route = catalog.route(stream, edge).unwrap();
            let (cause, pulls) = (OpenCause::Start, &mut Pulls::default());
            let at = |seconds| Moment {
                now: now + Duration::from_secs(seconds),
                unix: 1_800_000_000 + seconds,
            };
            let id = relays.open(route, cause, &catalog, pulls, at(0), effects).unwrap();
            let nowhere = "127.0.0.1:1".parse().unwrap();
            let ends = vec![FlowEnds { from: nowhere, via: nowhere }; 2];
            relays.opened(id, Ok(ends), &catalog, at(0), effects);
            for second in (0..10).filter(|_| given.live) {
                let counters =
                    Counters { received: second * 50, packets: second * 50, ..Counters::default() };
                let counts = FlowCounts {
                    counters,
                    gate: model::Gate::Open,
                    returned_by: None,
                    forger: None,
                };
                relays.table_mut().get_mut(id).unwrap().count(vec![counts; 2]);
                relays.judge(at(second).now, effects);
                relays.poll(at(second), effects);
            }
        }
        let mut edges = EdgeCache::default();
        for edge in catalog.edges() {
            let name = edge.name.as_str();
            let question = match edge.consent {
                Consent::File => Question::Connect(edge.url.as_str().to_owned()),
                Consent::Describe => Question::Describe(edge.viewer_url(wish.0)),
            };
            let answer = if given.down.contains(&name) {
                EdgeAnswer::Unreachable("no route".into())
            } else if given.without_stream.contains(&name) {
                EdgeAnswer::NoConsent("RTSP 404".into())
            } else {
                EdgeAnswer::Yes
            };
            if !given.unanswered.contains(&name) {
                edges.learn(question, answer, |_| true, now, effects);
            }
        }
        let chooser = Chooser { catalog: &catalog, relays: &relays, edges: &edges };
        let (stream, edge, client) = wish;
        let wish = Wish {
            stream: stream.to_owned(),
            edge: edge.map(str::to_owned),
            client: client.map(|client| client.parse().unwrap()),
        };
        match chooser.choose(&wish, now, &mut Vec::new()) {
            Ok(Place::Origin(started)) => started.url,
            Ok(Place::Edge(edge)) => edge,
            Ok(Place::Unknown(questions)) => format!("ask {}", questions.len()),
            Err(refused) => refused.code.to_string(),
        }
    }

    /// Four edges. `near` serves a network, and `nearer` a part of it; `strict` gives its consent by
    /// DESCRIBE. `news` is for all but `strict`, `sport` for `first` and `strict`, `lone` for none.
    fn catalog() -> Arc<Catalog> {
        let config = [
            "[origin]\nurl = \"rtsp://dss1.example\"\nlocal = [\"192.0.2.0/24\"]\n".to_owned(),
            testing::edge("first", "198.51.100.1", ""),
            testing::edge("near", "198.51.100.2", "serves = [\"203.0.113.0/24\"]"),
            testing::edge("nearer", "198.51.100.3", "serves = [\"203.0.113.128/25\"]"),
            testing::edge("strict", "198.51.100.4", "consent = \"describe\""),
        ];
        let port = |stream: &str| match stream {
            "news" => 6000,
            "sport" => 6002,
            _ => 6004,
        };
        let of_origin =
            |stream: &str| (format!("{stream}.sdp"), testing::sdp("239.1.1.1", port(stream)));
        let of_edge = |stream: &str, edge: &str, address: &str| {
            (format!("{stream}.{edge}.sdp"), testing::sdp(address, port(stream)))
        };
        let files = [
            of_origin("lone"),
            of_origin("news"),
            of_origin("sport"),
            of_edge("news", "first", "198.51.100.1"),
            of_edge("news", "near", "198.51.100.2"),
            of_edge("news", "nearer", "198.51.100.3"),
            of_edge("sport", "first", "198.51.100.1"),
            of_edge("sport", "strict", "198.51.100.4"),
        ];
        testing::catalog(&config.concat(), &files)
    }

    #[test]
    fn a_viewer_watches_at_the_best_edge_that_can_be_reached() {
        const FAR: Option<&str> = Some("198.18.0.1");
        const NEAR: Option<&str> = Some("203.0.113.9");
        const NEARER: Option<&str> = Some("203.0.113.200");
        const LOCAL: Option<&str> = Some("192.0.2.7");
        let all = Given::default;
        let relayed = |relayed| Given { relayed, ..all() };
        let table = [
            ("local", all(), ("news", None, LOCAL), "rtsp://dss1.example/news.sdp"),
            (
                "local, by IPv6",
                all(),
                ("news", None, Some("::ffff:192.0.2.7")),
                "rtsp://dss1.example/news.sdp",
            ),
            ("local, edge named", all(), ("news", Some("near"), LOCAL), "near"),
            ("no address", all(), ("news", None, None), "first"),
            ("far", all(), ("news", None, FAR), "first"),
            ("served", all(), ("news", None, NEAR), "near"),
            ("served by two", all(), ("news", None, NEARER), "nearer"),
            ("relayed elsewhere", relayed(&[("news", "nearer")]), ("news", None, FAR), "nearer"),
            ("near beats relayed", relayed(&[("news", "first")]), ("news", None, NEAR), "near"),
            ("least busy", relayed(&[("sport", "first")]), ("news", None, FAR), "near"),
            ("named edge", all(), ("news", Some("nearer"), FAR), "nearer"),
            ("unknown edge", all(), ("news", Some("nowhere"), FAR), "no-edge"),
            ("unknown stream", all(), ("opera", None, FAR), "unknown-stream"),
            ("no name", all(), ("../etc", None, LOCAL), "unknown-stream"),
            ("no consent at all", all(), ("lone", None, FAR), "no-consent"),
            ("no consent there", all(), ("news", Some("strict"), FAR), "no-consent"),
            ("consent", all(), ("sport", Some("strict"), FAR), "strict"),
            (
                "no consent by DESCRIBE",
                Given { without_stream: &["strict"], ..all() },
                ("sport", Some("strict"), FAR),
                "no-consent",
            ),
            ("one down", Given { down: &["near"], ..all() }, ("news", None, NEAR), "first"),
            (
                "all down",
                Given { down: &["first", "strict"], ..all() },
                ("sport", None, FAR),
                "edge-unreachable",
            ),
            (
                "the best is not known yet",
                Given { unanswered: &["near"], ..all() },
                ("news", None, NEAR),
                "ask 1",
            ),
            (
                "nothing is known yet",
                Given { unanswered: &["first", "near", "nearer"], ..all() },
                ("news", None, FAR),
                "ask 3",
            ),
            (
                "a worse one is not known yet",
                Given { unanswered: &["first"], ..all() },
                ("news", None, NEAR),
                "near",
            ),
            (
                "a live relay needs no question",
                Given { unanswered: &["near"], relayed: &[("news", "near")], live: true, ..all() },
                ("news", None, FAR),
                "near",
            ),
            (
                "a starting relay is asked about",
                Given { unanswered: &["near"], relayed: &[("news", "near")], ..all() },
                ("news", None, FAR),
                "ask 1",
            ),
        ];
        for (name, given, wish, place) in table {
            assert_eq!(choose(&given, wish), place, "{name}");
        }
    }
}
