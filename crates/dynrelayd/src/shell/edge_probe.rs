//! Asks an edge whether it can be reached, and whether it has a stream: by a bare TCP connection, or,
//! with `consent = "describe"`, by an RTSP DESCRIBE.

use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use super::message::Message;
use crate::core::{EdgeAnswer, Input, Question};

/// How long a viewer waits for an edge to answer. relay.cgi waits for two seconds in all.
const PATIENCE: Duration = Duration::from_millis(1200);

/// Asks an edge, on a thread of its own. Returns the answer at once if that is not possible.
pub(crate) fn ask(question: Question, sender: Sender<Message>) -> Option<Input> {
    let asked = question.clone();
    let spawned = thread::Builder::new().name("edge-probe".into()).spawn(move || {
        let answer = put(&asked);
        // There is no receiver only while the daemon stops.
        let _ = sender.send(Message::Input(Input::EdgeAnswer { question: asked, answer }));
    });
    let error = spawned.err()?;
    let answer = EdgeAnswer::Unreachable(format!("can't ask it: {error}"));
    Some(Input::EdgeAnswer { question, answer })
}

/// Puts a question to its edge and waits for the answer.
fn put(question: &Question) -> EdgeAnswer {
    let answer = match question {
        Question::Connect(url) => rtsp::ask(url, rtsp::Question::Connect, PATIENCE),
        Question::Describe(url) => rtsp::ask(url, rtsp::Question::Describe, PATIENCE),
    };
    match answer {
        // An edge that wants a password or redirects has the stream, as far as a stranger can see.
        Ok(rtsp::Answer::Listens | rtsp::Answer::Status { code: 200..=399 | 401, .. }) => {
            EdgeAnswer::Yes
        }
        Ok(rtsp::Answer::Status { code, .. }) => EdgeAnswer::NoConsent(format!("RTSP {code}")),
        Err(error) => EdgeAnswer::Unreachable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// An edge that answers the first request with this.
    fn edge(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("rtsp://{}/news.sdp", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer.as_bytes());
        });
        url
    }

    #[test]
    fn a_described_stream_is_consent_and_a_missing_one_is_not() {
        for (status, consent) in [(200, true), (302, true), (401, true), (404, false)] {
            let url = edge(format!("RTSP/1.0 {status} x\r\nCSeq: 1\r\n\r\n").leak());
            let no = EdgeAnswer::NoConsent(format!("RTSP {status}"));
            assert_eq!(put(&Question::Describe(url)), if consent { EdgeAnswer::Yes } else { no });
        }
        let strange = put(&Question::Describe(edge("HTTP/1.1 200 OK\r\n\r\n")));
        assert!(matches!(strange, EdgeAnswer::Unreachable(_)), "{strange:?}");
    }
}
