//! The command against a fake daemon on a socket of its own.

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const LIST: &str = r#"{"ok":{"relays":[{"stream":"news","edge":"dss2","state":"live","since":0,"started":0,"packets":10,"bytes":12000,"rate":150000,"refusals":1,"viewers":3,"new":[1]}]}}"#;

fn request(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

#[test]
fn verbs_send_the_right_requests() {
    let relay = r#"{"ok":{"stream":"news","edge":"dss2","state":"closed","since":9,"started":2,"packets":1,"bytes":1,"rate":0,"refusals":0}}"#;
    let started =
        r#"{"ok":{"url":"rtsp://dss2/news.sdp","via":"edge","edge":"dss2","state":"starting"}}"#;
    let stop = json!({"op": "stop", "stream": "news", "edge": "dss2"});
    let start = json!({"op": "start", "stream": "news", "edge": "dss2", "client": "2001:db8::1"});
    let client = ["start", "news", "--edge", "dss2", "--client", "2001:db8::1"];
    for (words, answer, expected) in [
        (&["stop", "news", "dss2"][..], relay, stop.clone()),
        (&["stop", "news/dss2"], relay, stop),
        (&client, started, start),
        (&["start", "news", "--json"], started, json!({"op": "start", "stream": "news"})),
        (&["reload"], r#"{"ok":{"streams":1,"edges":1,"problems":[]}}"#, json!({"op": "reload"})),
    ] {
        let sandbox = Sandbox::new();
        let daemon = sandbox.daemon(&[answer]);
        let ended = sandbox.run(words);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{words:?}");
        assert_eq!(request(&daemon.join().unwrap()), expected);
    }
}

#[test]
fn a_refusal_is_exit_1_and_one_line() {
    let refusal =
        r#"{"error":{"code":"no-consent","message":"dss2 has no news.sdp (RTSP 404)\u001b[2J"}}"#;
    let sandbox = Sandbox::new();
    let daemon = sandbox.daemon(&[refusal]);
    let ended = sandbox.run(&["start", "news"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
    assert_eq!(ended.err, "dynrelay: dss2 has no news.sdp (RTSP 404)[2J\n");
    daemon.join().unwrap();

    let sandbox = Sandbox::new();
    let daemon = sandbox.daemon(&[refusal]);
    let ended = sandbox.run(&["start", "news", "--json"]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(request(&ended.out)["error"]["code"], "no-consent");
    daemon.join().unwrap();
}

#[test]
fn no_daemon_is_exit_3() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(&["list"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(3), ""));
    assert!(ended.err.contains("is dynrelayd running"), "{}", ended.err);

    // A socket that a killed daemon has left behind.
    drop(UnixListener::bind(sandbox.socket()).unwrap());
    assert!(fs::exists(sandbox.socket()).unwrap());
    assert_eq!(sandbox.run(&["ping"]).code, Some(3));
}

#[test]
fn a_daemon_that_does_not_answer_is_exit_3() {
    let sandbox = Sandbox::new();
    let _mute = UnixListener::bind(sandbox.socket()).unwrap();
    let ended = sandbox.run(&["ping"]);
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("did not answer"), "{}", ended.err);
}

#[test]
fn a_daemon_that_hangs_up_is_exit_3() {
    let sandbox = Sandbox::new();
    let listener = UnixListener::bind(sandbox.socket()).unwrap();
    let hangs_up = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 64]);
    });
    assert_eq!(sandbox.run(&["list"]).code, Some(3));
    hangs_up.join().unwrap();
}

#[test]
fn the_option_wins_over_the_environment() {
    let sandbox = Sandbox::new();
    let daemon = sandbox.daemon(&[r#"{"ok":{"relays":[]}}"#]);
    let socket = sandbox.socket();
    let mut command = sandbox.dynrelay(&["list", "--socket", socket.to_str().unwrap()]);
    let ended: crate::sandbox::Ended =
        command.env("DYNRELAY_SOCKET", "/nowhere").output().unwrap().into();
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "Nothing is relayed now.\n"));
    daemon.join().unwrap();
}

#[test]
fn usage_is_exit_2() {
    let sandbox = Sandbox::new();
    for words in [
        &[][..],
        &["fly"],
        &["list", "--fast"],
        &["show"],
        &["start", "news", "--client", "nobody"],
        &["stop", "news/dss2", "dss3"],
        &["sdp"],
    ] {
        let ended = sandbox.run(words);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{words:?}");
        assert!(!ended.err.is_empty());
    }
}

#[test]
fn help_teaches() {
    let sandbox = Sandbox::new();
    let help = sandbox.run(&["--help"]);
    assert_eq!(help.code, Some(0));
    for word in [
        "streams", "list", "show", "start", "stop", "reload", "check", "scan", "watch", "events",
        "sdp", "ping",
    ] {
        assert!(help.out.contains(word), "{word}");
        assert_eq!(sandbox.run(&[word, "--help"]).code, Some(0), "{word}");
    }
    assert!(help.out.contains("Examples:") && help.out.contains("Exit codes:"), "{}", help.out);
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let sandbox = Sandbox::new();
    let daemon = sandbox.daemon(&[LIST]);
    let mut child =
        sandbox.dynrelay(&["list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The pipe's reader is closed before the command can print the answer.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    daemon.join().unwrap();
}
