//! What is said to the server and what it answers, as a state machine: no sockets, no clock.

use std::sync::Arc;
use std::time::Duration;

use catalog::RtspSource;
use catalog::sdp::MediaFormat;
use rtsp_types::headers::{self, HeaderName, HeaderValue};
use rtsp_types::{Empty, Method, Request, Response, StatusCode, Url, Version};

use crate::error::Error;
use crate::login::Login;
use crate::offer::{Offer, without_login};
use crate::transport::{Transport, Way};

/// How long a session lives without a sign of life, unless the server says (RFC 2326, 12.37).
const TIMEOUT: Duration = Duration::from_secs(60);
/// A sign of life at least so often, and at most.
const OFTEN: Duration = Duration::from_secs(30);
const SELDOM: Duration = Duration::from_secs(1);
/// How often one request may be answered with 401: a nonce may be stale, a password may be wrong.
const CHALLENGES: u8 = 2;
/// The longest name of a session that is sent back, in bytes.
const LONGEST_SESSION: usize = 256;

/// One conversation with a server, from the first request to TEARDOWN.
#[derive(Debug)]
pub(crate) struct Dialogue {
    url: Url,
    login: Login,
    wanted: Vec<Arc<MediaFormat>>,
    /// How each wanted media shall come, and from its SETUP on how it will.
    ways: Vec<Way>,
    cseq: u32,
    asked: Option<Asked>,
    offer: Option<Offer>,
    session: Option<String>,
    timeout: Duration,
    /// GET_PARAMETER, where the server knows it, else OPTIONS.
    sign: Method,
}

/// The request that waits for its answer.
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
    SignOfLife,
    Teardown,
}

/// What an answer leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send this.
    Ask(Vec<u8>),
    /// The server plays.
    Plays,
    /// It was told to look elsewhere.
    Redirected(u16, Option<Url>),
    /// The session is taken down.
    Over,
    /// Nothing, for now.
    Nothing,
}

impl Dialogue {
    /// A conversation at `url` about this source. Each wanted media shall come in its own way.
    pub(crate) fn new(
        url: Url,
        source: &RtspSource,
        wanted: &[Arc<MediaFormat>],
        ways: Vec<Way>,
    ) -> Self {
        Self {
            url: without_login(url),
            login: Login::of(source),
            wanted: wanted.to_vec(),
            ways,
            cseq: 0,
            asked: None,
            offer: None,
            session: None,
            timeout: TIMEOUT,
            sign: Method::Options,
        }
    }

    /// The first thing to say.
    pub(crate) fn begin(&mut self) -> Result<Vec<u8>, Error> {
        self.ask(Step::Options, 0)
    }

