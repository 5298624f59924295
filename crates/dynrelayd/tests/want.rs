//! The kernel refuses descriptors, memory or memberships. Running relays go on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a test may fail"
)]

mod daemon;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use daemon::crowd::{Crowd, Encoders};
use daemon::{Daemon, Host, PATIENCE};
use serde_json::{Value, json};

#[test]
fn without_descriptors_a_start_is_refused_and_what_runs_goes_on() {
    let crowd = Crowd::new(60, "[limits]\nstarts_per_second = 1000\n");
    let _encoders = Encoders::of(&crowd, Duration::from_millis(10));
    let mut command = Command::new("prlimit");
    command.args(["--nofile=128:128", env!("CARGO_BIN_EXE_dynrelayd"), "--config"]);
    command.arg(crowd.host.path("dynrelay.toml"));
    let daemon = crowd.host.start_by(command);
    daemon.log.wait_for("dynrelayd is up");
    let answers = (0..60).map(|stream| daemon.start_stream(stream));
    let mut refused = Value::Null;
    let runs = answers.take_while(|answer| {
        refused = answer["error"].clone();
        refused.is_null()
    });
    let runs = u16::try_from(runs.count()).unwrap();
    assert_eq!(refused["code"], "limit");
    assert!(refused["message"].as_str().unwrap().contains("LimitNOFILE"), "{refused}");
    crowd.await_packets(0..runs);
    assert_eq!(daemon.ask(r#"{"op":"reload"}"#)["ok"]["problems"], json!([]));
    crowd.drain(runs);
    crowd.await_packets(0..runs);
    assert_eq!(daemon.relays().len(), usize::from(runs));
    daemon.ask(r#"{"op":"stop","stream":"s0","edge":"far"}"#);
    // The daemon closes a caller's descriptor a moment after the caller has left.
    let begin = Instant::now();
    while daemon.start_stream(runs)["ok"].is_null() {
        assert!(begin.elapsed() < PATIENCE, "a stopped relay makes room");
    }
}

/// In a network namespace, because the limit belongs to the network.
#[test]
fn a_kernel_that_allows_no_membership_is_reported() {
    let host = Host::new();
    let lines = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 239.1.2.3/1\nt=0 0\n";
    let text = format!("{lines}m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n");
    host.write("streams/group.sdp", &text);
    let consent = fs::read_to_string(host.path("streams/news.dss2.sdp")).unwrap();
    host.write("streams/group.dss2.sdp", &consent.replace("a=rtcp", "a=x-rtcp"));
    // The edge's RTSP port is on another network: a relay is resumed without asking the edge.
    let relays = json!([{"stream": "group", "edge": "dss2"}, {"stream": "news", "edge": "dss2"}]);
    host.write("state.json", &json!({"version": 1, "relays": relays}).to_string());
    let script = r#"ip link set lo up multicast on && ip route add 224.0.0.0/4 dev lo &&
        sysctl -qw net.ipv4.igmp_max_memberships=0 && exec "$1" --config "$2/dynrelay.toml""#;
    let mut command = Command::new("unshare");
    let root = nix::unistd::geteuid().is_root();
    command.args([if root { "-n" } else { "-rn" }, "sh", "-c", script, "sh"]);
    command.arg(env!("CARGO_BIN_EXE_dynrelayd")).arg(host.folder.path());
    let daemon = host.start_by(command);
    daemon.log.wait_for("dynrelayd is up");
    let said = daemon.log.wait_for("can't go on");
    assert!(said.contains("joining the group") && said.contains("No buffer space"), "{said}");
    assert_eq!(daemon.relays().len(), 1);
}

/// The address space ends a little above the daemon's: the next thread's stack does not fit.
#[test]
fn without_memory_for_a_thread_callers_are_turned_away_and_what_runs_goes_on() {
    let crowd = Crowd::new(12, "[limits]\nstarts_per_second = 1000\n");
    let _encoders = Encoders::of(&crowd, Duration::from_millis(10));
    let daemon = crowd.host.run();
    for stream in 0..10 {
        assert_eq!(daemon.start_stream(stream)["ok"]["edge"], "far");
    }
    crowd.await_packets(0..10);

    daemon.limit_memory(Some(daemon.address_space() + (1 << 20)));
    let (served, refused) = daemon.crowd_in(30);
    assert!(!served.is_empty(), "the threads that it has serve on");
    let refused = refused.unwrap();
    assert_eq!(refused["error"]["code"], "limit");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("no thread left"), "{message}");
    daemon.log.wait_for("can't serve a connection to the control socket");
    crowd.drain(10);
    crowd.await_packets(0..10);

    drop(served);
    daemon.limit_memory(None);
    assert_eq!(daemon.start_stream(10)["ok"]["edge"], "far");
    assert_eq!(daemon.relays().len(), 11);
    crowd.drain(11);
    crowd.await_packets(0..11);
}

impl Daemon {
    /// Its address space in bytes.
    fn address_space(&self) -> u64 {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap();
        let pages: u64 = statm.split_whitespace().next().unwrap().parse().unwrap();
        pages * 4096
    }

    /// Limits its address space, in bytes.
    fn limit_memory(&self, bytes: Option<u64>) {
        let most = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let mut command = Command::new("prlimit");
        command.arg(format!("--pid={}", self.child.id())).arg(format!("--as={most}:"));
        assert!(command.status().unwrap().success());
    }

    /// Callers who ask once and stay, until one is refused. Returns those served, and the refusal.
    fn crowd_in(&self, most: usize) -> (Vec<UnixStream>, Option<Value>) {
        let mut served = Vec::new();
        while served.len() < most {
            let mut caller = self.connect();
            // The connection of a rejected caller may be closed already.
            let _ = caller.write_all(b"{\"op\":\"ping\"}\n");
            let mut answer = String::new();
            BufReader::new(&caller).read_line(&mut answer).unwrap();
            let answer: Value = serde_json::from_str(&answer).unwrap();
            if answer["ok"].is_null() {
                return (served, Some(answer));
            }
            served.push(caller);
        }
        (served, None)
    }
}
