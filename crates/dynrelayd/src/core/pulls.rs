//! The streams that are pulled from an RTSP server, each while it is needed.
//!
//! A pull is a thread of the crate `rtsp`. It hands the packets to sockets of this host's own
//! loopback, where the data plane takes them like those of any other source: so one pull serves all
//! relays of its stream, and no server holds up more than that thread.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use catalog::{Catalog, RtspSource, Stream};
use model::SourceState;
use rtsp::{Order, Outlet, Pull, State, Transport};
use tracing::{info, warn};

use crate::core::input::{Input, Post};

/// How long a stream is still pulled for a viewer who was told to ask again.
const LINGER: Duration = Duration::from_secs(20);
/// How long a daemon that stops waits until the servers have heard of it.
const LEAVING: Duration = Duration::from_millis(1500);

/// What a pull tells of itself.
#[derive(Debug)]
pub(crate) struct Told {
    stream: String,
    /// Of several pulls of a stream, one after the other, which.
    id: u64,
    state: State,
}

/// The pulls that run, by stream.
#[derive(Debug)]
pub(crate) struct Pulls {
    post: Post,
    running: BTreeMap<String, Pulling>,
    next_id: u64,
    /// The streams that did not come over UDP.
    by_tcp: HashSet<String>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Pulling {
    id: u64,
    /// Ends with this.
    pull: Pull,
    order: Order,
    /// The outlets' own sockets, until the data plane opens them.
    reserved: Vec<UdpSocket>,
    pub(crate) state: State,
    /// Why it failed, if it did since it played last.
    pub(crate) fault: Option<rtsp::Error>,
    /// A viewer was told to ask again, and may do so until then.
    asked: Option<Instant>,
}

impl Pulling {
    /// Whether it may go on with this source. One that plays does while the server is the same, and
    /// has not the stream from here by now.
    fn suits(&self, source: &RtspSource) -> bool {
        match self.state {
            State::Playing { from, .. } => {
                self.order.source.asks_like(source) && !source.is_fed_by_us(from.ip(), source.url())
            }
            State::Connecting | State::Waiting { .. } => self.order.source == *source,
        }
    }
}

impl Pulls {
    /// None yet; what they tell will come to `post`.
    pub(crate) fn new(post: Post) -> Self {
        Self { post, running: BTreeMap::new(), next_id: 1, by_tcp: HashSet::new() }
    }

    /// The pull of a stream, if it runs.
    pub(crate) fn of(&self, stream: &str) -> Option<&Pulling> {
        self.running.get(stream)
    }

    /// Whether none runs.
    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Sees to it that a stream is pulled from its source.
    pub(crate) fn need(&mut self, stream: &Stream, source: &RtspSource) -> io::Result<()> {
        let (name, medias) = (stream.name.as_str(), &stream.media);
        let known = self.running.get(name);
        if known
            .is_some_and(|running| running.suits(source) && running.order.medias[..] == medias[..])
        {
            return Ok(());
        }
        // Relays that run go on where they listen.
        let known = known.map(|running| &running.order);
        let kept = known.filter(|order| order.medias.len() == medias.len());
        let (outlets, reserved) = match kept {
            Some(order) => (order.outlets.clone(), Vec::new()),
            None => Outlet::reserve(medias.len())?,
        };
        let transport = match self.by_tcp.contains(name) {
            true => Transport::Tcp,
            false => Transport::Udp,
        };
        let (source, medias) = (source.clone(), medias.to_vec());
        self.start(name, Order { source, medias, outlets, transport }, reserved)
    }

    fn start(&mut self, stream: &str, order: Order, reserved: Vec<UdpSocket>) -> io::Result<()> {
        let id = self.next_id;
        self.next_id += 1;
        let (post, name) = (self.post.clone(), stream.to_owned());
        let pull = Pull::start(order.clone(), move |state| {
            // Nobody listens any more only when the daemon is stopping.
            let _ = post.send(Input::Pull(Told { stream: name.clone(), id, state }));
        })?;
        info!(name: "pull", stream, source = %order.source, "the stream is being pulled");
        let (state, fault, asked) = (State::Connecting, None, None);
        let pulling = Pulling { id, pull, order, reserved, state, fault, asked };
        self.running.insert(stream.to_owned(), pulling);
        Ok(())
    }

