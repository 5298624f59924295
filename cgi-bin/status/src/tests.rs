//! Every environment and every answer of the daemon gives a valid CGI answer with a well-formed
//! page.

#[path = "../../relay/tests/relay/reply.rs"]
mod reply;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use cgi::Environment;
use control::{
    ClientError, ErrorCode, FlowStatus, LineError, Origin, Pong, Refused, RelayDetail, RelayList,
    RelayShow, RelayStatus, StreamStatus,
};
use model::{CloseReason, SourceState, State};
use proptest::prelude::*;
use proptest::sample::select;

use crate::answer::answer;
use crate::daemon::{Daemon, Overview};
use reply::Reply;
use serde_json::{Value, json};

/// The daemon's answer in JSON. Irrelevant fields may be absent.
fn from<T: serde::de::DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

/// A daemon that always gives the same answer.
#[derive(Clone, Debug)]
struct Says {
    text: String,
    number: u64,
    code: Option<ErrorCode>,
    answers: bool,
}

impl Says {
    fn answer<T>(&self, answer: T) -> Result<T, ClientError> {
        match self.code {
            _ if !self.answers => Err(LineError::CutOff.into()),
            Some(code) => Err(Refused::new(code, &*self.text).into()),
            None => Ok(answer),
        }
    }

    fn relay(&self, state: State) -> RelayStatus {
        let Self { text, number, .. } = self;
        let bytes = [*number, 0, u64::MAX];
        from(json!({
            "stream": text, "edge": text, "state": state, "since": number, "started": number,
            "packets": number, "bytes": number, "rate": number, "refusals": number,
            "lost": number, "drops": number, "gaps": number, "viewers": u32::try_from(*number).ok(),
            "reason": (state == State::Closed).then_some(CloseReason::NoViewers),
            "rates": { "step": number % 20, "until": number, "bytes": bytes },
        }))
    }

    fn origin(&self) -> Origin {
        let replica = json!({
            "to": ["[2001:db8::1]:5004", "239.1.2.3:5006"], "since": 0,
            "state": SourceState::Failed, "detail": self.text,
        });
        from(json!({
            "kind": "rtsp", "state": SourceState::Running, "detail": self.text, "replicas": [replica],
        }))
    }

    fn list(&self) -> RelayList {
        let states = [State::Live, State::Starting, State::Closed, State::Closed];
        let mut relays: Vec<_> = states.into_iter().map(|state| self.relay(state)).collect();
        relays[1].edge.push('2');
        RelayList { rates: relays[0].rates.clone(), relays }
    }

    fn flow(&self) -> FlowStatus {
        let (socket, number) = ("[2001:db8::1]:5004", self.number);
        from(json!({
            "media": self.text, "kind": "rtp", "from": socket, "to": socket, "via": socket,
            "gate": "open", "packets": number, "bytes": number, "rate": number, "refusals": number,
            "lost": number, "reports": number, "drops": number, "gaps": number,
            "ssrc_changes": number, "idle_ms": number,
        }))
    }
}

impl Daemon for Says {
    fn overview(&mut self) -> Result<Overview, ClientError> {
        let stream = |on_air| StreamStatus {
            name: format!("{}{on_air:?}", self.text),
            title: Some(self.text.clone()),
            media: vec![self.text.clone()],
            edges: vec![self.text.clone()],
            relayed_to: vec![self.text.clone()],
            on_air,
            origin: Some(self.origin()),
        };
        let closed = BTreeMap::from([(CloseReason::NoViewers, self.number)]);
        let version = self.text.clone();
        self.answer(Overview {
            daemon: Pong { version, pid: 1, uptime: self.number, closed },
            relays: self.list(),
            streams: [None, Some(true), Some(false)].map(stream).to_vec(),
        })
    }

    fn relays(&mut self) -> Result<RelayList, ClientError> {
        self.answer(self.list())
    }

