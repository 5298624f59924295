//! relay.cgi answers whatever a web server or a client puts into the environment.

use std::process::Stdio;

use crate::daemon::Daemon;
use crate::run::{command, reply, request};

const URL: &str = "rtsp://dss2.example.net/news.sdp";

#[test]
fn an_odd_environment_is_answered() {
    let daemon = Daemon::sending_to(URL);
    let long = [b'a'; 64 * 1024];
    for (name, value, status) in [
        ("HTTP_REFERER", &b"http://caf\xe9/"[..], 200),
        ("HTTP_X\u{1}", b"\xff\xfe", 200),
        ("REQUEST_URI", b"/relay.cgi/caf\xe9 \"<", 200),
        ("PATH_TRANSLATED", b"/srv/\xff", 200),
        ("SERVER_PROTOCOL", b"HTTP/3.0", 200),
        ("SERVER_PROTOCOL", b"INCLUDED", 200),
        ("SCRIPT_NAME", b"\xff\"<", 200),
        ("REMOTE_ADDR", b"\xff", 200),
        ("CONTENT_LENGTH", b"18446744073709551616", 200),
        ("CONTENT_LENGTH", b"-1", 200),
        ("CONTENT_LENGTH", b"10", 200),
        ("CONTENT_LENGTH", b"\xff", 200),
        ("QUERY_STRING", b"f=\"a\"", 200),
        ("QUERY_STRING", b"f=<a>&%&=&&%00", 200),
        ("QUERY_STRING", &long, 200),
        ("PATH_INFO", b"/caf\xe9", 400),
        ("PATH_INFO", b"/caf\xe9.smil", 400),
        ("PATH_INFO", &long, 400),
        ("REQUEST_METHOD", b"G\xffT", 405),
        ("REQUEST_METHOD", b"", 405),
        ("REQUEST_METHOD", &long, 405),
    ] {
        let variables = [("PATH_INFO", &b"/news.smil"[..]), (name, value)];
        let reply = request(daemon.path(), &variables);
        assert_eq!(reply.status, status, "{name}={:.40}", String::from_utf8_lossy(value));
        let list = [("SCRIPT_NAME", &b"/relay.cgi"[..]), ("PATH_INFO", b""), (name, value)];
        request(daemon.path(), &list);
    }
}

#[test]
fn no_environment_is_answered() {
    let daemon = Daemon::sending_to(URL);
    let output = command(daemon.path(), &[]).env_clear().output().unwrap();
    assert_eq!(reply(&output).status, 405);
}

#[test]
fn a_server_that_hung_up_is_no_failure() {
    let daemon = Daemon::sending_to(URL);
    let mut command = command(daemon.path(), &[("PATH_INFO", b"/news.smil")]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
