//! Real-life SDP files, each with the expected result.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use catalog::sdp::Session;

/// `audio:5432/1@239.1.2.3;video:5434/1@239.1.2.3`, with ` n=3` for several addresses and ` from …`
/// for a source filter.
fn summary(session: &Session) -> String {
    let media = session.media.iter().map(|media| {
        let addresses: Vec<_> = media.connections.iter().map(|c| c.address.to_string()).collect();
        let addresses = if addresses.is_empty() { "-".to_owned() } else { addresses.join(",") };
        let count = match media.address_count() {
            1 => String::new(),
            count => format!(" n={count}"),
        };
        let senders: Vec<_> = media.allowed_senders().iter().map(ToString::to_string).collect();
        let from = if senders.is_empty() { "" } else { " from " };
        let (kind, port, ports) = (&media.kind, media.port, media.ports);
        format!("{kind}:{port}/{ports}@{addresses}{count}{from}{}", senders.join(","))
    });
    media.collect::<Vec<_>>().join(";")
}

#[test]
fn every_case_gives_the_expected_result() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdp-cases");
    let expected = fs::read(folder.join("expected.json")).unwrap();
    let expected: BTreeMap<String, String> = serde_json::from_slice(&expected).unwrap();
    assert!(expected.len() > 40);
    for (name, expected) in expected {
        let bytes = fs::read(folder.join(&name).with_extension("sdp")).unwrap();
        let read = Session::parse(&bytes);
        match (expected.as_str(), read) {
            ("*", Ok(session)) => {
                assert_eq!(session.media.len(), 2, "{name} lost a media");
                assert_eq!(session.original(), bytes);
            }
            ("ERR", Err(error)) => assert!(error.line > 0 && !error.what.is_empty(), "{name}"),
            ("*", Err(_)) => {}
            (expected, Ok(session)) => assert_eq!(summary(&session), expected, "{name}"),
            (expected, Err(error)) => panic!("{name}: {error}; expected {expected}"),
        }
    }
}

#[test]
fn an_error_has_its_line() {
    for (lines, line, says) in [
        ("", 1, "is empty"),
        ("\u{feff}\r\n\r\n", 1, "is empty"),
        ("root:x:0:0:\n", 1, "this is not SDP, which begins with `v=0`"),
        ("v=0\nroot\n", 2, "`root` is not an SDP line"),
        ("s=x\n", 1, "begins with `v=0`"),
        ("v=0\nM=video 1 RTP/AVP 96\n", 2, "lower-case"),
        ("v=0\nm=video 1 RTP/AVP\n", 2, "m=video 5004 RTP/AVP 96"),
        ("v=0\nm=video +1 RTP/AVP 96\n", 2, "`+1`"),
        ("v=0\nm=video 1/0 RTP/AVP 96\n", 2, "`1/0`"),
        ("v=0\nm=video 65530/4 RTP/AVP 96\n", 2, "`65530/4`"),
        ("v=0\nm=video 1 RTP/AVP 128\n", 2, "`128`"),
        ("v=0\r\n\r\nc=IN IP4 239.1.2.3/999\r\n", 3, "TTL"),
        ("v=0\nc=IN IP4 239.1.2.3/1/0\n", 2, "`0`"),
        ("v=0\nc=IN IP4 239.255.255.255/1/2\n", 2, "not multicast groups"),
        ("v=0\nc=IN IP4 10.0.0.1/1/2\n", 2, "not multicast groups"),
        ("v=0\nc=IN IP6 ff15::1/1/2\n", 2, "no TTL"),
        ("v=0\nc=IN IP4 ff15::1\n", 2, "`IP4 ff15::1`"),
        ("v=0\nc=IN IP4 media.example.com\n", 2, "host name"),
        ("v=0\nc=ATM NSAP 47.0091\n", 2, "`ATM`"),
        ("v=0\na=source-filter: incl IN IP4 239.1.2.3\n", 2, "at least one sender"),
        ("v=0\na=source-filter: only IN IP4 * 1.2.3.4\n", 2, "`only`"),
        ("v=0\nm=audio 1 RTP/AVP 0\na=rtcp:0\n", 3, "not an RTCP port"),
        ("v=0\nm=audio 1 RTP/AVP 0\rm=video 3 RTP/AVP 31\n", 2, "control characters"),
        ("v=0\nm=audio 1 RTP/AVP 0\nv=0\n", 3, "more than one"),
    ] {
        let error = Session::parse(lines.as_bytes()).unwrap_err();
        assert_eq!(error.line, line, "{lines}: {error}");
        assert!(error.what.contains(says), "{lines}: {error}");
    }
}

#[test]
fn a_small_file_cannot_grow_large() {
    let many = |line: &str, count| format!("v=0\n{}", line.repeat(count));
    for (line, most) in [
        ("m=a 1 RTP/AVP 0\n", 256),
        ("c=IN IP4 1.1.1.1\n", 64),
        ("a=source-filter:incl IN IP4 * 1.1.1.1\n", 64),
    ] {
        assert!(Session::parse(many(line, most).as_bytes()).is_ok(), "{line}");
        let error = Session::parse(many(line, most + 1).as_bytes()).unwrap_err();
        assert_eq!(error.line, most + 2, "{error}");
    }
}

#[test]
fn latin1_is_read_letter_by_letter() {
    let session = Session::parse(b"v=0\ns=caf\xe9\x80\n").unwrap();
    assert_eq!(session.title(), Some("caf\u{e9}\u{fffd}"));
}
