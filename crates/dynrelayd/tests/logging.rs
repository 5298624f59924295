//! The log of a confined daemon: lines, JSON, and the journal with fields.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a test may fail, and needs not all of the daemon's helpers"
)]

mod daemon;

use std::os::unix::net::UnixDatagram;
use std::process::Command;

use daemon::{Daemon, Encoder, Host, PATIENCE};
use nix::sys::signal::Signal;
use serde_json::Value;

const START: &str = r#"{"op":"start","stream":"news","client":"203.0.113.9"}"#;
const STOP: &str = r#"{"op":"stop","stream":"news","edge":"dss2"}"#;

/// Relays news for a while, and returns the log of the daemon after it is stopped.
fn relay_news(daemon: &Daemon) -> Value {
    assert_eq!(daemon.ask(START)["ok"]["edge"], "dss2");
    daemon.ask(START);
    while daemon.ask(r#"{"op":"list"}"#)["ok"]["relays"][0]["state"] != "live" {}
    daemon.ask(STOP)["ok"].clone()
}

/// The whole log of a daemon, to its end.
fn all(mut daemon: Daemon, last: &str) -> Vec<String> {
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait().success());
    daemon.log.wait_for(last);
    daemon.log.lines()
}

#[test]
fn json_tells_a_relays_life() {
    let host = Host::new();
    host.set("[daemon]", "[daemon]\nlog_format = \"json\"");
    let daemon = host.run();
    let _encoder = Encoder::to(host.arrives);
    let end = relay_news(&daemon);
    let lines = all(daemon, "\"event\":\"down\"");
    let entries: Vec<Value> =
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    for entry in &entries {
        assert_eq!(entry["time"].as_str().unwrap().len(), "2026-11-22T18:54:23.123456Z".len());
        assert!(["info", "warn"].contains(&entry["level"].as_str().unwrap()), "{entry}");
        assert!(!entry["message"].as_str().unwrap().is_empty());
    }
    let of = |event: &str| -> Vec<&Value> {
        entries.iter().filter(|entry| entry["event"] == event).collect()
    };
    assert_eq!((of("up").len(), of("down").len()), (1, 1));
    let states: Vec<_> = of("state").iter().map(|entry| entry["state"].clone()).collect();
    assert_eq!(states[..2], ["starting", "live"]);
    let [opened] = of("opened")[..] else { panic!("{lines:#?}") };
    assert_eq!(opened["address"], "127.0.0.1");
    // The second start is logged at the end of its minute, or of the daemon.
    let [first, second] = of("start")[..] else { panic!("{lines:#?}") };
    for start in [first, second] {
        assert_eq!((&start["client"], &start["count"]), (&"203.0.113.9".into(), &1.into()));
    }
    let [closed] = of("closed")[..] else { panic!("{lines:#?}") };
    assert_eq!((&closed["stream"], &closed["edge"]), (&"news".into(), &"dss2".into()));
    assert_eq!(closed["reason"], "stopped");
    for counter in ["packets", "bytes", "refusals"] {
        assert_eq!(closed[counter], end[counter], "{counter}");
    }
    assert!(closed["seconds"].is_u64() && closed["packets"].as_u64() > Some(0));
}

/// The journal is a socket in this folder, mounted in its place; stderr claims to go there.
const JOURNALLED: &str = r#"mount -t tmpfs none /run && mkdir -p /run/systemd/journal &&
    : >/run/systemd/journal/socket && mount --bind "$2/journal" /run/systemd/journal/socket &&
    JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2) exec "$1" --config "$2/dynrelay.toml""#;

#[test]
fn the_journal_gets_fields() {
    let host = Host::new();
    let journal = UnixDatagram::bind(host.path("journal")).unwrap();
    journal.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = Command::new("unshare");
    let root = nix::unistd::geteuid().is_root();
    command.args([if root { "-m" } else { "-rm" }, "sh", "-c", JOURNALLED, "sh"]);
    command.arg(env!("CARGO_BIN_EXE_dynrelayd")).arg(host.folder.path());
    let daemon = host.start_by(command);
    let entry = |event: &str| loop {
        let mut datagram = [0; 65536];
        let length = journal.recv(&mut datagram).unwrap();
        let text = String::from_utf8(datagram[..length].to_vec()).unwrap();
        if text.contains(&format!("\nEVENT={event}\n")) {
            break text;
        }
    };
    entry("up");
    let _encoder = Encoder::to(host.arrives);
    let end = relay_news(&daemon);
    let closed = entry("closed");
    let bytes = format!("BYTES={}", end["bytes"]);
    for field in ["PRIORITY=6", "STREAM=news", "EDGE=dss2", "REASON=stopped", bytes.as_str()] {
        assert!(closed.lines().any(|line| line == field), "{field}: {closed}");
    }
    assert!(closed.contains("MESSAGE=the relay is closed stream=news edge=dss2 reason=stopped"));
    assert!(daemon.log.lines().is_empty(), "{:#?}", daemon.log.lines());
}

#[test]
fn without_a_journal_its_lines_go_to_stderr() {
    let host = Host::new();
    host.set("[daemon]", "[daemon]\nlog_format = \"journal\"");
    let mut command = Command::new("unshare");
    let root = nix::unistd::geteuid().is_root();
    let script = r#"mount -t tmpfs none /run && exec "$1" --config "$2/dynrelay.toml""#;
    command.args([if root { "-m" } else { "-rm" }, "sh", "-c", script, "sh"]);
    command.arg(env!("CARGO_BIN_EXE_dynrelayd")).arg(host.folder.path());
    host.start_by(command).log.wait_for("dynrelayd is up");
}

#[test]
fn each_fault_of_a_configuration_has_its_line() {
    let host = Host::new();
    host.write("dynrelay.toml", "[daemon]\nsocket = 7\nstaet = 7\n[limits]\nrelays = -1\n");
    let mut daemon = host.start();
    assert!(!daemon.wait().success());
    daemon.log.wait_for("line 5");
    let lines = daemon.log.lines();
    assert!(lines.len() >= 3, "{lines:#?}");
    let file = host.path("dynrelay.toml");
    for line in &lines {
        assert!(line.starts_with(&format!("dynrelayd: {}, line ", file.display())), "{line}");
    }
}
