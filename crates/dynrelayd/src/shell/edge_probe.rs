//! Whether an edge can be reached, and whether it has the stream.
//!
//! An edge is asked before a viewer is sent to it: by a bare TCP connection, or, where the
//! catalogue says `consent = "describe"`, by an RTSP DESCRIBE. What was learned holds for a while,
//! so that a crowd costs one question.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

use rtsp_types::{Message, Method, Request, Url, Version, headers};

use crate::core::input::{Input, Post};

/// How long a viewer waits for an edge to answer. relay.cgi waits two seconds in all.
const PATIENCE: Duration = Duration::from_millis(1200);
/// How long an answer holds.
const HOLDS: Duration = Duration::from_secs(10);
/// How long a DESCRIBE's answer holds: asking costs the edge more.
const CONSENT_HOLDS: Duration = Duration::from_secs(60);
/// How many questions are asked at a time, each on a thread of its own; the others wait their turn.
const AT_A_TIME: usize = 32;
/// The default port of RTSP (RFC 2326).
const RTSP_PORT: u16 = 554;
/// The longest answer to a DESCRIBE that is read, in bytes.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// What an edge is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// Is anybody listening at this URL's host and port?
    Connect(String),
    /// Is this URL there?
    Describe(String),
}

/// What it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is there.
    Yes,
    /// The server is there and says no: an RTSP status.
    NoConsent(String),
    /// Nobody is there, for this reason.
    Unreachable(String),
}

/// A question with its answer.
#[derive(Debug)]
pub(crate) struct Verdict {
    question: Question,
    answer: Answer,
}

/// What is known of the edges.
#[derive(Debug)]
pub(crate) struct Reach {
    post: Post,
    known: HashMap<Question, Known>,
}

#[derive(Debug)]
enum Known {
    Asking,
    Answered { answer: Answer, until: Instant },
}

impl Reach {
    /// Knows nothing yet; answers will come to `post`.
    pub(crate) fn new(post: Post) -> Self {
        Self { post, known: HashMap::new() }
    }

    /// The answer if it is known; else `None`, and a [`Verdict`] will come.
    pub(crate) fn ask(&mut self, question: &Question, now: Instant) -> Option<Answer> {
        match self.known.get(question) {
            Some(Known::Answered { answer, until }) if now < *until => return Some(answer.clone()),
            Some(Known::Asking) => return None,
            // Who waits asks again when any answer comes.
            _ if self.asking() >= AT_A_TIME => return None,
            _ => {}
        }
        self.known
            .retain(|_, known| !matches!(known, Known::Answered { until, .. } if *until <= now));
        let (asked, post) = (question.clone(), self.post.clone());
        let asking = thread::Builder::new().name("reach".into()).spawn(move || {
            let answer = put(&asked);
            // Nobody listens any more only when the daemon is stopping.
            let _ = post.send(Input::Reach(Verdict { question: asked, answer }));
        });
        match asking {
            Ok(_) => {
                self.known.insert(question.clone(), Known::Asking);
                None
            }
            Err(error) => Some(Answer::Unreachable(format!("can't ask it: {error}"))),
        }
    }

    fn asking(&self) -> usize {
        self.known.values().filter(|known| matches!(known, Known::Asking)).count()
    }

    /// Notes an answer.
    pub(crate) fn learn(&mut self, verdict: Verdict, now: Instant) {
        let holds = match (&verdict.question, &verdict.answer) {
            (Question::Describe(_), Answer::Yes) => CONSENT_HOLDS,
            _ => HOLDS,
        };
        let known = Known::Answered { answer: verdict.answer, until: now + holds };
        self.known.insert(verdict.question, known);
    }
}

/// Puts a question to its edge and waits for the answer.
fn put(question: &Question) -> Answer {
    let deadline = Instant::now() + PATIENCE;
    let (Question::Connect(text) | Question::Describe(text)) = question;
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return Answer::Unreachable(format!("{text}: {error}")),
    };
    let stream = match connect(&url, deadline) {
        Ok(stream) => stream,
        Err(error) => return Answer::Unreachable(error.to_string()),
    };
    // Over TLS there is no asking here; that somebody listens has to do.
    if matches!(question, Question::Connect(_)) || url.scheme() == "rtsps" {
        return Answer::Yes;
    }
    match describe(stream, url, deadline) {
        Ok(answer) => answer,
        Err(error) => Answer::Unreachable(error.to_string()),
    }
}

/// The time that is left, never zero (which would mean for ever).
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

