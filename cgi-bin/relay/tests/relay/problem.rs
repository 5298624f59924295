//! relay.cgi tells a viewer why it cannot send them to a stream.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::daemon::{Daemon, fresh_path};
use crate::run::{command, reply, request};

const NEWS: [(&str, &[u8]); 1] = [("PATH_INFO", b"/news.smil")];

#[test]
fn each_refusal_has_its_status_and_keeps_the_daemons_words_to_the_log() {
    for (code, status, retry) in [
        ("bad-request", 400, ""),
        ("unknown-stream", 404, ""),
        ("no-consent", 403, ""),
        ("edge-unreachable", 502, ""),
        ("no-edge", 502, ""),
        ("limit", 503, "5"),
        ("forbidden", 503, "30"),
        ("internal", 503, "30"),
        ("no-such-code", 503, "30"),
    ] {
        let daemon = Daemon::saying(format!(
            "{{\"error\":{{\"code\":\"{code}\",\"message\":\"/etc/dynrelay of dss2\"}}}}\n"
        ));
        let output = command(daemon.path(), &NEWS).output().unwrap();
        let reply = reply(&output);
        assert_eq!((reply.status, reply.header("retry-after")), (status, retry), "{code}");
        assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
        assert!(reply.text().len() > 10 && !reply.text().contains("dss2"), "{reply:?}");
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(log.lines().count(), usize::from(![400, 404].contains(&status)), "{log}");
    }
}

#[test]
fn an_invalid_request_does_not_reach_the_daemon() {
    let daemon = Daemon::sending_to("rtsp://dss2.example.net/news.sdp");
    for (method, path, query, status) in [
        ("GET", "/.news.smil", "", 400),
        ("GET", "/../news.smil", "", 400),
        ("GET", "/news", "format=exe", 400),
        ("GET", "", "stream=%3Cscript%3E", 400),
        ("HEAD", "/a b.smil", "", 400),
        ("POST", "/news.smil", "", 405),
        ("get", "/news.smil", "", 405),
        ("PROPFIND", "/news.smil", "", 405),
    ] {
        let variables = [
            ("REQUEST_METHOD", method.as_bytes()),
            ("PATH_INFO", path.as_bytes()),
            ("QUERY_STRING", query.as_bytes()),
        ];
        let reply = request(daemon.path(), &variables);
        assert_eq!(reply.status, status, "{method} {path}?{query}");
        assert_eq!(reply.header("allow"), if status == 405 { "GET, HEAD" } else { "" });
        assert!(!reply.text().contains("script"), "{reply:?}");
    }
    assert!(daemon.questions().is_empty());
}

#[test]
fn a_missing_daemon_is_reported() {
    for socket in [fresh_path(), "/".into(), format!("/{}", "x".repeat(4000)).into()] {
        let reply = request(&socket, &NEWS);
        assert_eq!((reply.status, reply.header("retry-after")), (503, "30"));
    }
}

#[test]
fn a_daemon_that_talks_nonsense_is_down() {
    for nonsense in [
        &b""[..],
        b"\n",
        b"{}\n",
        b"{\"ok\":{}}\n",
        b"{\"ok\":{\"url\":\"rtsp://h/\",\"via\":\"edge\"}}",
        b"\xff\n",
        b"{\"ok\":{\"url\":\"rtsp://h/\\r\\nx: y\",\"via\":\"edge\"}}\n",
        b"{\"ok\":{\"url\":\"javascript:alert(1)\",\"via\":\"edge\"}}\n",
        &[b'x'; 100_000],
    ] {
        let daemon = Daemon::saying(nonsense);
        let reply = request(daemon.path(), &NEWS);
        assert_eq!(reply.status, 503, "{}", String::from_utf8_lossy(nonsense));
    }
}

#[test]
fn a_daemon_that_is_silent_is_given_up() {
    let (keep, kept) = std::sync::mpsc::channel::<UnixStream>();
    let daemon = Daemon::serving(move |stream| drop(keep.send(stream)));
    assert_eq!(request(daemon.path(), &NEWS).status, 503);
    assert_eq!(kept.try_iter().count(), 1);
}

#[test]
fn a_daemon_that_trickles_is_given_up() {
    let daemon = Daemon::serving(|mut stream| {
        while stream.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    assert_eq!(request(daemon.path(), &NEWS).status, 503);
}

#[test]
fn a_daemon_that_accepts_nobody_is_given_up() {
    let path = fresh_path();
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    listener.listen(0).unwrap();
    let _queued = UnixStream::connect(&path).unwrap();
    assert_eq!(request(&path, &NEWS).status, 503);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn no_environment_is_answered() {
    let daemon = Daemon::sending_to("rtsp://h/");
    let output = command(daemon.path(), &[]).env_clear().output().unwrap();
    assert_eq!(reply(&output).status, 405);
}

#[test]
fn a_server_that_hung_up_is_no_failure() {
    let daemon = Daemon::sending_to("rtsp://h/");
    let mut command = command(daemon.path(), &NEWS);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
