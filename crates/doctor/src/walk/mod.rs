//! The way of one stream to one edge, from the SDP files to the first packet that the edge takes.

mod answer;
mod step;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use catalog::{Catalog, Edge, Route, Stream};
use control::{
    Client, ClientError, RelayDetail, RelayShow, RelayStatus, Request, ScanResult, Started, Verdict,
};
use model::State;
use serde::de::DeserializeOwned;
use wording::count;

use self::answer::Answers;
use self::step::Steps;
pub use self::step::{News, Outcome, Step};
use crate::{refusals, rtsp};

/// How long the encoder's packets are waited for.
const LISTEN: Duration = Duration::from_secs(5);
/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time between two looks at a relay.
const LOOK: Duration = Duration::from_millis(200);

/// A stream and an edge, and how long the edge has to accept the stream.
#[derive(Debug)]
pub struct Walk<'a> {
    catalog: &'a Catalog,
    stream: &'a str,
    edge: &'a Edge,
    wait: Duration,
}

/// Why there is nothing to walk through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// The catalogue has no such edge; which it has.
    #[error("there is no edge {0}; there are: {1}")]
    Edge(String, String),
    /// No stream was named, and the edge takes none.
    #[error(
        "{0} takes no stream: `dynrelay sdp offer STREAM {0} --save` makes the file by which it does"
    )]
    Nothing(String),
}

/// Listens to a stream for at most this time, and gives what was heard of each media, in order.
pub type Listen<'a> = dyn FnMut(&Stream, Duration) -> Result<Vec<ScanResult>, String> + 'a;

/// A step failed and was reported: the walk ends there.
struct Stuck;

type Taken<T> = Result<T, Stuck>;

impl<'a> Walk<'a> {
    /// A walk of `stream` to `edge`; without a name, of the first stream that the edge takes.
    ///
    /// # Errors
    /// There is no such edge, or it takes no stream.
    pub fn new(
        catalog: &'a Catalog,
        stream: Option<&'a str>,
        edge: &str,
        wait: Duration,
    ) -> Result<Self, NoWay> {
        let Some(edge) = catalog.edge(edge) else {
            let names: Vec<&str> = catalog.edges().iter().map(|edge| edge.name.as_str()).collect();
            return Err(NoWay::Edge(edge.to_owned(), names.join(", ")));
        };
        let takes = |stream: &&Stream| stream.edges().any(|name| name == edge.name);
        let first = || catalog.streams().find(takes).map(|stream| stream.name.as_str());
        let stream = stream.or_else(first).ok_or_else(|| NoWay::Nothing(edge.name.clone()))?;
        Ok(Self { catalog, stream, edge, wait })
    }

    /// The stream's name.
    pub fn stream(&self) -> &str {
        self.stream
    }

    /// Walks until a step fails, or the edge has accepted every media, or the time is over. The
    /// stream is relayed meanwhile; a relay that did not run before is stopped again. `tell` gets
    /// each step as it is taken. Gives whether no step failed.
    pub fn run(&self, listen: &mut Listen<'_>, tell: &mut dyn FnMut(News)) -> bool {
        let mut steps = Steps::new(tell);
        let stuck = self.go(listen, &mut steps).is_err();
        !stuck && steps.are_well()
    }

