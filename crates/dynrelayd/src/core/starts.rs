//! Handles `start`: chooses an edge, checks the limits, opens the relay, and waits where it must.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::Catalog;
use control::{ErrorCode, Refused, Started};

use super::edge_cache::EdgeCache;
use super::edge_choice::{Chooser, Place, Wish};
use super::effect::{Answer, Effect, unknown_edge};
use super::input::{CallId, EdgeAnswer, Moment, Question, RelayId, RelayName};
use super::log_event::OpenCause;
use super::log_summary::LogSummary;
use super::network_limit::NetworkLimit;
use super::pulls::{Coming, Pulls};
use super::rate_limit::RateLimit;
use super::relays::{Opening, Relays};

/// The time that a start may wait for edges and pulls. relay.cgi waits for two seconds.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How many starts may wait for the source of one stream. A dead camera must not take the places of
/// other viewers.
const CROWD: usize = 10;

/// A viewer's start.
#[derive(Debug)]
struct Start {
    call: CallId,
    wish: Wish,
    deadline: Instant,
    /// Whether it has taken its share of `starts_per_second`.
    admitted: bool,
}

/// The event that a start waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum WaitsFor {
    /// An edge's answer to any of these questions.
    Edges(Vec<Question>),
    /// The first packet of its pull, or the pull's failure.
    Pull,
    /// The sockets of its relay.
    Opened(RelayId),
}

/// The other parts that a start needs.
#[derive(Debug)]
pub(crate) struct Needs<'a> {
    pub(crate) catalog: &'a Arc<Catalog>,
    pub(crate) relays: &'a mut Relays,
    pub(crate) pulls: &'a mut Pulls,
    pub(crate) effects: &'a mut Vec<Effect>,
    pub(crate) at: Moment,
}

/// The waiting starts, with the state that starts need.
#[derive(Debug)]
pub(crate) struct Starts {
    waiting: Vec<(Start, WaitsFor)>,
    rate: RateLimit,
    networks: NetworkLimit,
    edges: EdgeCache,
    summary: LogSummary,
}

