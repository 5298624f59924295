//! The streams that are pulled from an RTSP server, each while it is needed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::sdp::MediaFormat;
use catalog::{Catalog, RtspSource};
use control::{ErrorCode, Refused};
use model::SourceState;
use rtsp::{Fault, State, Transport};

use super::effect::{Effect, PullOrder};
use super::input::PullReport;
use super::log_event::LogEvent;

/// How long a stream is still pulled for a viewer who was told to ask again.
const LINGER: Duration = Duration::from_secs(20);

/// The meaning of a report for waiting starts.
#[derive(Debug)]
pub(crate) enum PullNews {
    /// Nothing.
    None,
    /// The stream comes, or its source has failed.
    Settled,
    /// The pull can't be started.
    CantStart(Refused),
}

/// Whether a pulled stream comes.
#[derive(Debug)]
pub(crate) enum Coming {
    /// Nothing pulls it.
    Idle,
    /// It is being asked for.
    Soon,
    /// Packets come.
    Yes,
    /// The source has failed, and will be asked again.
    Failed(Refused),
}

/// The current pulls, by stream.
#[derive(Debug, Default)]
pub(crate) struct Pulls {
    running: BTreeMap<String, Pull>,
    last_id: u64,
    /// The streams that did not come over UDP.
    by_tcp: HashSet<String>,
}

#[derive(Debug)]
struct Pull {
    id: u64,
    source: RtspSource,
    media: Box<[Arc<MediaFormat>]>,
    state: State,
    /// Why it failed, if it did since it played last.
    fault: Option<rtsp::Error>,
    /// Until when it goes on for a viewer who was told to ask again.
    lingers: Option<Instant>,
}

impl Pull {
    /// Whether it may go on with this source. One that plays may while the server is the same and
    /// doesn't have the stream from here.
    fn suits(&self, source: &RtspSource, media: &[Arc<MediaFormat>]) -> bool {
        let same = match self.state {
            State::Playing { from, .. } => {
                self.source.asks_like(source) && !source.is_fed_by_us(from.ip(), source.url())
            }
            State::Connecting | State::Waiting { .. } => self.source == *source,
        };
        same && *self.media == *media
    }
}

impl Pulls {
    /// Whether this pull of a stream runs.
    #[cfg(test)]
    pub(crate) fn runs(&self, stream: &str, id: u64) -> bool {
        self.running.get(stream).is_some_and(|pull| pull.id == id)
    }

    /// The streams that are pulled.
    pub(crate) fn streams(&self) -> impl Iterator<Item = &str> {
        self.running.keys().map(String::as_str)
    }

    /// Whether none runs.
    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Makes sure that a stream is pulled, if it has a source.
    pub(crate) fn need(&mut self, catalog: &Catalog, name: &str, effects: &mut Vec<Effect>) {
        let Some(stream) = catalog.stream(name) else { return };
        let Some(source) = &stream.source else { return };
        let (name, media) = (&stream.name, &stream.media);
        if self.running.get(name).is_some_and(|pull| pull.suits(source, media)) {
            return;
        }
        self.last_id += 1;
        let id = self.last_id;
        let tcp = self.by_tcp.contains(name);
        effects.push(Effect::StartPull(PullOrder {
            stream: name.clone(),
            id,
            source: source.clone(),
            media: media.clone(),
            transport: if tcp { Transport::Tcp } else { Transport::Udp },
        }));
        let entry = LogEvent::Pull { stream: name.clone(), source: source.to_string() };
        effects.push(Effect::Log(entry));
        let (source, media, state) = (source.clone(), media.clone(), State::Connecting);
        let pull = Pull { id, source, media, state, fault: None, lingers: None };
        self.running.insert(name.clone(), pull);
    }

    /// A relay or replica of this stream is opened: it keeps the pull running from now on.
    pub(crate) fn taken(&mut self, stream: &str) {
        if let Some(pull) = self.running.get_mut(stream) {
            pull.lingers = None;
        }
    }

    /// Keeps the pull for a viewer of this stream who will ask again.
    pub(crate) fn keep(&mut self, stream: &str, now: Instant) {
        if let Some(pull) = self.running.get_mut(stream) {
            pull.lingers = Some(now + LINGER);
        }
    }

    /// Whether a pulled stream comes.
    pub(crate) fn coming(&self, stream: &str) -> Coming {
        let Some(pull) = self.running.get(stream) else { return Coming::Idle };
        match (&pull.state, &pull.fault) {
            (State::Playing { .. }, _) => Coming::Yes,
            (State::Waiting { why, .. }, _) | (State::Connecting, Some(why)) => {
                Coming::Failed(refusal(stream, why))
            }
            (State::Connecting, None) => Coming::Soon,
        }
    }

    /// The refusal for a viewer who has waited long enough for this stream's first packet.
    pub(crate) fn late(&self, stream: &str) -> Refused {
        let fault = self.running.get(stream).and_then(|pull| pull.fault.as_ref());
        fault.map(|why| refusal(stream, why)).unwrap_or_else(|| {
            let message =
                format!("{stream} is being pulled from its source: try again in a moment");
            Refused::new(ErrorCode::SourceStarting, message)
        })
    }

