//! The real daemon, over its real socket: requests, signals and files. The end-to-end tests check
//! the packets on a network.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a test may fail, and needs not all of the daemon's helpers"
)]

mod daemon;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use daemon::{Encoder, Host};
use nix::sys::signal::Signal;
use serde_json::json;

const START: &str = r#"{"op":"start","stream":"news","client":"203.0.113.9"}"#;

#[test]
fn a_viewer_is_sent_to_the_edge_and_the_packets_go_there() {
    let host = Host::new();
    let daemon = host.run();
    let _encoder = Encoder::to(host.arrives);
    let started = daemon.ask(START);
    let url = format!("rtsp://{}/news.sdp", host.rtsp.local_addr().unwrap());
    assert_eq!(
        started,
        json!({"ok": {"url": url, "via": "edge", "edge": "dss2", "state": "starting", "title": "The news"}})
    );
    let mut packet = [0; 100];
    let edge = host.edge.as_ref().unwrap();
    let first = edge.recv(&mut packet).unwrap();
    assert_eq!((first, packet[12]), (13, 42));
    daemon.log.wait_for("the relay is live");
    let again = daemon.ask(START);
    assert_eq!((&again["ok"]["url"], &again["ok"]["state"]), (&url.into(), &"live".into()));
    let list = daemon.ask(r#"{"op":"list"}"#);
    assert_eq!(list["ok"]["relays"].as_array().unwrap().len(), 1);
}

#[test]
fn show_has_each_flow_and_the_edges_reports() {
    let host = Host::new();
    let daemon = host.run();
    let _encoder = Encoder::to(host.arrives);
    daemon.ask(START);
    let edge = host.edge.as_ref().unwrap();
    let (_, via) = edge.recv_from(&mut [0; 100]).unwrap();
    edge.send_to(b"thanks", via).unwrap();
    let mut flows = json!(null);
    while flows[0]["reports"] != 1 {
        let shown = daemon.ask(r#"{"op":"show","stream":"news"}"#);
        flows = shown["ok"]["relays"][0]["flows"].clone();
        assert_eq!((&flows[0]["kind"], &flows[1]["kind"]), (&"rtp".into(), &"rtcp".into()));
    }
    assert_eq!(flows[0]["via"], via.to_string());
    assert_eq!(flows[0]["to"], edge.local_addr().unwrap().to_string());
    assert_eq!(flows[0]["lost"], 0);
}

#[test]
fn rates_and_streams_on_air_are_reported_on_request() {
    let host = Host::new();
    let daemon = host.run();
    let on_air = |line| daemon.ask(line)["ok"]["streams"][0]["on_air"].clone();
    let streams = r#"{"op":"streams","listen":true}"#;
    assert_eq!(on_air(streams), json!(false), "nothing comes to its port");
    let encoder = Encoder::to(host.arrives);
    daemon.ask(START);
    while on_air(streams) != true {}
    // A step takes some seconds.
    let went = |rates: &serde_json::Value| {
        assert_eq!(rates["step"], 15);
        rates["bytes"].as_array().unwrap().iter().any(|rate| rate.as_u64() > Some(0))
    };
    let both_went = || {
        let list = daemon.ask(r#"{"op":"list","rates":true}"#)["ok"].take();
        went(&list["relays"][0]["rates"]) && went(&list["rates"])
    };
    while !both_went() {}
    let plain = daemon.ask(r#"{"op":"list"}"#)["ok"].take();
    assert!(plain.get("rates").is_none() && plain["relays"][0].get("rates").is_none());
    let shown = daemon.ask(r#"{"op":"show","stream":"news"}"#);
    assert_eq!(shown["ok"]["relays"][0]["rates"]["step"], 5);
    drop(encoder);
    while on_air(r#"{"op":"streams"}"#) != false {}
    daemon.ask(r#"{"op":"stop","stream":"news","edge":"dss2"}"#);
    assert_eq!(daemon.ask(r#"{"op":"ping"}"#)["ok"]["closed"], json!({"stopped": 1}));
}

#[test]
fn a_relay_that_is_refused_closes_and_a_new_one_starts() {
    let mut host = Host::new();
    let daemon = host.run();
    let _encoder = Encoder::to(host.arrives);
    daemon.ask(START);
    daemon.log.wait_for("the relay is live");
    host.edge = None;
    let closed = daemon.log.wait_for("the relay is closed");
    for word in ["news", "dss2", "no-viewers"] {
        assert!(closed.contains(word), "{closed}");
    }
    assert_eq!(daemon.ask(r#"{"op":"list"}"#), json!({"ok": {"relays": []}}));
    let all = daemon.ask(r#"{"op":"list","all":true}"#);
    assert_eq!(all["ok"]["relays"][0]["reason"], "no-viewers");
    assert_eq!(daemon.ask(START)["ok"]["state"], "starting");
}

#[test]
fn a_relay_that_the_edge_never_accepts_closes_as_such() {
    let mut host = Host::new();
    host.edge = None;
    let daemon = host.run();
    let _encoder = Encoder::to(host.arrives);
    daemon.ask(START);
    assert!(daemon.log.wait_for("the relay is closed").contains("never-accepted"));
}

#[test]
fn each_refusal_has_its_code() {
    let host = Host::new();
    host.write("streams/lone.sdp", &fs::read_to_string(host.path("streams/news.sdp")).unwrap());
    host.configure(
        "[[edge]]\nname = \"gone\"\naddress = \"127.0.0.1\"\nurl = \"rtsp://127.0.0.1:1\"\n",
    );
    host.write("streams/away.sdp", &fs::read_to_string(host.path("streams/news.sdp")).unwrap());
    host.write(
        "streams/away.gone.sdp",
        &fs::read_to_string(host.path("streams/news.dss2.sdp")).unwrap(),
    );
    let daemon = host.run();
    for (line, code) in [
        (r#"{"op":"start","stream":"sport"}"#, "unknown-stream"),
        (r#"{"op":"start","stream":"../../etc/passwd"}"#, "unknown-stream"),
        (r#"{"op":"start","stream":"lone"}"#, "no-consent"),
        (r#"{"op":"start","stream":"away"}"#, "edge-unreachable"),
        (r#"{"op":"start","stream":"news","edge":"dss9"}"#, "no-edge"),
        (r#"{"op":"stop","stream":"news","edge":"dss2"}"#, "unknown-stream"),
        (r#"{"op":"show","stream":"sport"}"#, "unknown-stream"),
        (r#"{"op":"show","stream":"news","edge":"dss9"}"#, "no-edge"),
        (r#"{"op":"fly"}"#, "bad-request"),
        (r#"{"op":"ping","v":9}"#, "bad-request"),
        ("", "bad-request"),
        ("null", "bad-request"),
    ] {
        assert_eq!(daemon.ask(line)["error"]["code"], code, "{line}");
    }
    let long = vec![b' '; 70_000];
    assert!(daemon.send(&long).contains("bad-request"));
    assert!(daemon.send(format!("{}\n", "[".repeat(65_000)).as_bytes()).contains("bad-request"));
    assert!(daemon.send(b"\xff\xfe\n").contains("bad-request"));
    assert!(daemon.ask(r#"{"op":"ping"}"#)["ok"]["pid"].is_u64());
}

#[test]
fn an_edge_that_refuses_describe_gives_no_consent() {
    let host = Host::new();
    let rtsp = host.rtsp.try_clone().unwrap();
    host.configure("consent = \"describe\"\n");
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = rtsp.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]).unwrap();
        stream.write_all(b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n").unwrap();
    });
    let daemon = host.run();
    let refused = &daemon.ask(START)["error"];
    assert_eq!(refused["code"], "no-consent");
    assert_eq!(refused["message"], "dss2 has no news.sdp (RTSP 404)");
}

#[test]
fn new_relays_are_limited_and_running_ones_are_not() {
    let host = Host::new();
    host.configure("[limits]\nrelays = 0\n");
    let daemon = host.run();
    assert_eq!(daemon.ask(START)["error"]["code"], "limit");
    host.configure("");
    assert_eq!(daemon.ask(r#"{"op":"reload"}"#)["ok"]["streams"], 1);
    assert!((0..50).all(|_| daemon.ask(START)["ok"]["edge"] == "dss2"));
}

#[test]
fn a_reload_applies_changes_and_keeps_running_relays() {
    let host = Host::new();
    let daemon = host.run();
    let _encoder = Encoder::to(host.arrives);
    daemon.ask(START);
    let began = daemon.ask(r#"{"op":"list"}"#)["ok"]["relays"][0]["started"].clone();

    host.write("dynrelay.toml", "[daemon]\nsocket = 7\nstaet = 7\n");
    let refused = daemon.ask(r#"{"op":"reload"}"#);
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("dynrelay.toml, line 2") && message.contains("; "), "{message}");
    daemon.signal(Signal::SIGHUP);
    // A line for each fault, for the request and for the signal.
    let file = host.path("dynrelay.toml");
    for line in ["line 2", "line 3"] {
        let said = format!("nothing is changed: {}, {line}", file.display());
        let count = || daemon.log.lines().iter().filter(|line| line.contains(&said)).count();
        daemon.log.wait_for(&said);
        while count() < 2 {}
    }

    host.configure("");
    host.write("streams/sport.sdp", &fs::read_to_string(host.path("streams/news.sdp")).unwrap());
    daemon.signal(Signal::SIGHUP);
    daemon.log.wait_for("reloaded");
    let streams = daemon.ask(r#"{"op":"streams"}"#);
    assert_eq!(streams["ok"]["streams"].as_array().unwrap().len(), 2);
    assert_eq!(daemon.ask(r#"{"op":"list"}"#)["ok"]["relays"][0]["started"], began);

    fs::remove_file(host.path("streams/news.dss2.sdp")).unwrap();
    daemon.ask(r#"{"op":"reload"}"#);
    assert!(daemon.log.wait_for("the relay is closed").contains("not-in-catalog"));
}

#[test]
fn events_report_each_state_and_the_end() {
    use std::io::{BufRead, BufReader, Write};
    let host = Host::new();
    let daemon = host.run();
    let mut watcher = daemon.connect();
    watcher.write_all(b"{\"op\":\"events\"}\n").unwrap();
    watcher.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut lines = BufReader::new(watcher).lines();
    let mut next =
        || serde_json::from_str::<serde_json::Value>(&lines.next().unwrap().unwrap()).unwrap();
    // From its answer on, no event is missed.
    assert_eq!(next()["ok"]["pid"], daemon.ask(r#"{"op":"ping"}"#)["ok"]["pid"]);
    daemon.ask(START);
    let first = next();
    assert_eq!((&first["stream"], &first["state"]), (&"news".into(), &"starting".into()));
    let stopped = daemon.ask(r#"{"op":"stop","stream":"news","edge":"dss2"}"#);
    assert_eq!(stopped["ok"]["reason"], "stopped");
    let mut last = next();
    while last["state"] != "closed" {
        last = next();
    }
    assert_eq!((&last["edge"], &last["reason"]), (&"dss2".into(), &"stopped".into()));
}

#[test]
fn the_socket_is_private_and_goes_away_with_the_daemon() {
    let host = Host::new();
    let mut daemon = host.run();
    let socket = host.path("control.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    let mut second = host.start();
    assert_eq!(second.wait().code(), Some(1));
    second.log.wait_for("another dynrelayd listens");
    assert!(daemon.ask(r#"{"op":"ping"}"#)["ok"].is_object());
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn a_stale_socket_is_taken_over_and_anything_else_is_not() {
    let host = Host::new();
    drop(UnixListener::bind(host.path("control.sock")).unwrap());
    drop(host.run());
    fs::remove_file(host.path("control.sock")).unwrap();
    host.write("control.sock", "precious");
    let mut daemon = host.start();
    assert_eq!(daemon.wait().code(), Some(1));
    assert_eq!(fs::read_to_string(host.path("control.sock")).unwrap(), "precious");
}

#[test]
fn relays_go_on_after_a_crash_and_after_an_upgrade() {
    let host = Host::new();
    let mut daemon = host.run();
    let _encoder = Encoder::to(host.arrives);
    daemon.ask(START);
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        daemon.log.wait_for("the relay is live");
        daemon.signal(signal);
        daemon.wait();
        daemon = host.run();
        assert_eq!(daemon.ask(r#"{"op":"list"}"#)["ok"]["relays"][0]["stream"], "news");
    }
}

#[test]
fn a_link_out_of_the_folder_is_not_followed_from_the_start() {
    let host = Host::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let sdp = elsewhere.path().join("sport.sdp");
    fs::copy(host.path("streams/news.sdp"), &sdp).unwrap();
    std::os::unix::fs::symlink(&sdp, host.path("streams/sport.sdp")).unwrap();
    let daemon = host.run();
    let said = daemon.log.wait_for("sport.sdp");
    assert!(said.contains("follows no link out of the folder"), "{said}");
    assert_eq!(daemon.ask(r#"{"op":"streams"}"#)["ok"]["streams"].as_array().unwrap().len(), 1);

    // After a rename, the file itself is in place and can be read.
    fs::copy(&sdp, host.path("streams/new")).unwrap();
    fs::rename(host.path("streams/new"), host.path("streams/sport.sdp")).unwrap();
    assert_eq!(daemon.ask(r#"{"op":"reload"}"#)["ok"]["streams"], 2);
}

#[test]
fn it_is_confined_unless_the_configuration_says_no() {
    let confinement = |process: &str| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let mut lines = status.lines().map(str::to_owned);
        let mut value = |name| lines.find(|line| line.starts_with(name)).unwrap();
        (value("NoNewPrivs"), value("Seccomp"))
    };
    let host = Host::new();
    let daemon = host.run();
    let within = confinement(&daemon.child.id().to_string());
    assert_eq!(within, ("NoNewPrivs:\t1".into(), "Seccomp:\t2".into()));
    drop(daemon);
    let toml = fs::read_to_string(host.path("dynrelay.toml")).unwrap();
    host.write("dynrelay.toml", &toml.replace("[daemon]", "[daemon]\nconfine = false"));
    let daemon = host.run();
    assert_eq!(confinement(&daemon.child.id().to_string()), confinement("self"));
}

#[test]
fn a_check_names_everything_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("dynrelay.toml");
    fs::create_dir(folder.path().join("streams")).unwrap();
    fs::write(folder.path().join("streams/junk.sdp"), "junk").unwrap();
    fs::write(&config, "[daemon]\nsokcet = 1\n[shutdown]\ngrace = 20\n[[edge]]\nname = 1\n")
        .unwrap();
    let check = || {
        let mut dynrelayd = std::process::Command::new(env!("CARGO_BIN_EXE_dynrelayd"));
        let output = dynrelayd.arg("--check").arg("--config").arg(&config).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = check();
    assert_eq!(code, Some(1));
    for what in ["line 2, ", "line 4, ", "line 6, ", "junk.sdp, line 1: "] {
        assert!(said.contains(what), "{what}: {said}");
    }
    fs::write(&config, "[daemon").unwrap();
    let (code, said) = check();
    assert_eq!((code, said.lines().count()), (Some(1), 2), "{said}");
}
