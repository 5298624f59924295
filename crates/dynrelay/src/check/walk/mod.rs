//! `dynrelay check --edge`: the way of one stream to one edge, from the SDP files to the first packet
//! that the edge takes, each step told as it is taken.

mod answer;
mod step;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use catalog::{Catalog, Route, Stream};
use control::{Client, ClientError, RelayDetail, RelayShow, RelayStatus, Request, Started};
use model::State;
use serde::de::DeserializeOwned;

use self::answer::Answers;
use self::step::{Outcome, Steps};
use super::{refusals, rtsp};
use crate::context::{Context, Daemon};
use crate::failure::Failure;
use crate::scan::ears;
use crate::wording::count;

/// How long the encoder's packets are waited for.
const LISTEN: Duration = Duration::from_secs(5);
/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time between two looks at a relay.
const LOOK: Duration = Duration::from_millis(200);

/// What is walked through, and how long its end is waited for.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) stream: Option<&'a str>,
    pub(super) edge: &'a str,
    pub(super) wait: Duration,
}

/// A step that went wrong, and has been told: the way ends there.
struct Stuck;

type Taken<T> = Result<T, Stuck>;

impl Walk<'_> {
    /// Walks. A step that fails makes it fail.
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<(), Failure> {
        let stream = self.stream()?;
        let mut steps = Steps::new(context, stream, self.edge);
        steps.title()?;
        let way = Way { walk: self, stream };
        // What went wrong has been told step by step.
        let _ = way.go(&mut steps);
        if steps.end()? { Ok(()) } else { Err(Failure::Unsound) }
    }

    /// The stream that was named; else the first that the edge takes.
    fn stream(&self) -> Result<&str, Failure> {
        let Self { catalog, edge, .. } = self;
        if catalog.edge(edge).is_none() {
            let names: Vec<&str> = catalog.edges().iter().map(|edge| edge.name.as_str()).collect();
            let names = names.join(", ");
            return Err(Failure::Unfit(format!("there is no edge {edge}; there are: {names}")));
        }
        if let Some(stream) = self.stream {
            return Ok(stream);
        }
        let takes = |stream: &&Stream| stream.edges().any(|name| name == *edge);
        let first = catalog.streams().find(takes).map(|stream| stream.name.as_str());
        first.ok_or_else(|| {
            let what = format!(
                "{edge} takes no stream: `dynrelay sdp offer STREAM {edge} --save` makes the file \
                 by which it does"
            );
            Failure::Unfit(what)
        })
    }
}

/// The walk of one stream.
struct Way<'a> {
    walk: &'a Walk<'a>,
    stream: &'a str,
}

