//! Fuzzes the environment of relay.cgi and the daemon's answer.
//!
//! The input is the variables in the order of `NAMES`, each ended by a NUL; then a number that
//! selects the kind of the daemon's answer, and the answer's words.
#![no_main]

#[path = "../../cgi-bin/relay/src/answer.rs"]
mod answer;
#[path = "../../cgi-bin/relay/src/page.rs"]
mod page;
#[path = "../../cgi-bin/relay/src/problem.rs"]
mod problem;
#[allow(dead_code)]
#[path = "../../cgi-bin/relay/tests/relay/reply.rs"]
mod reply;
#[path = "../../cgi-bin/relay/src/wanted.rs"]
mod wanted;

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;

use control::{ClientError, ErrorCode, Refused, Started, StreamList, StreamStatus, Via};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 8] = [
    "REQUEST_METHOD",
    "PATH_INFO",
    "QUERY_STRING",
    "SCRIPT_NAME",
    "REQUEST_URI",
    "REMOTE_ADDR",
    "CONTENT_LENGTH",
    "DYNRELAY_SOCKET",
];

const CODES: [ErrorCode; 11] = [
    ErrorCode::BadRequest,
    ErrorCode::UnknownStream,
    ErrorCode::NoConsent,
    ErrorCode::EdgeUnreachable,
    ErrorCode::NoEdge,
    ErrorCode::Limit,
    ErrorCode::Forbidden,
    ErrorCode::Internal,
    ErrorCode::SourceRefuses,
    ErrorCode::SourceUnreachable,
    ErrorCode::SourceStarting,
];

/// A daemon that always gives the same answer.
struct Says {
    text: String,
    code: Option<ErrorCode>,
}

impl Says {
    fn answer<T>(&self, answer: T) -> Result<T, ClientError> {
        self.code.map_or(Ok(answer), |code| Err(Refused::new(code, &*self.text).into()))
    }
}

impl answer::Daemon for Says {
    fn start(&mut self, stream: &str, _: Option<IpAddr>) -> Result<Started, ClientError> {
        assert!(stream.len() <= 64 && !stream.contains(['/', '<', '\n', '\0', '%']));
        let (url, title) = (format!("rtsp://{}", self.text), Some(self.text.clone()));
        let audio = Some(format!("http://{}", self.text));
        self.answer(Started { url, via: Via::Edge, edge: None, state: None, title, audio })
    }

    fn streams(&mut self, _: bool) -> Result<StreamList, ClientError> {
        let stream = StreamStatus {
            name: self.text.clone(),
            title: Some(self.text.clone()),
            media: vec![self.text.clone()],
            on_air: [None, Some(true), Some(false)][self.text.len() % 3],
            ..StreamStatus::default()
        };
        self.answer(StreamList { streams: vec![stream] })
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut values = bytes.splitn(NAMES.len() + 1, |byte| *byte == 0);
    let values: Vec<Vec<u8>> = (0..=NAMES.len())
        .map(|_| values.next().unwrap_or_default().to_vec())
        .collect();
    let (code, text) = values[NAMES.len()].split_first().unwrap_or((&0, &[]));
    let code = CODES.get(usize::from(*code)).copied();
    let mut daemon = Says { text: String::from_utf8_lossy(text).into_owned(), code };
    let environment = cgi::Environment::new(|name| {
        let at = NAMES.iter().position(|known| *known == name)?;
        Some(OsString::from_vec(values[at].clone()))
    });
    let (mut log, mut printed) = (Vec::new(), Vec::new());
    let response = answer::answer(&environment, &mut daemon, &mut log);
    cgi::print(&response, environment.is_head(), &mut printed).expect("it can be printed");
    let reply = reply::Reply::parse(&printed).expect("it is a CGI answer");
    assert!([200, 302, 400, 403, 404, 405, 502, 503].contains(&reply.status));
    assert!(log.iter().filter(|byte| **byte == b'\n').count() <= 1);
    assert!(!String::from_utf8_lossy(&log).trim_end().contains(char::is_control));
});