fn connect(url: &Url, deadline: Instant) -> io::Result<TcpStream> {
    let nowhere = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let host = url.host_str().ok_or_else(nowhere)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut last = nowhere();
    for address in (host, url.port().unwrap_or(RTSP_PORT)).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Sends a DESCRIBE (RFC 2326, 10.2) and reads the status of the response.
fn describe(mut stream: TcpStream, url: Url, deadline: Instant) -> io::Result<Answer> {
    let request = Request::builder(Method::Describe, Version::V1_0)
        .request_uri(url)
        .header(headers::CSEQ, "1")
        .header(headers::ACCEPT, "application/sdp")
        .header(headers::USER_AGENT, concat!("dynrelay/", env!("CARGO_PKG_VERSION")))
        .empty();
    let mut bytes = Vec::new();
    request.write(&mut bytes).map_err(io::Error::other)?;
    stream.set_write_timeout(Some(left(deadline)))?;
    stream.write_all(&bytes)?;

    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while Instant::now() < deadline && (answer.len() as u64) < LONGEST_ANSWER {
        stream.set_read_timeout(Some(left(deadline)))?;
        let read = stream.read(&mut piece)?;
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&piece[..read]);
        if let Ok((Message::Response(response), _)) = Message::<Vec<u8>>::parse(&answer) {
            return Ok(judge(response.status()));
        }
    }
    Err(io::Error::other("it sent no RTSP response"))
}

/// What a status means for consent. A server that wants a password, or sends us elsewhere, has the
/// stream, as far as a stranger can see.
fn judge(status: rtsp_types::StatusCode) -> Answer {
    let code = u16::from(status);
    match code {
        200..=399 | 401 => Answer::Yes,
        _ => Answer::NoConsent(format!("RTSP {code}")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc;

    use super::*;

    /// A server that answers the first DESCRIBE with this, in small pieces.
    fn edge(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("rtsp://{}/news.sdp", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            assert!(request[..read].starts_with(b"DESCRIBE rtsp://127.0.0.1:"));
            for piece in answer.as_bytes().chunks(7) {
                stream.write_all(piece).unwrap();
            }
        });
        url
    }

    #[test]
    fn a_described_stream_is_consent_and_a_missing_one_is_not() {
        let there = edge("RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 5\r\n\r\nv=0\r\n");
        assert_eq!(put(&Question::Describe(there)), Answer::Yes);
        let missing = edge("RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n");
        assert_eq!(put(&Question::Describe(missing)), Answer::NoConsent("RTSP 404".into()));
        let locked = edge("RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n\r\n");
        assert_eq!(put(&Question::Describe(locked)), Answer::Yes);
    }

    #[test]
    fn what_speaks_no_rtsp_is_unreachable() {
        for nonsense in ["", "HTTP/1.1 200 OK\r\n\r\n", "RTSP/1.0 2"] {
            let answer = put(&Question::Describe(edge(nonsense)));
            assert!(matches!(answer, Answer::Unreachable(_)), "{nonsense}: {answer:?}");
        }
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let answer = put(&Question::Connect(format!("rtsp://{gone}")));
        assert!(matches!(answer, Answer::Unreachable(_)), "{answer:?}");
    }

    #[test]
    fn only_so_many_questions_are_asked_at_a_time() {
        let (post, inbox) = mpsc::channel();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let question = |stream| Question::Describe(format!("rtsp://{at}/{stream}.sdp"));
        let (mut reach, now) = (Reach::new(post), Instant::now());
        assert!((0..100).all(|stream| reach.ask(&question(stream), now).is_none()));
        assert_eq!(reach.asking(), AT_A_TIME);
        drop(listener);
        let Input::Reach(verdict) = inbox.recv().unwrap() else { panic!("no verdict") };
        reach.learn(verdict, now);
        assert!(reach.ask(&question(100), now).is_none());
        assert_eq!(reach.asking(), AT_A_TIME);
    }

    #[test]
    fn an_answer_holds_for_a_while_and_a_crowd_asks_once() {
        let (post, inbox) = mpsc::channel();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let question = Question::Connect(format!("rtsp://{}", listener.local_addr().unwrap()));
        let (mut reach, now) = (Reach::new(post), Instant::now());
        assert!((0..100).all(|_| reach.ask(&question, now).is_none()));
        let Input::Reach(verdict) = inbox.recv().unwrap() else { panic!("no verdict") };
        assert!(inbox.try_recv().is_err());
        reach.learn(verdict, now);
        assert_eq!(reach.ask(&question, now), Some(Answer::Yes));
        assert_eq!(reach.ask(&question, now + HOLDS), None);
    }
}