    fn show(&mut self, _: &str, _: &str) -> Result<RelayShow, ClientError> {
        let (reason, number) = (CloseReason::NoViewers, self.number);
        let detail = |state| RelayDetail {
            relay: self.relay(state),
            ..from(json!({
                "stream": "", "edge": "", "state": "live", "since": 0, "started": 0, "packets": 0,
                "bytes": 0, "rate": 0, "refusals": 0, "address": "198.51.100.7", "flows": [self.flow()],
                "closes": [
                    { "reason": reason, "refusals": 1 },
                    { "reason": reason, "seconds": number },
                    { "reason": reason, "silence": 9 },
                ],
            }))
        };
        let origin = Some(self.origin());
        self.answer(RelayShow { origin, relays: [State::Live, State::Closed].map(detail).to_vec() })
    }
}

fn daemons() -> impl Strategy<Value = Says> {
    let codes = select(vec![ErrorCode::UnknownStream, ErrorCode::Limit, ErrorCode::Internal]);
    // XML cannot contain control characters.
    let text = prop_oneof!["[^\\p{C}]{0,30}", "[<>&\"'\\\\/a-z]{1,12}"];
    let number = prop_oneof![0_u64..2000, any::<u64>()];
    (text, number, prop::option::weighted(0.1, codes), prop::bool::weighted(0.9))
        .prop_map(|(text, number, code, answers)| Says { text, number, code, answers })
}

fn environments() -> impl Strategy<Value = BTreeMap<&'static str, Vec<u8>>> {
    let names = select(vec!["QUERY_STRING", "SCRIPT_NAME", "SERVER_NAME", "HTTP_ACCEPT"]);
    let bytes = prop_oneof![
        prop::collection::vec(1_u8.., 0..30),
        "[ -~]{0,40}".prop_map(String::into_bytes),
        select(vec!["/status.cgi", "text/plain", "www.example.org"])
            .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let paths = select(vec![
        "",
        "/",
        "/relay/news/dss2",
        "/metrics",
        "/relays.json",
        "/style.css",
        "/live.js",
        "/icon.svg",
        "/relay/<b>/x",
        "/nothing",
    ]);
    let methods = select(vec!["GET", "GET", "GET", "HEAD", "POST", "get", ""]);
    (prop::collection::btree_map(names, bytes, 0..4), paths, methods).prop_map(
        |(mut map, path, method)| {
            map.insert("PATH_INFO", path.as_bytes().to_vec());
            map.insert("REQUEST_METHOD", method.as_bytes().to_vec());
            map
        },
    )
}

fn ask(environment: &BTreeMap<&'static str, Vec<u8>>, daemon: &mut Says) -> (Reply, String) {
    let variable = |name: &str| environment.get(name).cloned().map(OsString::from_vec);
    let environment = Environment::new(variable);
    let (mut log, mut printed) = (Vec::new(), Vec::new());
    let response = answer(&environment, daemon, &mut log);
    cgi::print(&response, environment.is_head(), &mut printed).unwrap();
    (Reply::parse(&printed).unwrap(), String::from_utf8(log).unwrap())
}

