//! The requests to a server, and the steps after its responses. No socket, no clock.

use std::sync::Arc;
use std::time::Duration;

use catalog::RtspSource;
use catalog::sdp::MediaFormat;

use crate::error::Error;
use crate::login::Login;
use crate::message::{self, Message};
use crate::offer::Offer;
use crate::transport::Way;
use crate::url::Url;

/// The life of a session without a keep-alive, unless the server names one (RFC 2326, 12.37).
const TIMEOUT: Duration = Duration::from_secs(60);
/// The longest and the shortest time between two keep-alives.
const SELDOM: Duration = Duration::from_secs(30);
const OFTEN: Duration = Duration::from_secs(1);
/// The most answers 401 to one request: a nonce may be stale, or a password wrong.
const CHALLENGES: u8 = 2;
/// The longest name of a session that is sent back, in bytes.
const LONGEST_SESSION: usize = 256;

/// One session with a server, from the first request to TEARDOWN.
///
/// One request is under way at a time, so any response answers it, whatever its CSeq. Only a late
/// answer to a keep-alive that was given up is told from it.
#[derive(Debug)]
pub(crate) struct Client {
    url: Url,
    login: Login,
    wanted: Vec<Arc<MediaFormat>>,
    /// The transport of each media: as requested, and after its SETUP as agreed.
    ways: Vec<Way>,
    cseq: u32,
    asked: Option<Asked>,
    /// CSeq of a keep-alive that got no answer before the next request.
    abandoned: Option<u32>,
    offer: Option<Offer>,
    session: Option<String>,
    /// SETUP was asked for, and has succeeded.
    negotiated: bool,
    set_up: bool,
    timeout: Duration,
    /// GET_PARAMETER if the server knows it, else OPTIONS.
    keep_alive: &'static str,
}

/// The request under way.
#[derive(Clone, Copy, Debug)]
struct Asked {
    step: Step,
    cseq: u32,
    challenges: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Options,
    Describe,
    Setup(usize),
    Play,
    KeepAlive,
    Teardown,
}

/// The step after a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send this request.
    Send(Vec<u8>),
    /// The server plays.
    Playing,
    /// The server redirects to another URL, if that can be read.
    Redirected(u16, Option<Url>),
    /// The server does not know the session that a keep-alive was for.
    Forgotten,
    /// TEARDOWN is answered.
    Over,
    /// None for now.
    Nothing,
}

impl Client {
    /// A session at `url` with the login of `source`. Each wanted media is asked for in its way.
    pub(crate) fn new(
        url: Url,
        source: &RtspSource,
        wanted: &[Arc<MediaFormat>],
        ways: Vec<Way>,
    ) -> Self {
        Self {
            url,
            login: Login::of(source),
            wanted: wanted.to_vec(),
            ways,
            cseq: 0,
            asked: None,
            abandoned: None,
            offer: None,
            session: None,
            negotiated: false,
            set_up: false,
            timeout: TIMEOUT,
            keep_alive: "OPTIONS",
        }
    }

    /// The first request.
    pub(crate) fn begin(&mut self) -> Result<Vec<u8>, Error> {
        self.ask(Step::Options, 0)
    }