    fn go(&self, listen: &mut Listen<'_>, steps: &mut Steps<'_>) -> Taken<()> {
        let route = self.files(steps)?;
        self.source(listen, steps)?;
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

    fn files(&self, steps: &mut Steps<'_>) -> Taken<&Route> {
        let (stream, edge) = (self.stream, self.edge.name.as_str());
        match self.catalog.route(stream, edge) {
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
    fn source(&self, listen: &mut Listen<'_>, steps: &mut Steps<'_>) -> Taken<()> {
        let Some(stream) = self.catalog.stream(self.stream) else { return Err(Stuck) };
        if let Some(source) = &stream.source {
            let what = format!("{} is pulled from {source} once it is relayed", self.stream);
            steps.tell("source", Outcome::Unknown, what, "");
            return Ok(());
        }
        let heard = match listen(stream, LISTEN) {
            Ok(heard) => heard,
            Err(error) => {
                steps.tell("source", Outcome::Unknown, format!("can't listen: {error}"), "");
                return Ok(());
            }
        };
        for (label, heard) in stream.labels().zip(&heard) {
            source_step(steps, &label, heard);
        }
        if heard.iter().all(|one| one.verdict() == Verdict::NotActive) {
            return Err(Stuck);
        }
        Ok(())
    }

    fn rtsp(&self, steps: &mut Steps<'_>) -> Taken<()> {
        let url = &self.edge.url;
        match rtsp::options(url.as_str()) {
            Ok(said) => {
                steps.tell("edge", Outcome::Ok, format!("{url} answers: {said}"), "");
                Ok(())
            }
            Err(error) => {
                let what = format!("{url} does not answer: {error}");
                steps.tell("edge", Outcome::Failed, what, rtsp::ADVICE);
                Err(Stuck)
            }
        }
    }

    /// The relay, if it runs already.
    fn running(&self, steps: &mut Steps<'_>) -> Taken<Option<RelayDetail>> {
        match self.show() {
            Ok(detail) => Ok(detail.filter(|detail| detail.relay.state != State::Closed)),
            Err(error) => {
                let advice = "`systemctl status dynrelayd`, and `dynrelay check` without --edge";
                steps.tell("relay", Outcome::Failed, error.to_string(), advice);
                Err(Stuck)
            }
        }
    }

    fn start(&self, steps: &mut Steps<'_>, before: Option<RelayDetail>) -> Taken<()> {
        let (stream, edge) = (self.stream, self.edge.name.as_str());
        if let Some(RelayDetail { relay: RelayStatus { state, .. }, .. }) = before {
            let what = format!("{stream}/{edge} runs already, and is {state}");
            steps.tell("relay", Outcome::Ok, what, "");
            return Ok(());
        }
        let (name, edge) = (stream.to_owned(), Some(edge.to_owned()));
        match self.ask::<Started>(&Request::Start { stream: name, edge, client: None }) {
            Ok(started) => {
                let state = started.state.unwrap_or(State::Starting);
                let what = format!("{stream}/{} is started: {state}", self.edge.name);
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
    fn packets(&self, steps: &mut Steps<'_>, route: &Route) -> Taken<()> {
        let rules = self.catalog.rules(self.stream);
        let began = Instant::now();
        let mut answers = Answers::new(route.paths().count(), rules.quiet);
        let mut hinted = false;
        loop {
            let over = began.elapsed() >= self.wait;
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
    fn hint(&self, steps: &mut Steps<'_>) {
        let Self { edge, stream, wait, .. } = self;
        let wait = count(wait.as_secs(), "second");
        steps.hint(format!(
            "{} refuses: its ports are closed, as they are when nobody watches. Open {} in a player \
             now to see it accept; this waits {wait} in all.",
            edge.name,
            edge.viewer_url(stream)
        ));
    }

    fn closed(&self, steps: &mut Steps<'_>, detail: Option<&RelayDetail>) -> Taken<()> {
        let reason = detail.and_then(|detail| detail.relay.reason);
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let what = format!("{}/{} has closed{reason}", self.stream, self.edge.name);
        let advice = format!("`dynrelay show {}/{}` says more", self.stream, self.edge.name);
        steps.tell("packets", Outcome::Failed, what, &advice);
        Err(Stuck)
    }

    /// Takes the relay away again, unless somebody watches by now.
    fn stop(&self, steps: &mut Steps<'_>) {
        let (stream, edge) = (self.stream, self.edge.name.as_str());
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
        let (stream, edge) = (self.stream.to_owned(), Some(self.edge.name.clone()));
        let RelayShow { relays, .. } = self.ask(&Request::Show { stream, edge })?;
        Ok(relays.into_iter().next())
    }

    fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, ClientError> {
        let socket: &Path = &self.catalog.config().daemon.socket;
        Client::connect(socket, Some(PATIENCE))?.ask(request)
    }
}

fn source_step(steps: &mut Steps<'_>, label: &str, result: &ScanResult) {
    let (outcome, what, advice) = match result.verdict() {
        Verdict::Active => {
            let sender = result.senders.first().map(|one| one.address.to_string());
            let from = sender.unwrap_or_default();
            (Outcome::Ok, format!("{label} arrives, from {from}"), String::new())
        }
        Verdict::NotActive => (
            Outcome::Failed,
            format!("no RTP of {label} came in {}s", LISTEN.as_secs()),
            "is the encoder sending? `dynrelay scan` says what comes there instead, and `dynrelay \
             check` what may drop it: interface, reverse-path filter, firewall"
                .to_owned(),
        ),
        Verdict::Busy | Verdict::Reserved | Verdict::Failed => {
            let why = result.faults.first().map(ToString::to_string).unwrap_or_default();
            (Outcome::Unknown, format!("can't hear whether {label} arrives: {why}"), String::new())
        }
    };
    steps.tell("source", outcome, what, &advice);
}
