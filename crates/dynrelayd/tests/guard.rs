//! Hostile callers harm nobody but themselves.
//!
//! The end-to-end tests check this for users other than the daemon's own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a test may fail, and needs not all of the daemon's helpers"
)]

mod daemon;

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use daemon::{Daemon, Encoder, Host};

const PING: &str = r#"{"op":"ping"}"#;
const START: &str = r#"{"op":"start","stream":"news"}"#;

/// Sends requests while `hostile` lasts; each must be answered.
fn others_are_served_during(daemon: &Daemon, hostile: Vec<JoinHandle<()>>) {
    let mut served = 0;
    while served < 100 || hostile.iter().any(|caller| !caller.is_finished()) {
        assert!(daemon.ask(PING)["ok"]["pid"].is_u64());
        assert_eq!(daemon.ask(START)["ok"]["edge"], "dss2");
        served += 1;
        thread::sleep(Duration::from_millis(5));
    }
    for caller in hostile {
        caller.join().unwrap();
    }
}

/// Runs this for so many callers at once, each with a connection.
fn callers(daemon: &Daemon, count: usize, act: fn(UnixStream)) -> Vec<JoinHandle<()>> {
    let connections = (0..count).map(|_| daemon.connect());
    connections.map(|connection| thread::spawn(move || act(connection))).collect()
}

/// Whether the daemon has hung up: the connection delivers nothing more.
fn is_over(connection: &mut UnixStream) -> bool {
    loop {
        match connection.read(&mut [0; 4096]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

/// Sends bytes one by one, slowly, until the daemon hangs up.
fn dribble(mut connection: UnixStream) {
    for byte in PING.bytes().cycle() {
        if connection.write_all(&[byte]).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_caller_who_sends_a_byte_now_and_then_is_cut_off() {
    let host = Host::new();
    let daemon = host.run();
    others_are_served_during(&daemon, callers(&daemon, 40, dribble));
}

#[test]
fn a_caller_who_asks_and_never_reads_is_cut_off() {
    let host = Host::new();
    let daemon = host.run();
    let deaf = |mut connection: UnixStream| {
        let streams = b"{\"op\":\"streams\"}\n".repeat(1000);
        // The daemon stops reading requests while its answers are not read, and then hangs up.
        while connection.write_all(&streams).is_ok() {}
    };
    others_are_served_during(&daemon, callers(&daemon, 20, deaf));
}

#[test]
fn a_caller_who_reads_a_byte_now_and_then_is_cut_off() {
    let host = Host::new();
    let daemon = host.run();
    let slow = |mut connection: UnixStream| {
        let mut asking = connection.try_clone().unwrap();
        let asks = thread::spawn(move || {
            let streams = b"{\"op\":\"streams\"}\n".repeat(1000);
            while asking.write_all(&streams).is_ok() {}
        });
        while !asks.is_finished() {
            let _ = connection.read(&mut [0; 1]);
            thread::sleep(Duration::from_millis(100));
        }
    };
    others_are_served_during(&daemon, callers(&daemon, 20, slow));
}

#[test]
fn a_caller_who_sends_no_request_gets_an_error_or_a_hang_up() {
    let host = Host::new();
    let daemon = host.run();
    let nesting = |mut connection: UnixStream| {
        for open in ["[", "{\"a\":", "[{\"a\":"] {
            let mut line = open.repeat(60_000 / open.len());
            line.push('\n');
            connection.write_all(line.as_bytes()).unwrap();
            let mut answer = [0; 4096];
            let length = connection.read(&mut answer).unwrap();
            assert!(answer[..length].starts_with(b"{\"error\":{\"code\":\"bad-request\""));
            assert!(length < 400, "an answer quotes little");
        }
        // A line without an end.
        let _ = connection.write_all(&[b'['; 100_000]);
        assert!(is_over(&mut connection));
    };
    others_are_served_during(&daemon, callers(&daemon, 20, nesting));
}

#[test]
fn a_crowd_beyond_the_places_is_turned_away_with_a_word() {
    let host = Host::new();
    host.configure("[limits]\nconnections = 4\n");
    let daemon = host.run();
    let inside: Vec<UnixStream> = (0..8)
        .map(|_| {
            let mut connection = daemon.connect();
            writeln!(connection, "{PING}").unwrap();
            assert_ne!(connection.read(&mut [0; 400]).unwrap(), 0);
            connection
        })
        .collect();
    for _ in 0..100 {
        assert_eq!(daemon.ask(PING)["error"]["code"], "limit");
    }
    drop(inside);
    while daemon.ask(PING)["ok"].is_null() {}
}

#[test]
fn no_request_shapes_a_line_of_the_log_or_an_answer() {
    let host = Host::new();
    host.configure("");
    let toml = std::fs::read_to_string(host.path("dynrelay.toml")).unwrap();
    host.write("dynrelay.toml", &toml.replace("[daemon]", "[daemon]\nlog_level = \"trace\""));
    let daemon = host.run();
    let _encoder = Encoder::to(host.arrives);
    // As in JSON: a line of its own, colours, a path, markup, reversed text.
    for evil in [
        "x\\n2026 ERROR forged",
        "\\u001b[31mred",
        "../../etc/passwd",
        "<script>",
        "a\\u202eb",
        "\\u0000",
        "\\u009b2J",
        "news\\u0000",
        "news/../news",
        "news.dss2",
    ] {
        for line in [
            format!(r#"{{"op":"start","stream":"{evil}"}}"#),
            format!(r#"{{"op":"start","stream":"news","edge":"{evil}"}}"#),
            format!(r#"{{"op":"start","stream":"news","client":"{evil}"}}"#),
            format!(r#"{{"op":"stop","stream":"{evil}","edge":"dss2"}}"#),
            format!(r#"{{"op":"stop","stream":"news","edge":"{evil}"}}"#),
            format!(r#"{{"op":"show","stream":"{evil}"}}"#),
            format!(r#"{{"op":"show","stream":"news","edge":"{evil}"}}"#),
            format!(r#"{{"op":"{evil}"}}"#),
            format!(r#"{{"{evil}":1}}"#),
        ] {
            let answer = daemon.ask(&line);
            let message = answer["error"]["message"].as_str().unwrap_or_default();
            assert!(
                message.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
                "{line}: {message:?}"
            );
        }
    }
    assert_eq!(daemon.ask(START)["ok"]["edge"], "dss2");
    for line in daemon.log.lines() {
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
        assert!(line.starts_with("20") && line.contains('Z'), "{line}");
        assert!(!line.contains("forged") && !line.contains("passwd"), "{line}");
    }
}
