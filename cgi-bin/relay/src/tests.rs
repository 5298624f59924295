//! Every environment and every answer of the daemon gives a valid CGI answer.

#[path = "../tests/relay/reply.rs"]
mod reply;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;

use cgi::Environment;
use control::{ClientError, ErrorCode, LineError, Refused, Started, StreamList, StreamStatus, Via};
use proptest::prelude::*;
use proptest::sample::select;

use crate::answer::{Daemon, answer};
use reply::Reply;

/// A daemon that always gives the same answer.
#[derive(Debug)]
struct Says {
    text: String,
    code: Option<ErrorCode>,
    answers: bool,
    audio: bool,
    starts: u32,
}

impl Says {
    fn error(&self) -> Option<ClientError> {
        match self.code {
            _ if !self.answers => Some(LineError::CutOff.into()),
            Some(code) => Some(Refused::new(code, &*self.text).into()),
            None => None,
        }
    }
}

impl Daemon for Says {
    fn start(&mut self, _: &str, _: Option<IpAddr>) -> Result<Started, ClientError> {
        self.starts += 1;
        let (url, title) = (format!("rtsp://{}", self.text), Some(self.text.clone()));
        let audio = self.audio.then(|| format!("http://{}", self.text));
        let started = Started { url, via: Via::Edge, edge: None, state: None, title, audio };
        self.error().map_or(Ok(started), Err)
    }

    fn streams(&mut self, _: bool, _: usize, _: &str) -> Result<StreamList, ClientError> {
        let stream = |name: &str| StreamStatus {
            name: name.into(),
            title: Some(self.text.clone()),
            media: vec![self.text.clone()],
            on_air: [None, Some(true), Some(false)][self.text.len() % 3],
            ..StreamStatus::default()
        };
        let streams = vec![stream("news"), stream(&self.text)];
        self.error().map_or(Ok(StreamList { streams, page: None }), Err)
    }
}

fn daemons() -> impl Strategy<Value = Says> {
    let codes = select(vec![
        None,
        Some(ErrorCode::BadRequest),
        Some(ErrorCode::UnknownStream),
        Some(ErrorCode::NoConsent),
        Some(ErrorCode::EdgeUnreachable),
        Some(ErrorCode::NoEdge),
        Some(ErrorCode::SourceRefuses),
        Some(ErrorCode::SourceUnreachable),
        Some(ErrorCode::SourceStarting),
        Some(ErrorCode::Limit),
        Some(ErrorCode::Forbidden),
        Some(ErrorCode::Internal),
    ]);
    let text = prop_oneof![any::<String>(), "[a-z/.&'=-]{1,40}"];
    (text, prop_oneof![Just(None), codes], prop::bool::weighted(0.9), any::<bool>())
        .prop_map(|(text, code, answers, audio)| Says { text, code, answers, audio, starts: 0 })
}

/// Arbitrary bytes, and well-formed ones.
fn values() -> impl Strategy<Value = Vec<u8>> {
    let meant = select(vec![
        "GET",
        "HEAD",
        "POST",
        "/",
        "/news.smil",
        "/news.redirect",
        "/news.m3u",
        "/news",
        "stream=news",
        "stream=news&format=xspf",
        "stream=%6eews&format=",
        "/relay.cgi",
        "/relay.cgi/news.ASX",
        "10",
        "-1",
        "18446744073709551616",
        "HTTP/3.0",
        "INCLUDED",
        "/caf\u{e9} \"<",
        "f=<a>&%&=&&%00",
        "203.0.113.9",
        "fe80::1%eth0",
    ]);
    prop_oneof![
        3 => meant.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(1_u8.., 0..40),
        1 => "[ -~]{0,40}".prop_map(String::into_bytes),
        1 => Just(vec![b'a'; 64 * 1024]),
    ]
}

fn environments() -> impl Strategy<Value = BTreeMap<&'static str, Vec<u8>>> {
    let names = select(vec![
        "PATH_INFO",
        "QUERY_STRING",
        "SCRIPT_NAME",
        "REQUEST_URI",
        "REMOTE_ADDR",
        "CONTENT_LENGTH",
        "HTTP_TRANSFER_ENCODING",
        "DYNRELAY_SOCKET",
        "SERVER_PROTOCOL",
        "HTTP_REFERER",
        "HTTP_X\u{1}",
        "PATH_TRANSLATED",
    ]);
    let method =
        prop_oneof![4 => Just(b"GET".to_vec()), 2 => Just(b"HEAD".to_vec()), 1 => values()];
    (prop::collection::btree_map(names, values(), 0..6), prop::option::weighted(0.95, method))
        .prop_map(|(mut map, method)| {
            map.extend(method.map(|method| ("REQUEST_METHOD", method)));
            map
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn every_environment_has_an_answer(environment in environments(), mut daemon in daemons()) {
        let variable = |name: &str| environment.get(name).cloned().map(OsString::from_vec);
        let environment = Environment::new(variable);
        let mut log = Vec::new();
        let response = answer(&environment, &mut daemon, &mut log);
        let mut printed = Vec::new();
        cgi::print(&response, environment.is_head(), &mut printed).unwrap();
        let reply = Reply::parse(&printed).map_err(TestCaseError::fail)?;
        let statuses = [200, 302, 400, 403, 404, 405, 502, 503];
        prop_assert!(statuses.contains(&reply.status), "{reply:?}");
        prop_assert!(log.iter().filter(|byte| **byte == b'\n').count() <= 1);
        let get = environment.method == b"GET";
        prop_assert!(daemon.starts <= u32::from(get));
        prop_assert_eq!(reply.body.is_empty(), environment.is_head());
        prop_assert_eq!(reply.status == 405, !get && !environment.is_head());
        if get {
            prop_assert_eq!(reply.status == 302, reply.headers.contains_key("location"));
        }
        if reply.header("content-type").ends_with("xml") && get {
            prop_assert!(roxmltree::Document::parse(reply.text()).is_ok(), "{reply:?}");
        }
    }
}