    /// The request that is not answered yet, by its method.
    pub(crate) fn awaits(&self) -> Option<&'static str> {
        self.asked.map(|asked| self.method(asked.step))
    }

    /// How long after a sign of life the next one is due: half of the session's time.
    pub(crate) fn rhythm(&self) -> Duration {
        (self.timeout / 2).clamp(SELDOM, OFTEN)
    }

    /// How each media comes, and its RTP clock, once the server plays.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = (Way, Option<u32>)> {
        let tracks = self.offer.iter().flat_map(|offer| &offer.tracks);
        self.ways.iter().copied().zip(tracks.map(|track| track.clock))
    }

    /// A sign of life; none while another answer is awaited.
    pub(crate) fn sign_of_life(&mut self) -> Result<Option<Vec<u8>>, Error> {
        match self.asked {
            Some(_) => Ok(None),
            None => self.ask(Step::SignOfLife, 0).map(Some),
        }
    }

    /// The last thing to say; none if there is no session to take down.
    pub(crate) fn end(&mut self) -> Result<Option<Vec<u8>>, Error> {
        match self.session {
            Some(_) => self.ask(Step::Teardown, 0).map(Some),
            None => Ok(None),
        }
    }

    /// Takes an answer in.
    pub(crate) fn hear(&mut self, response: &Response<Vec<u8>>) -> Result<Next, Error> {
        let cseq = header(response, &headers::CSEQ).and_then(|cseq| cseq.trim().parse().ok());
        // One that names no request is taken for the one that is awaited: some servers are so.
        let Some(asked) =
            self.asked.take_if(|asked| cseq.is_none_or(|cseq: u32| cseq == asked.cseq))
        else {
            return Ok(Next::Nothing);
        };
        let code = u16::from(response.status());
        match (asked.step, code) {
            (step, 401) => self.convince(step, asked.challenges, response),
            (Step::Teardown, _) => Ok(Next::Over),
            (Step::Options, _) => {
                self.learn_methods(response);
                self.ask(Step::Describe, 0).map(Next::Ask)
            }
            (Step::SignOfLife, 454) => Err(Error::SessionOver),
            (Step::SignOfLife, 200..=299) => Ok(Next::Nothing),
            (Step::SignOfLife, _) => {
                // It doesn't like that one, so it will get the other.
                self.sign = Method::Options;
                Ok(Next::Nothing)
            }
            (step, 200..=299) => self.go_on(step, response),
            (_, 300..=399) => {
                let location = header(response, &headers::LOCATION);
                Ok(Next::Redirected(code, location.and_then(|text| Url::parse(text).ok())))
            }
            (Step::Setup(_), 461) if self.transport() == Transport::Udp => Err(Error::RefusesUdp),
            (step, code) => Err(Error::Refused { method: self.method(step), code }),
        }
    }

    /// What to say to a request of the server's own. It is not served, and that is said.
    pub(crate) fn decline(request: &Request<Vec<u8>>) -> Vec<u8> {
        let status = match request.method() {
            Method::Options | Method::GetParameter | Method::SetParameter => StatusCode::Ok,
            _ => StatusCode::NotImplemented,
        };
        let mut response = Response::builder(Version::V1_0, status);
        if let Some(cseq) = request.header(&headers::CSEQ) {
            response = response.header(headers::CSEQ, cseq.as_str());
        }
        let mut bytes = Vec::new();
        // Writing to memory doesn't fail.
        let _ = response.empty().write(&mut bytes);
        bytes
    }

    fn transport(&self) -> Transport {
        match self.ways.first() {
            Some(Way::Channels { .. }) => Transport::Tcp,
            _ => Transport::Udp,
        }
    }

    /// Answers a challenge, if it may help.
    fn convince(
        &mut self,
        step: Step,
        challenges: u8,
        response: &Response<Vec<u8>>,
    ) -> Result<Next, Error> {
        if challenges >= CHALLENGES {
            return Err(Error::WrongPassword);
        }
        self.login.challenged(header(response, &headers::WWW_AUTHENTICATE))?;
        self.ask(step, challenges + 1).map(Next::Ask)
    }

    fn learn_methods(&mut self, response: &Response<Vec<u8>>) {
        let public = header(response, &headers::PUBLIC).unwrap_or_default();
        if public.split(',').any(|method| method.trim() == "GET_PARAMETER") {
            self.sign = Method::GetParameter;
        }
    }

    /// A request has succeeded: what comes next.
    fn go_on(&mut self, step: Step, response: &Response<Vec<u8>>) -> Result<Next, Error> {
        match step {
            Step::Describe => {
                let base = [headers::CONTENT_BASE, headers::CONTENT_LOCATION]
                    .iter()
                    .filter_map(|name| header(response, name))
                    .find_map(|text| Url::parse(text.trim()).ok().filter(Url::has_host));
                let base = base.map_or_else(|| self.url.clone(), without_login);
                self.offer = Some(Offer::read(response.body(), &base, &self.wanted)?);
                self.ask(Step::Setup(0), 0).map(Next::Ask)
            }
            Step::Setup(index) => {
                self.note_session(response)?;
                self.agree(index, response)?;
                let next = index + 1;
                let step = if next < self.ways.len() { Step::Setup(next) } else { Step::Play };
                self.ask(step, 0).map(Next::Ask)
            }
            Step::Play => Ok(Next::Plays),
            Step::Options | Step::SignOfLife | Step::Teardown => Ok(Next::Nothing),
        }
    }

    fn note_session(&mut self, response: &Response<Vec<u8>>) -> Result<(), Error> {
        let bad = |what| Error::BadAnswer { method: "SETUP", what };
        let Some(text) = header(response, &headers::SESSION) else {
            return self.session.as_ref().map(|_| ()).ok_or(bad("names no session"));
        };
        let mut parts = text.split(';').map(str::trim);
        let session = parts.next().unwrap_or_default();
        if !(1..=LONGEST_SESSION).contains(&session.len())
            || !session.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(bad("has no usable session name"));
        }
        let timeout = parts.find_map(|part| part.strip_prefix("timeout="));
        if let Some(seconds) = timeout.and_then(|text| text.parse().ok()).filter(|&s: &u32| s > 0) {
            self.timeout = Duration::from_secs(seconds.into());
        }
        self.session = Some(session.to_owned());
        Ok(())
    }

    fn agree(&mut self, index: usize, response: &Response<Vec<u8>>) -> Result<(), Error> {
        let transport = header(response, &headers::TRANSPORT);
        let agreed = self
            .ways
            .get(index)
            .and_then(|way| transport.map_or(Some(*way), |text| way.agreed(text)))
            .ok_or(Error::BadAnswer { method: "SETUP", what: "names another transport" })?;
        self.ways[index] = agreed;
        Ok(())
    }

    fn method(&self, step: Step) -> &'static str {
        match step {
            Step::Options => "OPTIONS",
            Step::Describe => "DESCRIBE",
            Step::Setup(_) => "SETUP",
            Step::Play => "PLAY",
            Step::SignOfLife if self.sign == Method::GetParameter => "GET_PARAMETER",
            Step::SignOfLife => "OPTIONS",
            Step::Teardown => "TEARDOWN",
        }
    }

    /// The request of a step, to be sent.
    fn ask(&mut self, step: Step, challenges: u8) -> Result<Vec<u8>, Error> {
        let whole = self.offer.as_ref().map(|offer| &offer.all);
        let url = match step {
            Step::Options | Step::Describe => Some(&self.url),
            Step::Setup(index) => self
                .offer
                .as_ref()
                .and_then(|offer| offer.tracks.get(index))
                .map(|track| &track.url),
            Step::Play | Step::SignOfLife | Step::Teardown => whole,
        };
        let url = url.unwrap_or(&self.url).clone();
        let name = self.method(step);
        self.cseq += 1;
        let mut request = Request::builder(Method::from(name), Version::V1_0)
            .header(headers::CSEQ, self.cseq.to_string())
            .header(headers::USER_AGENT, concat!("dynrelay/", env!("CARGO_PKG_VERSION")));
        request = match step {
            Step::Describe => request.header(headers::ACCEPT, "application/sdp"),
            Step::Setup(index) => {
                let way = self.ways.get(index).map(|way| way.header()).unwrap_or_default();
                request.header(headers::TRANSPORT, way)
            }
            Step::Play => request.header(headers::RANGE, "npt=0.000-"),
            Step::Options | Step::SignOfLife | Step::Teardown => request,
        };
        if let Some(session) = &self.session {
            request = request.header(headers::SESSION, session.as_str());
        }
        if let Some(proof) = self.login.header(name, url.as_str())? {
            request = request.header(headers::AUTHORIZATION, proof);
        }
        self.asked = Some(Asked { step, cseq: self.cseq, challenges });
        Ok(written(&request.request_uri(url).empty()))
    }
}

