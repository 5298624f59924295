//! A viewer is on the way: which edge, may it start, and off it goes.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use catalog::{Consent, Edge, Route, RtspUrl};
use control::{ErrorCode, Refused, Reply, Started, Via};
use model::{FlowKind, State, is_name};
use tracing::{debug, error, info};

use crate::core::edge_choice::{Candidate, rank};
use crate::core::relay::Relay;
use crate::core::supervisor::{Answer, Supervisor};
use crate::core::views::unknown_stream;
use crate::shell::edge_probe::{self as reach, Question};
use crate::shell::flow_plan::{address, medias, paths};
use crate::shell::session::line_of;

/// How long a start may wait for an edge to say whether it is there. relay.cgi waits two seconds.
const PATIENCE: Duration = Duration::from_millis(1500);

/// A start that waits until it is known whether an edge can be reached.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) stream: String,
    edge: Option<String>,
    client: Option<IpAddr>,
    reply: Sender<String>,
    pub(crate) deadline: Instant,
}

impl Waiting {
    /// A start that was just asked for.
    pub(crate) fn new(
        stream: String,
        edge: Option<String>,
        client: Option<IpAddr>,
        reply: Sender<String>,
        now: Instant,
    ) -> Self {
        Self { stream, edge, client, reply, deadline: now + PATIENCE }
    }

    /// Ends the wait.
    pub(crate) fn answer(self, answer: Answer<Started>) {
        let reply = match answer {
            Ok(started) => Reply::Ok(started),
            Err(refused) => Reply::Error(refused),
        };
        // A viewer who hung up wants no answer; the relay runs for the next one.
        let _ = self.reply.send(line_of(&reply));
    }
}

/// Descriptors that no relay takes: callers, the files of a reload and the questions to edges need
/// them.
const RESERVE: usize = 32;

/// Why a relay's sockets are not open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CantOpen {
    #[error(transparent)]
    Flows(#[from] forward::OpenError),
    #[error("no more relays can be opened: {0}; raise LimitNOFILE in dynrelayd's unit")]
    NoReserve(io::Error),
    #[error("the stream can't be pulled: {0}")]
    Pull(io::Error),
}

/// Makes sure that a reserve of descriptors is left.
fn reserve() -> Result<(), CantOpen> {
    let stderr = io::stderr();
    let spare: io::Result<Vec<OwnedFd>> =
        (0..RESERVE).map(|_| stderr.as_fd().try_clone_to_owned()).collect();
    spare.map(drop).map_err(CantOpen::NoReserve)
}

/// What can be said of a start now.
enum Outcome {
    Answer(Answer<Started>),
    Later,
}

impl Supervisor {
    /// Starts, or waits to be told whether the edge is there.
    pub(crate) fn start(&mut self, waiting: Waiting, now: Instant) {
        match self.try_start(&waiting, now) {
            Outcome::Answer(answer) => {
                self.turnstile.pass(&waiting.stream, waiting.client, &answer, now);
                waiting.answer(answer);
            }
            Outcome::Later => self.waiting.push(waiting),
        }
    }

    fn try_start(&mut self, asked: &Waiting, now: Instant) -> Outcome {
        match self.place(asked, now) {
            Ok(Some(started)) => Outcome::Answer(Ok(started)),
            Ok(None) => Outcome::Later,
            Err(refused) => Outcome::Answer(Err(refused)),
        }
    }

