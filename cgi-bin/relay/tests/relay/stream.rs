//! A viewer asks for a stream, and relay.cgi sends them there.

use roxmltree::Document;

use crate::daemon::Daemon;
use crate::reply::Reply;
use crate::run::request;

const URL: &str = "rtsp://dss2.example.net/news.sdp";

fn get(daemon: &Daemon, path: &str, query: &str) -> Reply {
    let variables = [
        ("PATH_INFO", path.as_bytes()),
        ("QUERY_STRING", query.as_bytes()),
        ("SCRIPT_NAME", b"/cgi-bin/relay.cgi"),
        ("REMOTE_ADDR", b"203.0.113.9"),
        ("HTTP_X_FORWARDED_FOR", b"192.0.2.1"),
    ];
    request(daemon.path(), &variables)
}

#[test]
fn each_document_sends_the_player_on() {
    let daemon = Daemon::sending_to(URL);
    for (extension, content_type) in [
        ("smil", "application/smil+xml"),
        ("qtl", "application/x-quicktime-media-link"),
        ("ram", "audio/x-pn-realaudio"),
        ("m3u", "audio/x-mpegurl"),
        ("xspf", "application/xspf+xml"),
        ("pls", "audio/x-scpls"),
        ("asx", "video/x-ms-wvx"),
    ] {
        let by_path = get(&daemon, &format!("/news.{extension}"), "");
        let by_query = get(&daemon, "", &format!("stream=news&format={extension}"));
        for reply in [by_path, by_query] {
            assert_eq!((reply.status, reply.header("content-type")), (200, content_type));
            let disposition = format!("inline; filename=\"news.{extension}\"");
            assert_eq!(reply.header("content-disposition"), disposition);
            assert!(reply.text().contains(URL), "{reply:?}");
            if ["smil", "qtl", "xspf", "asx"].contains(&extension) {
                assert!(Document::parse(reply.text()).is_ok(), "{reply:?}");
            }
        }
    }
    let question = r#"{"op":"start","stream":"news","client":"203.0.113.9"}"#;
    assert_eq!(daemon.questions(), vec![question; 14]);
}

#[test]
fn other_endings_lead_to_the_nearest_document() {
    let daemon = Daemon::sending_to(URL);
    for (path, content_type) in [
        ("/news.m3u8", "audio/x-mpegurl"),
        ("/news.smi", "application/smil+xml"),
        ("/news.SMIL", "application/smil+xml"),
        ("/news.ASX", "video/x-ms-wvx"),
    ] {
        let reply = get(&daemon, path, "");
        assert_eq!((reply.status, reply.header("content-type")), (200, content_type));
    }
    let question = r#"{"op":"start","stream":"news","client":"203.0.113.9"}"#;
    assert_eq!(daemon.questions(), vec![question; 4]);
    let unknown = r#"{"error":{"code":"unknown-stream","message":"no stream"}}"#;
    let reply = get(&Daemon::saying(format!("{unknown}\n")), "/news.sdp", "");
    assert_eq!(reply.status, 404);
    assert!(reply.text().contains(".smil, .qtl, .ram, .m3u, .xspf, .pls, .asx or .redirect"));
}

#[test]
fn a_document_is_found_without_path_info() {
    let daemon = Daemon::sending_to(URL);
    let path = b"/cgi-bin/relay.cgi/news.m3u";
    for script in [&b"/cgi-bin/relay.cgi"[..], path] {
        let reply = request(daemon.path(), &[("SCRIPT_NAME", script), ("REQUEST_URI", path)]);
        assert_eq!((reply.status, reply.header("content-type")), (200, "audio/x-mpegurl"));
    }
    assert_eq!(daemon.questions(), vec![r#"{"op":"start","stream":"news"}"#; 2]);
}

#[test]
fn a_redirection_goes_to_the_url() {
    let daemon = Daemon::sending_to(URL);
    for (path, query) in [("/news.redirect", ""), ("/", "stream=news&format=redirect")] {
        let reply = get(&daemon, path, query);
        assert_eq!((reply.status, reply.header("location")), (302, URL));
    }
}

#[test]
fn a_head_starts_nothing() {
    let daemon = Daemon::sending_to(URL);
    for (path, status, content_type) in [
        ("/news.one.m3u", 200, "audio/x-mpegurl"),
        ("/news.redirect", 302, "text/plain; charset=utf-8"),
        ("/nothing.smil", 404, "text/plain; charset=utf-8"),
        ("/", 200, "text/html; charset=utf-8"),
    ] {
        let head = [("REQUEST_METHOD", &b"HEAD"[..]), ("PATH_INFO", path.as_bytes())];
        let reply = request(daemon.path(), &head);
        assert_eq!((reply.status, reply.header("content-type")), (status, content_type));
        assert!(reply.body.is_empty(), "{reply:?}");
    }
    let mut questions: Vec<String> = ["news.one", "news", "nothing"]
        .map(|name| format!(r#"{{"op":"streams","page":1,"search":"{name}"}}"#))
        .into();
    questions.push(r#"{"op":"streams","page":1}"#.to_owned());
    assert_eq!(daemon.questions(), questions);
}

#[test]
fn without_a_stream_the_page_lists_all() {
    let daemon = Daemon::sending_to(URL);
    let reply = get(&daemon, "", "f=\"a\"&f=<a>");
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(reply.header("content-security-policy").starts_with("default-src 'none';"));
    let page = reply.text();
    assert!(page.contains("The &lt;News&gt;"), "{page}");
    assert!(page.contains(r#"<a href="/cgi-bin/relay.cgi/news.one.xspf">"#), "{page}");
    assert_eq!(daemon.questions(), vec![r#"{"op":"streams","listen":true,"page":1}"#]);
}

#[test]
fn the_style_of_the_page_is_not_a_stream() {
    let daemon = Daemon::sending_to(URL);
    let reply = get(&daemon, "/.style.css", "");
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/css"));
    assert_eq!(reply.header("cache-control"), "max-age=86400");
    assert!(get(&daemon, "", "").text().contains("href=\"/cgi-bin/relay.cgi/.style.css?"));
    assert_eq!(daemon.questions().len(), 1);
}
