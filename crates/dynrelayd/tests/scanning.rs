//! The daemon answers scans of its own ports.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a test may fail, and needs not all of the daemon's helpers"
)]

mod daemon;

use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;

use daemon::{Daemon, Encoder, Host};
use serde_json::{Value, json};

/// Listens for this long.
fn scan(daemon: &Daemon, streams: &str, millis: u64) -> Value {
    daemon.ask(&format!(r#"{{"op":"scan","streams":{streams},"millis":{millis},"quick":true}}"#))
}

/// Whether another program could open the stream's port.
fn is_free(host: &Host) -> bool {
    UdpSocket::bind(("127.0.0.1", host.arrives)).is_ok()
}

#[test]
fn a_scan_reports_each_stream() {
    let host = Host::new();
    let daemon = host.run();
    let probe = scan(&daemon, r#"["nowhere","news"]"#, 0)["ok"]["streams"].take();
    assert_eq!((probe.as_array().unwrap().len(), &probe[0]["name"]), (1, &json!("news")));
    let media = &probe[0]["media"][0];
    assert_eq!(media["from"], json!([format!("127.0.0.1:{}", host.arrives)]));
    // The scan ends at once, which may take some milliseconds on a busy machine.
    assert!(media["listened_ms"].is_u64() && media["senders"] == json!([]), "{media}");
    assert_eq!(scan(&daemon, "[]", 1000)["ok"], json!({"streams": []}));
    assert_eq!(daemon.ask(r#"{"op":"scan"}"#)["error"]["code"], "bad-request");

    let _encoder = Encoder::to(host.arrives);
    let heard = scan(&daemon, r#"["news"]"#, 60_000)["ok"]["streams"][0]["media"][0].take();
    let sender = &heard["senders"][0];
    assert_eq!((&sender["payload_types"], &heard["deaf"]), (&json!([96]), &json!([])));
    assert!(sender["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{heard}");
    assert!(heard["listened_ms"].as_u64().unwrap() < 60_000, "it was quick: {heard}");
}

#[test]
fn a_port_of_another_program_is_an_error() {
    let host = Host::new();
    let daemon = host.run();
    let _other = UdpSocket::bind(("127.0.0.1", host.arrives)).unwrap();
    let heard = scan(&daemon, r#"["news"]"#, 60_000)["ok"]["streams"][0]["media"][0].take();
    assert_eq!(heard["deaf"], json!([{ "busy": format!("127.0.0.1:{}", host.arrives) }]));
}

#[test]
fn scans_are_limited_and_end_when_the_caller_hangs_up() {
    let host = Host::new();
    let daemon = host.run();
    let long = || -> UnixStream {
        let mut caller = daemon.connect();
        let line = br#"{"op":"scan","streams":["news"],"millis":3600000}"#;
        caller.write_all(&[&line[..], b"\n"].concat()).unwrap();
        caller.set_nonblocking(true).unwrap();
        caller
    };
    // The probe needs a place, too. The daemon may have rejected a caller that came while the probe
    // had the last one.
    let refused = |mut caller: &UnixStream| caller.read(&mut [0; 4096]).is_ok();
    let full = || scan(&daemon, r#"["news"]"#, 0)["error"]["code"] == "limit";
    let mut callers: Vec<UnixStream> = (0..4).map(|_| long()).collect();
    while !full() {
        callers.iter_mut().filter(|caller| refused(caller)).for_each(|caller| *caller = long());
    }
    assert!(!is_free(&host));
    callers.pop();
    while full() {}
    callers.clear();
    while !is_free(&host) {}
}