impl Starts {
    /// No starts yet.
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self {
            waiting: Vec::new(),
            rate: RateLimit::new(per_second, now),
            networks: NetworkLimit::default(),
            edges: EdgeCache::default(),
            summary: LogSummary::default(),
        }
    }

    /// Changes `starts_per_second`.
    pub(crate) fn set_rate(&mut self, per_second: u32) {
        self.rate.set_rate(per_second);
    }

    /// A viewer asks for a stream.
    pub(crate) fn ask(&mut self, call: CallId, wish: Wish, needs: &mut Needs<'_>) {
        let deadline = needs.at.now + PATIENCE;
        self.go_on(Start { call, wish, deadline, admitted: false }, needs);
    }

    /// Goes as far as a start can go now.
    fn go_on(&mut self, mut start: Start, needs: &mut Needs<'_>) {
        let chooser = Chooser { catalog: needs.catalog, relays: needs.relays, edges: &self.edges };
        let waits_for = match chooser.choose(&start.wish, needs.at.now, needs.effects) {
            Ok(Place::Origin(started)) => return self.answer(&start, Ok(started), needs),
            Ok(Place::Unknown(questions)) => {
                for question in &questions {
                    self.edges.ask(question, needs.effects);
                }
                Ok(WaitsFor::Edges(questions))
            }
            Ok(Place::Edge(edge)) => match self.watch(&mut start, &edge, needs) {
                Ok(None) => return self.answer_started(&start, &edge, needs),
                Ok(Some(waits_for)) => Ok(waits_for),
                Err(refused) => Err(refused),
            },
            Err(refused) => Err(refused),
        };
        match waits_for {
            Ok(waits_for) => self.waiting.push((start, waits_for)),
            Err(refused) => self.answer(&start, Err(refused), needs),
        }
    }

    /// Makes sure that the stream is relayed to this edge. Returns what the start must wait for.
    fn watch(
        &mut self,
        start: &mut Start,
        edge: &str,
        needs: &mut Needs<'_>,
    ) -> Result<Option<WaitsFor>, Refused> {
        let (catalog, name) = (needs.catalog, start.wish.stream.clone());
        if catalog.stream(&name).is_some_and(|stream| stream.source.is_some()) {
            match needs.pulls.coming(&name) {
                Coming::Yes => {}
                Coming::Soon if self.is_crowded(&name) => return Err(needs.pulls.late(&name)),
                Coming::Soon => return Ok(Some(WaitsFor::Pull)),
                Coming::Idle => {
                    self.admit(start, needs)?;
                    needs.pulls.need(catalog, &name, needs.effects);
                    return Ok(Some(WaitsFor::Pull));
                }
                Coming::Failed(refused) => {
                    keep_pulling(&name, needs);
                    return Err(refused);
                }
            }
        }
        if let Some(relay) = needs.relays.table().find(&name, edge) {
            let id = relay.id;
            if relay.opening.is_some() {
                return Ok(Some(WaitsFor::Opened(id)));
            }
            needs.relays.renew(id, needs.at, needs.effects);
            return Ok(None);
        }
        let unfit =
            |refusal: catalog::Refusal| Refused::new(ErrorCode::NoConsent, refusal.to_string());
        let route = catalog.route(&name, edge).map_err(unfit)?;
        let relay = RelayName { stream: name, edge: edge.to_owned() };
        if let Some(refused) = needs.relays.recent_failure(&relay, needs.at.now) {
            return Err(refused);
        }
        self.admit(start, needs)?;
        let Needs { relays, pulls, effects, at, .. } = needs;
        let id = relays.open(route, OpenCause::Start, catalog, pulls, *at, effects);
        id.map(|id| Some(WaitsFor::Opened(id))).ok_or_else(|| unknown_edge(edge))
    }

    /// Refuses a relay too many, or too soon. A start takes its share of the rate once, however
    /// often it goes on.
    fn admit(&mut self, start: &mut Start, needs: &Needs<'_>) -> Result<(), Refused> {
        let (stream, most) = (&start.wish.stream, needs.catalog.config().limits.relays);
        if needs.relays.table().len() >= most {
            let message = format!(
                "{stream}: {most} relays run already, as many as `relays` in [limits] allows"
            );
            return Err(Refused::new(ErrorCode::Limit, message));
        }
        if start.admitted {
            return Ok(());
        }
        let refuse = |limit: &str, wait: Duration| {
            let wait = wait.as_secs_f64();
            let message = format!(
                "{stream}: more starts than {limit} in [limits] allows; try again in {wait:.1} s"
            );
            Refused::new(ErrorCode::Limit, message)
        };
        if let Some(client) = start.wish.client {
            let most = needs.catalog.config().limits.starts_per_network;
            let taken = self.networks.take(client, most, needs.at.now);
            taken.map_err(|wait| refuse("starts_per_network", wait))?;
        }
        let taken = self.rate.take(needs.at.now);
        taken.map_err(|wait| refuse("starts_per_second", wait))?;
        start.admitted = true;
        Ok(())
    }

    /// Gives back the tokens of a start, because its relay could not be opened.
    fn give_back(&mut self, start: &Start) {
        if start.admitted {
            self.rate.give_back();
            start.wish.client.into_iter().for_each(|client| self.networks.give_back(client));
        }
    }

    /// Whether as many starts as may wait for this stream's source do so.
    fn is_crowded(&self, stream: &str) -> bool {
        let waits =
            |(start, on): &&(Start, WaitsFor)| *on == WaitsFor::Pull && start.wish.stream == stream;
        self.waiting.iter().filter(waits).count() >= CROWD
    }

    fn answer_started(&mut self, start: &Start, edge: &str, needs: &mut Needs<'_>) {
        let chooser = Chooser { catalog: needs.catalog, relays: needs.relays, edges: &self.edges };
        let answer = chooser.at_edge(&start.wish.stream, edge);
        self.answer(start, answer, needs);
    }

    fn answer(&mut self, start: &Start, answer: Result<Started, Refused>, needs: &mut Needs<'_>) {
        let Start { call, wish, .. } = start;
        self.summary.note(&wish.stream, wish.client, &answer, needs.at.now, needs.effects);
        let answer = answer.map_or_else(Answer::Refused, Answer::Started);
        needs.effects.push(Effect::Reply { call: *call, answer });
    }

    /// Takes out the starts that these events let go on.
    fn take(&mut self, which: impl Fn(&Wish, &WaitsFor) -> bool) -> Vec<Start> {
        let taken = self.waiting.extract_if(.., |(start, on)| which(&start.wish, on));
        taken.map(|(start, _)| start).collect()
    }

    /// An edge answered.
    pub(crate) fn edge_answered(
        &mut self,
        question: Question,
        answer: EdgeAnswer,
        needs: &mut Needs<'_>,
    ) {
        let waits = |on: &WaitsFor, question: &Question| matches!(on, WaitsFor::Edges(questions) if questions.contains(question));
        let starts = self.take(|_, on| waits(on, &question));
        let wanted = |question: &Question| self.waiting.iter().any(|(_, on)| waits(on, question));
        self.edges.learn(question, answer, wanted, needs.at.now, needs.effects);
        starts.into_iter().for_each(|start| self.go_on(start, needs));
    }

    /// The pull of this stream brings packets, has failed, or has ended.
    pub(crate) fn pull_settled(&mut self, stream: &str, needs: &mut Needs<'_>) {
        let starts = self.take(|wish, on| *on == WaitsFor::Pull && wish.stream == stream);
        starts.into_iter().for_each(|start| self.go_on(start, needs));
    }

    /// The pull of this stream can't be started.
    pub(crate) fn pull_failed(&mut self, stream: &str, refused: &Refused, needs: &mut Needs<'_>) {
        for start in self.take(|wish, on| *on == WaitsFor::Pull && wish.stream == stream) {
            self.answer(&start, Err(refused.clone()), needs);
        }
    }

    /// The sockets of a relay are open, or could not be opened.
    pub(crate) fn opened(&mut self, id: RelayId, opening: &Opening, needs: &mut Needs<'_>) {
        for start in self.take(|_, on| *on == WaitsFor::Opened(id)) {
            match opening {
                Opening::Open(name) => self.answer_started(&start, &name.edge, needs),
                Opening::Failed(refused) => {
                    self.give_back(&start);
                    self.answer(&start, Err(refused.clone()), needs);
                }
            }
        }
    }

    /// Answers the starts that have waited long enough, and writes due log entries.
    pub(crate) fn poll(&mut self, needs: &mut Needs<'_>) {
        let now = needs.at.now;
        let late: Vec<_> =
            self.waiting.extract_if(.., |(start, _)| start.deadline <= now).collect();
        for (start, waits_for) in late {
            let stream = &start.wish.stream;
            let refused = match waits_for {
                WaitsFor::Pull => {
                    keep_pulling(stream, needs);
                    needs.pulls.late(stream)
                }
                WaitsFor::Edges(_) | WaitsFor::Opened(_) => {
                    let message = format!("{stream}: no edge answered in time");
                    Refused::new(ErrorCode::EdgeUnreachable, message)
                }
            };
            self.answer(&start, Err(refused), needs);
        }
        self.summary.poll(now, needs.effects);
    }

    /// When the next start has waited long enough, or something is to be logged.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let starts = self.waiting.iter().map(|(start, _)| start.deadline);
        starts.chain(self.summary.next_wake()).min()
    }

    /// Whether a start of this stream waits.
    pub(crate) fn has_stream(&self, stream: &str) -> bool {
        self.waiting.iter().any(|(start, _)| start.wish.stream == stream)
    }

    /// Ends all. Returns the calls that have no answer.
    pub(crate) fn close(&mut self, effects: &mut Vec<Effect>) -> Vec<CallId> {
        self.summary.close(effects);
        self.waiting.drain(..).map(|(start, _)| start.call).collect()
    }

    /// The starts that wait and are admitted, and the rate limit.
    #[cfg(test)]
    pub(crate) fn admitted(&self) -> (std::collections::HashSet<CallId>, &RateLimit) {
        let admitted = self.waiting.iter().filter(|(start, _)| start.admitted);
        (admitted.map(|(start, _)| start.call).collect(), &self.rate)
    }

    /// The answers of the edges.
    #[cfg(test)]
    pub(crate) fn edges(&self) -> &EdgeCache {
        &self.edges
    }
}

/// The viewer's next try shall find the stream coming. A relay keeps it coming itself, and no longer
/// than it runs.
fn keep_pulling(stream: &str, needs: &mut Needs<'_>) {
    if !needs.relays.table().has_stream(stream) {
        needs.pulls.keep(stream, needs.at.now);
    }
}