    /// The method of the request that must be answered. A keep-alive need not be.
    pub(crate) fn awaits(&self) -> Option<&'static str> {
        let asked = self.asked.filter(|asked| asked.step != Step::KeepAlive)?;
        Some(self.method(asked.step))
    }

    /// Whether a transport was requested for a media.
    pub(crate) fn negotiated(&self) -> bool {
        self.negotiated
    }

    /// The time between two keep-alives: half of the session's time.
    pub(crate) fn interval(&self) -> Duration {
        (self.timeout / 2).clamp(OFTEN, SELDOM)
    }

    /// The agreed transport of each media.
    pub(crate) fn ways(&self) -> &[Way] {
        &self.ways
    }

    /// The RTP clock of each media in Hz, if it is known.
    pub(crate) fn clocks(&self) -> impl Iterator<Item = Option<u32>> {
        let tracks = self.offer.iter().flat_map(|offer| &offer.tracks);
        tracks.map(|track| track.clock)
    }

    /// A keep-alive; `None` while another request is under way. After one without an answer the
    /// next is OPTIONS, which every server knows.
    pub(crate) fn keep_alive(&mut self) -> Result<Option<Vec<u8>>, Error> {
        match self.asked {
            Some(Asked { step: Step::KeepAlive, .. }) => self.keep_alive = "OPTIONS",
            Some(_) => return Ok(None),
            None => {}
        }
        self.ask(Step::KeepAlive, 0).map(Some)
    }

    /// TEARDOWN; `None` if nothing was set up.
    pub(crate) fn end(&mut self) -> Result<Option<Vec<u8>>, Error> {
        self.set_up.then(|| self.ask(Step::Teardown, 0)).transpose()
    }

    /// Handles a response with this status.
    pub(crate) fn take(&mut self, code: u16, response: &Message) -> Result<Next, Error> {
        let cseq = response.header("CSeq").and_then(|text| text.parse().ok());
        if self.abandoned.take_if(|abandoned| Some(*abandoned) == cseq).is_some() {
            return Ok(Next::Nothing);
        }
        // After a status below 200, another response to the same request follows (RFC 2326, 7.1.1).
        let Some(asked) = self.asked.take_if(|_| code >= 200) else {
            return Ok(Next::Nothing);
        };
        self.note_session(response);
        match (asked.step, code) {
            (Step::KeepAlive, 401) => Ok(self.convince(asked, response).unwrap_or(Next::Nothing)),
            (_, 401) => self.convince(asked, response),
            (Step::Teardown, _) => Ok(Next::Over),
            (Step::Options, _) => {
                let mut methods = response.headers("Public").flat_map(|text| text.split(','));
                if methods.any(|method| method.trim() == "GET_PARAMETER") {
                    self.keep_alive = "GET_PARAMETER";
                }
                self.ask(Step::Describe, 0).map(Next::Send)
            }
            (Step::KeepAlive, 454) => Ok(Next::Forgotten),
            (Step::KeepAlive, 200..=299) => Ok(Next::Nothing),
            (Step::KeepAlive, _) => {
                self.keep_alive = "OPTIONS";
                Ok(Next::Nothing)
            }
            (step, 200..=299) => self.proceed(step, response),
            (_, 300..=399) => {
                Ok(Next::Redirected(code, response.header("Location").and_then(Url::parse)))
            }
            (step, code) => Err(Error::Refused { method: self.method(step), code }),
        }
    }

    /// Answers a challenge, if that may help.
    fn convince(&mut self, asked: Asked, response: &Message) -> Result<Next, Error> {
        if asked.challenges >= CHALLENGES {
            return Err(Error::WrongPassword);
        }
        let challenges: Vec<&str> = response.headers("WWW-Authenticate").collect();
        self.login.challenged(&challenges.join(", "))?;
        self.ask(asked.step, asked.challenges + 1).map(Next::Send)
    }

    /// The step after a request has succeeded.
    fn proceed(&mut self, step: Step, response: &Message) -> Result<Next, Error> {
        match step {
            Step::Describe => {
                let bases = ["Content-Base", "Content-Location"].into_iter();
                let base = bases.filter_map(|name| response.header(name)).find_map(Url::parse);
                let base = base.unwrap_or_else(|| self.url.clone());
                self.offer = Some(Offer::read(&response.body, &base, &self.wanted)?);
                self.ask(Step::Setup(0), 0).map(Next::Send)
            }
            Step::Setup(index) => {
                self.set_up = true;
                self.agree(index, response)?;
                let next = index + 1;
                let step = if next < self.ways.len() { Step::Setup(next) } else { Step::Play };
                self.ask(step, 0).map(Next::Send)
            }
            Step::Play => Ok(Next::Playing),
            Step::Options | Step::KeepAlive | Step::Teardown => Ok(Next::Nothing),
        }
    }

    /// The session's name and time-out may come with any response, or never.
    fn note_session(&mut self, response: &Message) {
        let Some(text) = response.header("Session") else { return };
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let plain = name.bytes().all(|byte| byte.is_ascii_graphic());
        if plain && (1..=LONGEST_SESSION).contains(&name.len()) {
            self.session = Some(name.to_owned());
        }
        let timeout = parts.find_map(|part| part.strip_prefix("timeout="));
        if let Some(seconds) = timeout.and_then(|text| text.parse().ok()).filter(|&s: &u32| s > 0) {
            self.timeout = Duration::from_secs(seconds.into());
        }
    }

    fn agree(&mut self, index: usize, response: &Message) -> Result<(), Error> {
        let transport = response.header("Transport").filter(|text| !text.is_empty());
        if let (Some(way), Some(text)) = (self.ways.get_mut(index), transport) {
            let bad = Error::BadAnswer { method: "SETUP", what: "names another transport" };
            *way = way.agreed(text).ok_or(bad)?;
        }
        Ok(())
    }

    fn method(&self, step: Step) -> &'static str {
        match step {
            Step::Options => "OPTIONS",
            Step::Describe => "DESCRIBE",
            Step::Setup(_) => "SETUP",
            Step::Play => "PLAY",
            Step::KeepAlive => self.keep_alive,
            Step::Teardown => "TEARDOWN",
        }
    }

    /// The request of a step, to be sent.
    fn ask(&mut self, step: Step, challenges: u8) -> Result<Vec<u8>, Error> {
        let offer = self.offer.as_ref();
        let track = |index: usize| offer.and_then(|offer| offer.tracks.get(index));
        let url = match step {
            Step::Options | Step::Describe => None,
            Step::Setup(index) => track(index).map(|track| &track.url),
            Step::Play | Step::KeepAlive | Step::Teardown => offer.map(|offer| &offer.all),
        };
        let (url, method) = (url.unwrap_or(&self.url).as_str(), self.method(step));
        let transport = match step {
            Step::Setup(index) => self.ways.get(index).map(Way::header),
            _ => None,
        };
        let authorization = self.login.header(method, url)?;
        let headers: Vec<(&str, &str)> = [
            ("Accept", (step == Step::Describe).then_some("application/sdp")),
            ("Transport", transport.as_deref()),
            ("Range", (step == Step::Play).then_some("npt=0.000-")),
            ("Session", self.session.as_deref()),
            ("Authorization", authorization.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        self.cseq += 1;
        self.negotiated |= matches!(step, Step::Setup(_));
        let cseq = self.cseq;
        let before = self.asked.replace(Asked { step, cseq, challenges });
        self.abandoned = before.map(|before| before.cseq);
        Ok(message::request(method, url, cseq, &headers))
    }
}