impl Way<'_> {
    fn go(&self, steps: &mut Steps<'_, '_>) -> Taken<()> {
        let route = self.files(steps)?;
        self.source(steps)?;
        self.rtsp(steps)?;
        let before = self.running(steps)?;
        let found = before.is_some();
        self.start(steps, before)?;
        let answer = self.packets(steps, route);
        // Whatever came of it, the relay is left as it was found.
        if !found {
            self.stop(steps);
        }
        answer
    }

    fn files(&self, steps: &mut Steps<'_, '_>) -> Taken<&Route> {
        let (stream, edge) = (self.stream, self.walk.edge);
        match self.walk.catalog.route(stream, edge) {
            Ok(route) => {
                let pairs = route.pairs.iter();
                let to: Vec<String> = pairs
                    .map(|pair| format!("{} to port {}", pair.label, pair.rtp.target.port()))
                    .collect();
                let what = format!("{stream}.sdp and {stream}.{edge}.sdp fit: {}", to.join(", "));
                steps.tell("files", Outcome::Ok, what, "");
                Ok(route)
            }
            Err(refusal) => {
                let advice = format!(
                    "`dynrelay sdp check {stream} {edge}` compares them, `dynrelay sdp offer \
                     {stream} {edge}` makes the edge's"
                );
                steps.tell("files", Outcome::Failed, refusal.to_string(), &advice);
                Err(Stuck)
            }
        }
    }

    /// Listens for each media, beside the daemon.
    fn source(&self, steps: &mut Steps<'_, '_>) -> Taken<()> {
        let Some(stream) = self.walk.catalog.stream(self.stream) else { return Err(Stuck) };
        if let Some(source) = &stream.source {
            let what = format!("{} is pulled from {source} once it is relayed", self.stream);
            steps.tell("source", Outcome::Unknown, what, "");
            return Ok(());
        }
        let medias = ::scan::Media::of(stream).map_err(ToString::to_string);
        let labels: Vec<String> = stream.media().collect();
        let mut daemon = Daemon { socket: self.walk.catalog.config().daemon.socket.clone() };
        let heard = medias.and_then(|medias| ears::look(&mut daemon, stream, medias, LISTEN));
        let heard = match heard {
            Ok(heard) => heard,
            Err(error) => {
                steps.tell("source", Outcome::Unknown, format!("can't listen: {error}"), "");
                return Ok(());
            }
        };
        for (label, heard) in labels.iter().zip(&heard) {
            source_step(steps, label, heard);
        }
        if heard.iter().all(|one| one.verdict() == ::scan::Verdict::NotActive) {
            return Err(Stuck);
        }
        Ok(())
    }

    fn rtsp(&self, steps: &mut Steps<'_, '_>) -> Taken<()> {
        let Some(edge) = self.walk.catalog.edge(self.walk.edge) else { return Err(Stuck) };
        match rtsp::options(edge.url.as_str()) {
            Ok(said) => {
                steps.tell("edge", Outcome::Ok, format!("{} answers: {said}", edge.url), "");
                Ok(())
            }
            Err(error) => {
                let what = format!("{} does not answer: {error}", edge.url);
                steps.tell("edge", Outcome::Failed, what, rtsp::ADVICE);
                Err(Stuck)
            }
        }
    }

    /// The relay, if it runs already.
    fn running(&self, steps: &mut Steps<'_, '_>) -> Taken<Option<RelayDetail>> {
        match self.show() {
            Ok(detail) => Ok(detail.filter(|detail| detail.relay.state != State::Closed)),
            Err(error) => {
                let advice = "`systemctl status dynrelayd`, and `dynrelay check` without --edge";
                steps.tell("relay", Outcome::Failed, error.to_string(), advice);
                Err(Stuck)
            }
        }
    }

    fn start(&self, steps: &mut Steps<'_, '_>, before: Option<RelayDetail>) -> Taken<()> {
        let (stream, edge) = (self.stream, self.walk.edge);
        if let Some(RelayDetail { relay: RelayStatus { state, .. }, .. }) = before {
            let what = format!("{stream}/{edge} runs already, and is {state}");
            steps.tell("relay", Outcome::Ok, what, "");
            return Ok(());
        }
        let (name, edge) = (stream.to_owned(), Some(edge.to_owned()));
        match self.ask::<Started>(&Request::Start { stream: name, edge, client: None }) {
            Ok(started) => {
                let state = started.state.unwrap_or(State::Starting);
                let what = format!("{stream}/{} is started: {state}", self.walk.edge);
                steps.tell("relay", Outcome::Ok, what, "");
                Ok(())
            }
            Err(error) => {
                let advice = "see the daemon's log: `journalctl -u dynrelayd`";
                steps.tell("relay", Outcome::Failed, error.to_string(), advice);
                Err(Stuck)
            }
        }
    }

    /// Looks on until each RTP flow is known to be taken, or the time is over.
    fn packets(&self, steps: &mut Steps<'_, '_>, route: &Route) -> Taken<()> {
        let rules = self.walk.catalog.rules(self.stream);
        let began = Instant::now();
        let mut answers = Answers::new(route.paths().count(), rules.quiet);
        let mut hinted = false;
        loop {
            let over = began.elapsed() >= self.walk.wait;
            match self.show() {
                Ok(Some(detail)) if detail.relay.state != State::Closed => {
                    answers.look(&detail, began.elapsed());
                    if answers.are_quiet() {
                        // An edge that can't refuse is as quiet as one that accepts.
                        answers.settle(refusals::are_heard(detail.address));
                    }
                }
                Ok(detail) => return self.closed(steps, detail.as_ref()),
                Err(error) => {
                    steps.tell("packets", Outcome::Failed, error.to_string(), "");
                    return Err(Stuck);
                }
            }
            for news in answers.news(over) {
                steps.tell(news.step, news.outcome, news.what, news.advice);
            }
            if over || answers.all_taken() {
                return Ok(());
            }
            if answers.is_refused() && !std::mem::replace(&mut hinted, true) {
                self.hint(steps);
            }
            thread::sleep(LOOK);
        }
    }

    /// Refusals are what an edge without viewers gives.
    fn hint(&self, steps: &mut Steps<'_, '_>) {
        let Some(edge) = self.walk.catalog.edge(self.walk.edge) else { return };
        let wait = count(self.walk.wait.as_secs(), "second");
        steps.note(&format!(
            "{} refuses: its ports are closed, as they are when nobody watches. Open {} in a player \
             now to see it accept; this waits {wait} in all.",
            edge.name,
            edge.viewer_url(self.stream)
        ));
    }

    fn closed(&self, steps: &mut Steps<'_, '_>, detail: Option<&RelayDetail>) -> Taken<()> {
        let reason = detail.and_then(|detail| detail.relay.reason);
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let what = format!("{}/{} has closed{reason}", self.stream, self.walk.edge);
        let advice = format!("`dynrelay show {}/{}` says more", self.stream, self.walk.edge);
        steps.tell("packets", Outcome::Failed, what, &advice);
        Err(Stuck)
    }

    /// Takes the relay away again, unless somebody watches by now.
    fn stop(&self, steps: &mut Steps<'_, '_>) {
        let (stream, edge) = (self.stream, self.walk.edge);
        let viewers = self.show().ok().flatten().and_then(|detail| detail.relay.viewers);
        if viewers.is_some_and(|viewers| viewers > 0) {
            let what = format!("somebody watches {stream} at {edge} by now, so it goes on");
            steps.tell("end", Outcome::Ok, what, "");
            return;
        }
        let (name, edge) = (stream.to_owned(), edge.to_owned());
        let (outcome, what, advice) = match self.ask(&Request::Stop { stream: name, edge }) {
            Ok(RelayStatus { edge, .. }) => {
                (Outcome::Ok, format!("{stream}/{edge} is stopped: it did not run before"), "")
            }
            // It closed by itself.
            Err(ClientError::Refused(refused)) if self.is_closed() => {
                (Outcome::Ok, refused.to_string(), "")
            }
            Err(error) => {
                let advice = "check as root, or as the daemon's user, who may stop it again; it \
                              closes by itself when nobody watches";
                (Outcome::Unknown, format!("{stream} goes on: {error}"), advice)
            }
        };
        steps.tell("end", outcome, what, advice);
    }

    fn is_closed(&self) -> bool {
        self.show()
            .is_ok_and(|detail| detail.is_none_or(|detail| detail.relay.state == State::Closed))
    }

    /// The latest relay of the stream to the edge, if there was any.
    fn show(&self) -> Result<Option<RelayDetail>, ClientError> {
        let (stream, edge) = (self.stream.to_owned(), Some(self.walk.edge.to_owned()));
        let RelayShow { relays, .. } = self.ask(&Request::Show { stream, edge })?;
        Ok(relays.into_iter().next())
    }

    fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, ClientError> {
        let socket: &Path = &self.walk.catalog.config().daemon.socket;
        Client::connect(socket, Some(PATIENCE))?.ask(request)
    }
}

fn source_step(steps: &mut Steps<'_, '_>, label: &str, heard: &::scan::Heard) {
    let (outcome, what, advice) = match heard.verdict() {
        ::scan::Verdict::Active => {
            let sender = heard.senders.first().map(|one| one.address.to_string());
            let from = sender.unwrap_or_default();
            (Outcome::Ok, format!("{label} arrives, from {from}"), String::new())
        }
        ::scan::Verdict::NotActive => (
            Outcome::Failed,
            format!("no RTP of {label} came in {}s", LISTEN.as_secs()),
            "is the encoder sending? `dynrelay scan` says what comes there instead, and `dynrelay \
             check` what may drop it: interface, reverse-path filter, firewall"
                .to_owned(),
        ),
        ::scan::Verdict::Busy | ::scan::Verdict::Reserved | ::scan::Verdict::Deaf => {
            let why = heard.deaf.first().map(ToString::to_string).unwrap_or_default();
            (Outcome::Unknown, format!("can't hear whether {label} arrives: {why}"), String::new())
        }
    };
    steps.tell("source", outcome, what, &advice);
}