    /// Finds the place where this viewer will watch, and sees to it that the stream gets there.
    /// `None` if an edge has yet to say whether it is there.
    fn place(&mut self, asked: &Waiting, now: Instant) -> Answer<Option<Started>> {
        let Some(stream) = self.catalog.stream(&asked.stream) else {
            return Err(unknown_stream(&asked.stream));
        };
        let title = stream.title.clone();
        if asked.edge.is_none()
            && let Some(url) = self.local_url(asked)
        {
            let audio = self.audio(&asked.stream, self.catalog.config().origin.url.as_ref());
            let (via, edge, state) = (Via::Origin, None, None);
            return Ok(Some(Started { url, via, edge, state, title, audio }));
        }
        let mut why = None;
        let mut asking = false;
        for (edge, route) in self.candidates(asked)? {
            match self.reachable(&asked.stream, &edge, now) {
                // The rest is asked as well: edges that are down are not waited for one by one.
                None => asking = true,
                Some(_) if asking => {}
                Some(Ok(())) => {
                    if !self.comes(&asked.stream, now)? {
                        return Ok(None);
                    }
                    let url = self.watch(&asked.stream, &edge, route, now)?;
                    let state = self.find(&asked.stream, &edge);
                    let state = state.map(|(id, _)| self.state(id));
                    return Ok(Some(Started {
                        url,
                        via: Via::Edge,
                        audio: self
                            .audio(&asked.stream, self.catalog.edge(&edge).map(|edge| &edge.url)),
                        edge: Some(edge),
                        state,
                        title,
                    }));
                }
                Some(Err(refused)) => {
                    debug!(name: "passed-over", stream = %asked.stream, %edge, "passed over: {refused}");
                    why = why.or(Some(refused));
                }
            }
        }
        if asking {
            return Ok(None);
        }
        Err(why.unwrap_or_else(|| {
            Refused::new(
                ErrorCode::NoEdge,
                "there is no edge in the \
            catalogue",
            )
        }))
    }

    /// The audio that goes with a stream, for a viewer who is sent to this server.
    fn audio(&self, stream: &str, server: Option<&RtspUrl>) -> Option<String> {
        self.catalog.stream(stream)?.audio_at(server?.host())
    }

    /// Where a viewer watches who is local to the origin.
    fn local_url(&self, asked: &Waiting) -> Option<String> {
        let origin = &self.catalog.config().origin;
        let client = asked.client?;
        origin.is_local(client).then(|| origin.viewer_url(&asked.stream)).flatten()
    }

    /// The edges that may take this stream, with their routes, the best one first.
    fn candidates(&self, asked: &Waiting) -> Answer<Vec<(String, Arc<Route>)>> {
        let edges: Vec<&Edge> = match &asked.edge {
            Some(name) => vec![self.catalog.edge(name).ok_or_else(|| unknown_edge(name))?],
            None => self.catalog.edges().iter().collect(),
        };
        let mut routes = BTreeMap::new();
        let mut refusals = Vec::new();
        for edge in &edges {
            match self.catalog.route(&asked.stream, &edge.name) {
                Ok(route) => drop(routes.insert(edge.name.as_str(), route.clone())),
                Err(refusal) => refusals.push(refusal.to_string()),
            }
        }
        if routes.is_empty() && !refusals.is_empty() {
            return Err(Refused::new(ErrorCode::NoConsent, refusals.join("; ")));
        }
        let mut candidates: Vec<Candidate<'_>> = edges
            .iter()
            .filter(|edge| routes.contains_key(edge.name.as_str()))
            .map(|edge| self.candidate(edge, asked))
            .collect();
        rank(&mut candidates);
        let ranked = candidates.iter().map(|candidate| candidate.edge);
        Ok(ranked.filter_map(|edge| Some((edge.to_owned(), routes.remove(edge)?))).collect())
    }

