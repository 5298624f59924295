//! Asks an edge whether it can be reached, and whether it has a stream: by a bare TCP connection, or,
//! with `consent = "describe"`, by an RTSP DESCRIBE.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use rtsp_types::{Message as Rtsp, Method, Request, Url, Version, headers};

use super::message::Message;
use crate::core::{EdgeAnswer, Input, Question};

/// How long a viewer waits for an edge to answer. relay.cgi waits for two seconds in all.
const PATIENCE: Duration = Duration::from_millis(1200);
/// The default port of RTSP (RFC 2326).
const RTSP_PORT: u16 = 554;
/// The longest answer to a DESCRIBE that is read, in bytes.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// Asks an edge, on a thread of its own. Returns the answer at once if that is not possible.
pub(crate) fn ask(question: Question, sender: Sender<Message>) -> Option<Input> {
    let asked = question.clone();
    let spawned = thread::Builder::new().name("edge-probe".into()).spawn(move || {
        let answer = put(&asked);
        // Nobody receives any more only when the daemon stops.
        let _ = sender.send(Message::Input(Input::EdgeAnswer { question: asked, answer }));
    });
    let error = spawned.err()?;
    let answer = EdgeAnswer::Unreachable(format!("can't ask it: {error}"));
    Some(Input::EdgeAnswer { question, answer })
}

/// Puts a question to its edge and waits for the answer.
fn put(question: &Question) -> EdgeAnswer {
    let deadline = Instant::now() + PATIENCE;
    let (Question::Connect(text) | Question::Describe(text)) = question;
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return EdgeAnswer::Unreachable(format!("{text}: {error}")),
    };
    let stream = match connect(&url, deadline) {
        Ok(stream) => stream,
        Err(error) => return EdgeAnswer::Unreachable(error.to_string()),
    };
    // Over TLS there is no asking here; that somebody listens has to do.
    if matches!(question, Question::Connect(_)) || url.scheme() == "rtsps" {
        return EdgeAnswer::Yes;
    }
    match describe(stream, url, deadline) {
        Ok(answer) => answer,
        Err(error) => EdgeAnswer::Unreachable(error.to_string()),
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
fn describe(mut stream: TcpStream, url: Url, deadline: Instant) -> io::Result<EdgeAnswer> {
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
        if let Ok((Rtsp::Response(response), _)) = Rtsp::<Vec<u8>>::parse(&answer) {
            return Ok(judge(response.status()));
        }
    }
    Err(io::Error::other("it sent no RTSP response"))
}

/// What a status means for consent. A server that wants a password, or sends us elsewhere, has the
/// stream, as far as a stranger can see.
fn judge(status: rtsp_types::StatusCode) -> EdgeAnswer {
    let code = u16::from(status);
    match code {
        200..=399 | 401 => EdgeAnswer::Yes,
        _ => EdgeAnswer::NoConsent(format!("RTSP {code}")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

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
        assert_eq!(put(&Question::Describe(there)), EdgeAnswer::Yes);
        let missing = edge("RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n");
        assert_eq!(put(&Question::Describe(missing)), EdgeAnswer::NoConsent("RTSP 404".into()));
        let locked = edge("RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n\r\n");
        assert_eq!(put(&Question::Describe(locked)), EdgeAnswer::Yes);
    }

    #[test]
    fn what_speaks_no_rtsp_is_unreachable() {
        for nonsense in ["", "HTTP/1.1 200 OK\r\n\r\n", "RTSP/1.0 2"] {
            let answer = put(&Question::Describe(edge(nonsense)));
            assert!(matches!(answer, EdgeAnswer::Unreachable(_)), "{nonsense}: {answer:?}");
        }
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let answer = put(&Question::Connect(format!("rtsp://{gone}")));
        assert!(matches!(answer, EdgeAnswer::Unreachable(_)), "{answer:?}");
    }
}