fn written(request: &Request<Empty>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory doesn't fail.
    let _ = request.write(&mut bytes);
    bytes
}

/// A header's value.
fn header<'a>(response: &'a Response<Vec<u8>>, name: &HeaderName) -> Option<&'a str> {
    response.header(name).map(HeaderValue::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::sdp::Session;
    use proptest::prelude::*;
    use rtsp_types::Message;

    const SDP: &str = "v=0\r\nm=video 0 RTP/AVP 96\r\na=control:track1\r\n";

    fn dialogue(way: Way) -> Dialogue {
        let source = RtspSource::try_from("rtsp://u:secret@cam/news".to_owned()).unwrap();
        let wanted = Session::parse(SDP.as_bytes()).unwrap().formats();
        Dialogue::new(Url::parse(source.url()).unwrap(), &source, &wanted, vec![way])
    }

    /// An answer, more often than not one that leads on.
    fn reply() -> impl Strategy<Value = String> {
        let status = "200|200|200|200|401|302|454|461|[1-9][0-9]{2}";
        let header = "(Session: |Transport: |WWW-Authenticate: |Location: |Content-Base: |Public: )\
            (abc;timeout=[0-9]{0,12}|RTP/AVP;unicast;server_port=[0-9]{1,6}(-[0-9]{1,6})?\
            |RTP/AVP/TCP;interleaved=[0-9]{1,3}-[0-9]{1,3}|Digest realm=\"x\", nonce=\"[0-9]\"\
            |rtsp://[a-z/:\\[\\]@]{0,9}|GET_PARAMETER|[ -~]{0,12})";
        let headers = prop::collection::vec(header, 0..4);
        let body = prop_oneof![Just(SDP.to_owned()), "[ -~\r\n]{0,20}"];
        let number = "1|2|3|4|5|6|[0-9]{0,11}";
        (status, headers, body, prop::option::weighted(0.2, number)).prop_map(
            |(status, headers, body, number)| {
                let number = number.map(|number| format!("CSeq: {number}\r\n")).unwrap_or_default();
                let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
                let length = body.len();
                format!(
                    "RTSP/1.0 {status} x\r\n{number}{headers}Content-Length: {length}\r\n\r\n{body}"
                )
            },
        )
    }

    proptest! {
        #[test]
        fn no_answers_make_it_panic_or_tell_the_password(
            replies in prop::collection::vec(reply(), 1..12),
            udp: bool,
        ) {
            let ports = Way::Ports { ours: 40_000, reports_to: None };
            let way = if udp { ports } else { Way::Channels { rtp: 0, rtcp: 1 } };
            let mut dialogue = dialogue(way);
            dialogue.begin().unwrap();
            for reply in &replies {
                let Ok((Message::Response(response), _)) = Message::parse(reply.as_bytes()) else {
                    continue;
                };
                match dialogue.hear(&response) {
                    Ok(Next::Ask(request)) => {
                        let request = String::from_utf8(request).unwrap();
                        prop_assert!(!request.contains("secret"), "{}", request);
                        prop_assert_eq!(request.matches("\r\n\r\n").count(), 1);
                    }
                    Ok(_) => {}
                    Err(error) => prop_assert!(!error.to_string().contains("secret")),
                }
                prop_assert!((SELDOM..=OFTEN).contains(&dialogue.rhythm()));
                let _ = (dialogue.sign_of_life(), dialogue.lanes().count());
            }
            let _ = dialogue.end();
        }
    }
}