    fn candidate<'a>(&self, edge: &'a Edge, asked: &Waiting) -> Candidate<'a> {
        Candidate {
            edge: &edge.name,
            nearness: asked.client.and_then(|client| edge.nearness(client)),
            relays_it: self.find(&asked.stream, &edge.name).is_some(),
            relays: self.relays.values().filter(|relay| relay.edge == edge.name).count(),
        }
    }

    /// Whether viewers of this stream can be sent to an edge; `None` while it is being asked. An
    /// edge that takes the stream's packets just now need not be asked.
    fn reachable(&mut self, stream: &str, edge: &str, now: Instant) -> Option<Answer<()>> {
        let state = self.find(stream, edge).and_then(|(id, _)| self.lifecycle.state(id));
        if state == Some(State::Live) {
            return Some(Ok(()));
        }
        let Some(edge) = self.catalog.edge(edge) else { return Some(Err(unknown_edge(edge))) };
        let question = match edge.consent {
            Consent::File => Question::Connect(edge.url.as_str().to_owned()),
            Consent::Describe => Question::Describe(edge.viewer_url(stream)),
        };
        let name = &edge.name;
        Some(match self.reach.ask(&question, now)? {
            reach::Answer::Yes => Ok(()),
            reach::Answer::NoConsent(status) => Err(Refused::new(
                ErrorCode::NoConsent,
                format!("{name} has no {stream}.sdp ({status})"),
            )),
            reach::Answer::Unreachable(why) => Err(Refused::new(
                ErrorCode::EdgeUnreachable,
                format!("{name} does not answer at {}: {why}", edge.url.as_str()),
            )),
        })
    }

    /// Sees to it that the stream is relayed to this edge, and says where to watch it there.
    fn watch(
        &mut self,
        stream: &str,
        edge: &str,
        route: Arc<Route>,
        now: Instant,
    ) -> Answer<String> {
        if let Some((id, _)) = self.find(stream, edge) {
            self.lifecycle.renew(id, now);
        } else {
            self.admit(stream, now)?;
            self.open(stream, edge, route, now).map_err(|error| {
                error!(name: "failed", stream, edge, %error, "the relay can't start");
                let code = match error {
                    CantOpen::NoReserve(_) => ErrorCode::Limit,
                    CantOpen::Flows(_) | CantOpen::Pull(_) => ErrorCode::Internal,
                };
                Refused::new(code, format!("{stream}/{edge}: {error}"))
            })?;
        }
        self.act();
        let edge = self.catalog.edge(edge).ok_or_else(|| unknown_edge(edge))?;
        Ok(edge.viewer_url(stream))
    }

    /// Refuses a relay too many, or too soon.
    pub(crate) fn admit(&mut self, stream: &str, now: Instant) -> Answer<()> {
        let most = self.catalog.config().limits.relays;
        if self.relays.len() >= most {
            let message = format!(
                "{stream}: {most} relays run already, as many as `relays` in [limits] allows"
            );
            return Err(Refused::new(ErrorCode::Limit, message));
        }
        self.allowance.take(now).map_err(|wait| {
            let wait = wait.as_secs_f64();
            let message = format!(
                "{stream}: more starts than starts_per_second in [limits] allows; try again in \
                 {wait:.1} s"
            );
            Refused::new(ErrorCode::Limit, message)
        })
    }

    /// Opens a relay's sockets and begins its life.
    pub(crate) fn open(
        &mut self,
        stream: &str,
        edge: &str,
        route: Arc<Route>,
        now: Instant,
    ) -> Result<(), CantOpen> {
        let Some(address) = address(&route) else { return Ok(()) };
        let id = self.new_id();
        let pulled = self.pulls.sources(&self.catalog, stream).map_err(CantOpen::Pull)?;
        let flows = self.plane.open(id, &medias(&route, &pulled), model::Gate::Open)?;
        reserve()?;
        let kinds: Vec<FlowKind> = paths(&route).map(|path| path.kind).collect();
        let rules = self.catalog.rules(stream);
        info!(name: "opened", stream, edge, %address, "a relay starts");
        let tried = self.tried.get(&(stream.to_owned(), edge.to_owned())).copied();
        self.lifecycle.start(id, address, &kinds, rules, tried, now);
        self.changed = true;
        self.relays.insert(id, Relay::new(stream, edge, route, pulled, address, flows, now));
        Ok(())
    }

    /// Answers those who have waited long enough.
    pub(crate) fn give_up_waiting(&mut self, now: Instant) {
        let late = self.waiting.extract_if(.., |waiting| waiting.deadline <= now);
        for waiting in late.collect::<Vec<_>>() {
            let refused = self.source_is_late(&waiting.stream, now).unwrap_or_else(|| {
                let message = format!("{}: no edge answered in time", waiting.stream);
                Refused::new(ErrorCode::EdgeUnreachable, message)
            });
            let answer = Err(refused);
            self.turnstile.pass(&waiting.stream, waiting.client, &answer, now);
            waiting.answer(answer);
        }
    }

    /// Tries the starts that wait again: there is news.
    pub(crate) fn start_waiting(&mut self, now: Instant) {
        for waiting in std::mem::take(&mut self.waiting) {
            self.start(waiting, now);
        }
    }
}

/// The refusal for a name that the catalogue doesn't have.
pub(crate) fn unknown_edge(edge: &str) -> Refused {
    let edge = if is_name(edge) { edge } else { "of that name" };
    Refused::new(ErrorCode::NoEdge, format!("there is no edge {edge} in the catalogue"))
}
