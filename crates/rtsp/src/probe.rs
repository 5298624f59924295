//! One question to an RTSP server: does it listen, what are its options, does it have the stream?

use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::error::Error;
use crate::message::{self, Start};
use crate::reader::{Item, Reader};
use crate::url::Url;

/// A question to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// Does the server accept a connection?
    Connect,
    /// OPTIONS: opens no port of any server.
    Options,
    /// DESCRIBE: opens the ports of a Darwin Streaming Server for good.
    Describe,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The server takes connections. Over TLS that answers every question.
    Listens,
    /// It responded.
    Status {
        /// The RTSP status.
        code: u16,
        /// The name in its `Server` header.
        server: Option<String>,
    },
}

/// Asks the server at an `rtsp` or `rtsps` URL, and waits so long for the answer.
pub fn ask(url: &str, question: Question, patience: Duration) -> Result<Answer, Error> {
    let deadline = Instant::now() + patience;
    let url = Url::parse(url).ok_or(Error::NoUrl)?;
    let mut connection = Connection::open(&url, deadline)?;
    let (method, headers): (_, &[_]) = match question {
        Question::Connect => return Ok(Answer::Listens),
        _ if url.tls => return Ok(Answer::Listens),
        Question::Options => ("OPTIONS", &[]),
        Question::Describe => ("DESCRIBE", &[("Accept", "application/sdp")]),
    };
    connection.write(&message::request(method, url.as_str(), 1, headers), deadline)?;
    let mut reader = Reader::default();
    loop {
        while let Some(item) = reader.next()? {
            if let Item::Message(message) = item
                && let Start::Response(code @ 200..) = message.start
            {
                let server = message.header("Server").map(str::to_owned);
                return Ok(Answer::Status { code, server });
            }
        }
        if !connection.read(&mut reader, deadline)? {
            return Err(Error::NoAnswer { method, patience });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// The answer of a server that says this, however it is asked.
    fn put(question: Question, says: &'static str) -> Result<Answer, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("rtsp://{}/news", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(says.as_bytes());
        });
        ask(&url, question, PATIENCE)
    }

    #[test]
    fn a_server_answers_with_its_status_and_name() {
        for (says, code, name) in [
            ("RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: DSS/6.0.3\r\n\r\n", 200, Some("DSS/6.0.3")),
            ("RTSP/1.0 100 Go on\r\n\r\nRTSP/1.0 404\nServer:x\n\n", 404, Some("x")),
            ("RTSP/1.0 401 No\r\nCSeq: 0\r\nContent-Length: 3\r\n\r\nv=0", 401, None),
        ] {
            let server = name.map(str::to_owned);
            let status = Answer::Status { code, server };
            assert_eq!(put(Question::Options, says).unwrap(), status);
            assert_eq!(put(Question::Describe, says).unwrap(), status);
            assert_eq!(put(Question::Connect, says).unwrap(), Answer::Listens);
        }
    }

    #[test]
    fn a_server_that_speaks_no_rtsp_is_an_error() {
        let unread = put(Question::Options, "HTTP/1.1 200 OK\r\n\r\n").unwrap_err();
        assert_eq!(unread.to_string(), "it sends invalid data: it does not speak RTSP");
        for nothing in ["", "RTSP/1.0 2"] {
            assert_eq!(put(Question::Describe, nothing), Err(Error::HungUp { why: None }));
        }
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = ask(&format!("rtsp://{gone}"), Question::Connect, PATIENCE);
        assert!(matches!(refused, Err(Error::Unreachable { .. })), "{refused:?}");
        assert_eq!(ask("dss2", Question::Connect, PATIENCE), Err(Error::NoUrl));
    }

    #[test]
    fn a_server_that_never_answers_is_given_up_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("rtsp://{}/news", listener.local_addr().unwrap());
        let patience = Duration::from_millis(50);
        let why = ask(&url, Question::Describe, patience);
        assert_eq!(why, Err(Error::NoAnswer { method: "DESCRIBE", patience }));
    }
}
