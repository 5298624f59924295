//! The way of one stream to one edge, from the SDP files to the first packet that the edge takes.

mod answer;
mod step;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use catalog::{Catalog, Edge, Stream};
use control::{
    Client, ClientError, RelayDetail, RelayShow, RelayStatus, Request, ScanResult, Started, Verdict,
};
use model::State;
use serde::de::DeserializeOwned;
use wording::{count, explained};

use self::answer::Answers;
pub use self::step::{News, Outcome, Stage, Step};
use self::step::{Steps, Stuck};
use crate::{edges, refusals};

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

/// Listens to a stream for at most this time, and gives the results, media by media.
pub type Listen<'a> = dyn FnMut(&Stream, Duration) -> Result<Vec<ScanResult>, String> + 'a;

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
        self.files(steps)?;
        self.source(listen, steps)?;
        self.rtsp(steps)?;
        let ran = self.start(steps)?;
        let answer = self.packets(steps);
        // The relay is left as it was found.
        if !ran {
            self.stop(steps);
        }
        answer
    }

    fn files(&self, steps: &mut Steps<'_>) -> Taken<()> {
        let (stream, edge) = (self.stream, &self.edge.name);
        let route = self.catalog.route(stream, edge).map_err(|refusal| {
            let advice = format!(
                "`dynrelay sdp check {stream} {edge}` compares them, `dynrelay sdp offer {stream} \
                 {edge}` makes the edge's"
            );
            steps.fail(Stage::Files, refusal.to_string(), &advice)
        })?;
        let ports = route.pairs.iter();
        let ports: Vec<String> = ports
            .map(|pair| format!("{} to port {}", pair.label, pair.rtp.target.port()))
            .collect();
        let what = format!("{stream}.sdp and {stream}.{edge}.sdp fit: {}", ports.join(", "));
        steps.tell(Stage::Files, Outcome::Ok, what, "");
        Ok(())
    }

    /// Listens for each media.
    fn source(&self, listen: &mut Listen<'_>, steps: &mut Steps<'_>) -> Taken<()> {
        let Some(stream) = self.catalog.stream(self.stream) else { return Err(Stuck) };
        if let Some(source) = &stream.source {
            let what = format!("{} is pulled from {source} once it is relayed", self.stream);
            steps.tell(Stage::Source, Outcome::Unknown, what, "");
            return Ok(());
        }
        let results = match listen(stream, LISTEN) {
            Ok(results) => results,
            Err(error) => {
                steps.tell(Stage::Source, Outcome::Unknown, format!("can't listen: {error}"), "");
                return Ok(());
            }
        };
        for (label, result) in stream.labels().zip(&results) {
            source_step(steps, &label, result);
        }
        let silent = results.iter().all(|one| one.verdict() == Verdict::NotActive);
        if silent { Err(Stuck) } else { Ok(()) }
    }

    fn rtsp(&self, steps: &mut Steps<'_>) -> Taken<()> {
        let url = &self.edge.url;
        let said = edges::options(url.as_str()).map_err(|error| {
            steps.fail(Stage::Edge, format!("{url} does not answer: {error}"), edges::NO_ANSWER)
        })?;
        steps.tell(Stage::Edge, Outcome::Ok, format!("{url} answers: {said}"), "");
        Ok(())
    }

    /// Starts the relay unless it runs; gives whether it ran before.
    fn start(&self, steps: &mut Steps<'_>) -> Taken<bool> {
        let relay = format!("{}/{}", self.stream, self.edge.name);
        let before = self.show().map_err(|error| {
            let advice = "`systemctl status dynrelayd`, and `dynrelay check` without --edge";
            steps.fail(Stage::Relay, error.to_string(), advice)
        })?;
        if let Some(RelayDetail { relay: RelayStatus { state, .. }, .. }) = before.filter(runs) {
            let what = format!("{relay} runs already, and is {state}");
            steps.tell(Stage::Relay, Outcome::Ok, what, "");
            return Ok(true);
        }
        let (stream, edge) = (self.stream.to_owned(), Some(self.edge.name.clone()));
        let request = Request::Start { stream, edge, client: None };
        let started: Started = self.ask(&request).map_err(|error| {
            steps.fail(Stage::Relay, error.to_string(), "see the log: `journalctl -u dynrelayd`")
        })?;
        let state = started.state.unwrap_or(State::Starting);
        steps.tell(Stage::Relay, Outcome::Ok, format!("{relay} is started: {state}"), "");
        Ok(false)
    }

    /// Asks the daemon until it knows of each RTP flow whether the edge takes it, or the time is
    /// over.
    fn packets(&self, steps: &mut Steps<'_>) -> Taken<()> {
        let began = Instant::now();
        let mut answers = Answers::default();
        let mut hinted = false;
        loop {
            let over = began.elapsed() >= self.wait;
            let relay =
                self.show().map_err(|error| steps.fail(Stage::Packets, error.to_string(), ""))?;
            let relay = match relay {
                Some(relay) if runs(&relay) => relay,
                relay => return Err(self.closed(steps, relay)),
            };
            answers.look(&relay, || refusals::come_back(relay.address));
            for (stage, (outcome, what, advice)) in answers.news(over) {
                steps.tell(stage, outcome, what, advice);
            }
            if over || answers.are_settled() {
                return Ok(());
            }
            if answers.is_refused() && !std::mem::replace(&mut hinted, true) {
                self.hint(steps);
            }
            thread::sleep(LOOK);
        }
    }

    /// An edge without viewers refuses.
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

    fn closed(&self, steps: &mut Steps<'_>, relay: Option<RelayDetail>) -> Stuck {
        let reason = relay.and_then(|relay| relay.relay.reason);
        let reason = reason.map(|it| format!(": {}", explained(it))).unwrap_or_default();
        let relay = format!("{}/{}", self.stream, self.edge.name);
        let advice = format!("`dynrelay show {relay}` says more");
        steps.fail(Stage::Packets, format!("{relay} has closed{reason}"), &advice)
    }

    /// Stops the relay again, unless somebody watches by now.
    fn stop(&self, steps: &mut Steps<'_>) {
        let (stream, edge) = (self.stream.to_owned(), self.edge.name.clone());
        let relay = format!("{stream}/{edge}");
        let viewers = self.show().ok().flatten().and_then(|relay| relay.relay.viewers);
        if viewers.is_some_and(|viewers| viewers > 0) {
            let what = format!("somebody watches {stream} at {edge} by now, so it goes on");
            steps.tell(Stage::End, Outcome::Ok, what, "");
            return;
        }
        match self.ask::<RelayStatus>(&Request::Stop { stream, edge }) {
            Ok(_) => {
                let what = format!("{relay} is stopped: it did not run before");
                steps.tell(Stage::End, Outcome::Ok, what, "");
            }
            // It closed by itself.
            Err(ClientError::Refused(refused))
                if self.show().is_ok_and(|relay| !relay.is_some_and(|relay| runs(&relay))) =>
            {
                steps.tell(Stage::End, Outcome::Ok, refused.to_string(), "");
            }
            Err(error) => {
                let advice = "only root and the daemon's user may stop it; it closes by itself \
                              when nobody watches";
                let what = format!("{} goes on: {error}", self.stream);
                steps.tell(Stage::End, Outcome::Unknown, what, advice);
            }
        }
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

fn runs(relay: &RelayDetail) -> bool {
    relay.relay.state != State::Closed
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
    steps.tell(Stage::Source, outcome, what, &advice);
}