    /// Sees to it that a stream is pulled, if it has a source, and says where the data plane is to
    /// listen for it: RTP and RTCP of each media in turn. It opens these now.
    pub(crate) fn sources(
        &mut self,
        catalog: &Catalog,
        stream: &str,
    ) -> io::Result<Vec<SocketAddr>> {
        if let Some(stream) = catalog.stream(stream)
            && let Some(source) = &stream.source
        {
            self.need(stream, source)?;
        }
        let Some(running) = self.running.get_mut(stream) else { return Ok(Vec::new()) };
        running.reserved.clear();
        running.asked = None;
        let outlets = running.order.outlets.iter();
        Ok(outlets.flat_map(|outlet| [outlet.rtp, outlet.rtcp]).collect())
    }

    /// A viewer of this stream is told to ask again.
    pub(crate) fn keep(&mut self, stream: &str, now: Instant) {
        if let Some(running) = self.running.get_mut(stream) {
            running.asked = Some(now + LINGER);
        }
    }

    /// Notes what a pull tells; false if nothing is new.
    pub(crate) fn learn(&mut self, told: Told) -> bool {
        let Told { stream, id, state } = told;
        let running = self.running.get_mut(&stream).filter(|running| running.id == id);
        let Some(running) = running else { return false };
        let source = &running.order.source;
        match &state {
            State::Connecting => {}
            State::Playing { transport, from } => {
                info!(
                    name: "pull-plays", stream, %source, %transport, %from,
                    "the stream comes over {transport}"
                );
                running.fault = None;
                if *transport == Transport::Tcp {
                    self.by_tcp.insert(stream);
                } else {
                    self.by_tcp.remove(&stream);
                }
            }
            State::Waiting { why, .. } => {
                // It is tried every few seconds: the same again is no news.
                if running.fault.as_ref() != Some(why) {
                    warn!(
                        name: "pull-failed", stream, %source,
                        "the stream can't be pulled, trying again: {why}"
                    );
                    running.fault = Some(why.clone());
                }
            }
        }
        running.state = state;
        true
    }

    /// Ends the pulls that nobody needs any more.
    pub(crate) fn end_unneeded(&mut self, now: Instant, needed: impl Fn(&str) -> bool) {
        self.running.retain(|stream, running| {
            let goes_on = needed(stream) || running.asked.is_some_and(|until| now < until);
            if !goes_on {
                info!(name: "pull-ended", stream, "the stream is no longer pulled: nobody needs \
                    it");
            }
            goes_on
        });
    }

    /// How the pull of a stream goes, in the protocol's words, and what there is to say of it.
    pub(crate) fn tell(&self, stream: &str, source: &RtspSource) -> (SourceState, Option<String>) {
        let Some(running) = self.running.get(stream) else {
            return (SourceState::Idle, Some(source.to_string()));
        };
        match (&running.state, &running.fault) {
            (State::Playing { transport, from }, _) => {
                (SourceState::Running, Some(format!("{source}, over {transport} from {from}")))
            }
            (State::Waiting { why, wait }, _) => {
                let wait = wait.as_secs_f32();
                (
                    SourceState::Failed,
                    Some(format!("{source}: {why}; it is tried again after {wait:.1} s")),
                )
            }
            (State::Connecting, Some(why)) => {
                (SourceState::Failed, Some(format!("{source}: {why}; it is tried again now")))
            }
            (State::Connecting, None) => (SourceState::Connecting, Some(source.to_string())),
        }
    }

    /// Brings those that run into line with a new catalogue: their sources may be others.
    pub(crate) fn reorder(&mut self, catalog: &Catalog) {
        let running: Vec<String> = self.running.keys().cloned().collect();
        for name in running {
            let stream = catalog.stream(&name);
            let Some((stream, source)) = stream.and_then(|one| Some((one, one.source.as_ref()?)))
            else {
                self.running.remove(&name);
                continue;
            };
            let known = self.running.get(&name);
            let same = known.is_some_and(|running| running.order.source.asks_like(source));
            if !same {
                self.by_tcp.remove(&name);
            }
            if let Err(error) = self.need(stream, source) {
                warn!(name: "pull-failed", stream = name, %error, "the stream can't be pulled");
                self.running.remove(&name);
            }
        }
    }

    /// Ends all, and waits a moment until the servers know.
    pub(crate) fn end_all(&mut self) {
        let until = Instant::now() + LEAVING;
        let ending = std::mem::take(&mut self.running).into_values().map(|one| one.pull);
        // Each is told before any is waited for.
        for ended in ending.map(Pull::ending).collect::<Vec<_>>() {
            ended.wait(until.saturating_duration_since(Instant::now()));
        }
    }
}