    /// Takes a report of a pull.
    pub(crate) fn learn(&mut self, report: PullReport, effects: &mut Vec<Effect>) -> PullNews {
        let PullReport { stream, id, state } = report;
        let known = self.running.get_mut(&stream).filter(|pull| pull.id == id);
        let Some(pull) = known else { return PullNews::None };
        let source = pull.source.to_string();
        let mut log = |entry| effects.push(Effect::Log(entry));
        let state = match state {
            Ok(state) => state,
            Err(why) => {
                self.running.remove(&stream);
                let message = format!("{stream} can't be pulled: {why}");
                log(LogEvent::PullFailed { stream, source, why });
                return PullNews::CantStart(Refused::new(ErrorCode::Internal, message));
            }
        };
        let news = match &state {
            State::Connecting => PullNews::None,
            State::Playing { transport, from, skipped } => {
                let (transport, from, skipped) = (*transport, *from, *skipped);
                pull.fault = None;
                if transport == Transport::Tcp {
                    self.by_tcp.insert(stream.clone());
                } else {
                    self.by_tcp.remove(&stream);
                }
                let before = match pull.state {
                    State::Playing { skipped, .. } => Some(skipped),
                    _ => None,
                };
                if skipped > 0 && before.unwrap_or(0) == 0 {
                    let (stream, source) = (stream.clone(), source.clone());
                    log(LogEvent::PullStray { stream, source, skipped });
                }
                if before.is_none() {
                    log(LogEvent::PullPlays { stream, source, transport, from });
                }
                PullNews::Settled
            }
            State::Waiting { why, .. } => {
                // It tries every few seconds: the same fault again is not logged.
                if pull.fault.as_ref() != Some(why) {
                    log(LogEvent::PullFailed { stream, source, why: why.to_string() });
                    pull.fault = Some(why.clone());
                }
                PullNews::Settled
            }
        };
        pull.state = state;
        news
    }

    /// Ends the pulls that nobody needs any more.
    pub(crate) fn end_unneeded(
        &mut self,
        now: Instant,
        needed: impl Fn(&str) -> bool,
        effects: &mut Vec<Effect>,
    ) {
        self.running.retain(|stream, pull| {
            pull.lingers = pull.lingers.filter(|until| now < *until);
            let goes_on = needed(stream) || pull.lingers.is_some();
            if !goes_on {
                effects.push(Effect::EndPull(stream.clone()));
                effects.push(Effect::Log(LogEvent::PullEnded { stream: stream.clone() }));
            }
            goes_on
        });
    }

    /// When the first pull has lingered long enough.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.running.values().filter_map(|pull| pull.lingers).min()
    }

    /// Brings the pulls into line with a new catalogue. Returns the streams whose pull has ended.
    pub(crate) fn reconcile(
        &mut self,
        catalog: &Catalog,
        effects: &mut Vec<Effect>,
    ) -> BTreeSet<String> {
        let mut ended = BTreeSet::new();
        for name in self.running.keys().cloned().collect::<Vec<_>>() {
            let stream = catalog.stream(&name);
            let source = stream.and_then(|stream| stream.source.as_ref());
            let known = self.running.get(&name).map(|pull| &pull.source);
            if !known.zip(source).is_some_and(|(known, source)| known.asks_like(source)) {
                self.by_tcp.remove(&name);
            }
            match stream.filter(|_| source.is_some()) {
                Some(_) => self.need(catalog, &name, effects),
                None => {
                    self.running.remove(&name);
                    effects.push(Effect::EndPull(name.clone()));
                    ended.insert(name);
                }
            }
        }
        ended
    }

    /// Ends all.
    pub(crate) fn end_all(&mut self, effects: &mut Vec<Effect>) {
        effects.extend(std::mem::take(&mut self.running).into_keys().map(Effect::EndPull));
    }

    /// The state of a stream's source, and what there is to say of it.
    pub(crate) fn source_state(&self, stream: &str, source: &RtspSource) -> (SourceState, String) {
        let Some(pull) = self.running.get(stream) else {
            return (SourceState::Idle, source.to_string());
        };
        match (&pull.state, &pull.fault) {
            (State::Playing { transport, from, skipped }, _) => {
                let stray = match skipped {
                    0 => String::new(),
                    bytes => format!(", {bytes} stray bytes skipped"),
                };
                (SourceState::Running, format!("{source}, over {transport} from {from}{stray}"))
            }
            (State::Waiting { why, wait }, _) => {
                let wait = wait.as_secs_f32();
                let detail = format!("{source}: {why}; it is tried again after {wait:.1} s");
                (SourceState::Failed, detail)
            }
            (State::Connecting, Some(why)) => {
                (SourceState::Failed, format!("{source}: {why}; it is tried again now"))
            }
            (State::Connecting, None) => (SourceState::Connecting, source.to_string()),
        }
    }
}

fn refusal(stream: &str, why: &rtsp::Error) -> Refused {
    let code = match why.fault() {
        Fault::Refuses => ErrorCode::SourceRefuses,
        Fault::Silent => ErrorCode::SourceUnreachable,
    };
    Refused::new(code, format!("the source of {stream} sends nothing: {why}"))
}