/// A parsed page. It has only the elements of a page, whatever its contents.
fn check_page(html: &str) -> Result<(), TestCaseError> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let page = roxmltree::Document::parse_with_options(html, options)
        .map_err(|error| TestCaseError::fail(format!("{error}: {html}")))?;
    let mut ids: Vec<&str> = page.descendants().filter_map(|node| node.attribute("id")).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    prop_assert_eq!(ids.len(), all, "an id is there twice");
    for node in page.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        let scripts = node.attributes().filter(|attribute| attribute.name().starts_with("on"));
        prop_assert_eq!(scripts.count(), 0);
        prop_assert!(!["b", "iframe", "form", "style", "object"].contains(&name));
        prop_assert!(name != "script" || node.text().is_none());
        prop_assert!(node.attribute("style").is_none());
        for address in ["href", "src"].into_iter().filter_map(|name| node.attribute(name)) {
            prop_assert!(address.starts_with('/') && !address.starts_with("//"), "{}", address);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn every_request_has_an_answer(environment in environments(), mut daemon in daemons()) {
        let (reply, log) = ask(&environment, &mut daemon);
        prop_assert!([200, 404, 405, 503].contains(&reply.status), "{reply:?}");
        prop_assert!(log.lines().count() <= 1, "{log}");
        prop_assert_eq!(reply.header("cross-origin-resource-policy"), "same-origin");
        if environment["REQUEST_METHOD"] == b"GET" {
            match reply.header("content-type").split(';').next() {
                Some("text/html") => check_page(reply.text())?,
                Some("application/openmetrics-text") => {
                    prop_assert!(reply.text().ends_with("# EOF\n"));
                }
                _ => {}
            }
        }
    }
}

fn get(path: &str, daemon: &Says) -> Reply {
    let environment = [("REQUEST_METHOD", "GET"), ("PATH_INFO", path), ("SCRIPT_NAME", "/s.cgi")];
    let environment = environment.map(|(name, value)| (name, value.as_bytes().to_vec())).into();
    ask(&environment, &mut daemon.clone()).0
}

fn well() -> Says {
    Says { text: "news".into(), number: 3, code: None, answers: true }
}

#[test]
fn each_format_says_that_the_daemon_is_down() {
    let down = Says { answers: false, ..well() };
    for path in ["", "/relay/news/dss2"] {
        let page = get(path, &down);
        assert_eq!((page.status, page.header("retry-after")), (503, "5"));
        assert!(page.text().contains("dynrelayd gives no valid answer."));
    }
    let json = get("/relays.json", &down);
    assert_eq!((json.status, json.header("content-type")), (503, "application/json"));
    assert!(json.text().starts_with("{\"error\":{\"message\":\"dynrelayd did not answer"));
    let metrics = get("/metrics", &down);
    assert_eq!(metrics.status, 200);
    assert!(metrics.text().contains("\ndynrelay_up 0\n"), "{}", metrics.text());
}

#[test]
fn an_unknown_relay_is_not_found() {
    for code in [ErrorCode::UnknownStream, ErrorCode::NoEdge] {
        let unknown = Says { code: Some(code), ..well() };
        assert_eq!(get("/relay/news/dss2", &unknown).status, 404);
    }
    assert_eq!(get("/relay/news", &well()).status, 404);
}

#[test]
fn a_relays_page_explains_its_state_and_what_would_close_it() {
    let page = get("/relay/news/dss2", &well());
    let text = page.text();
    assert!(text.contains("<p class=\"story\">The edge takes it"), "{text}");
    assert!(text.contains("<h2>It closes</h2>"), "{text}");
}

#[test]
fn metrics_name_their_units_and_kinds() {
    let reply = get("/metrics", &well());
    let text = reply.text();
    for line in [
        "# TYPE dynrelay_relay_sent_bytes counter\n# UNIT dynrelay_relay_sent_bytes bytes\n",
        "dynrelay_relay_sent_bytes_total{stream=\"news\",edge=\"news\"} 3\n",
        "dynrelay_relay_state{stream=\"news\",edge=\"news\",state=\"live\"} 1\n",
        "dynrelay_relays{state=\"live\"} 1\n",
        "dynrelay_relays_closed_total{reason=\"never-accepted\"} 0\n",
        "dynrelay_stream_on_air{stream=\"newsSome(false)\"} 0\n",
        "dynrelay_up 1\n",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(!text.contains("closed\""), "closed relays are gone: {text}");
}

#[test]
fn scripts_get_the_relays_as_the_command_prints_them() {
    let reply = get("/relays.json", &well());
    assert!(reply.text().starts_with(r#"{"relays":[{"#) && reply.text().ends_with("]}\n"));
}
