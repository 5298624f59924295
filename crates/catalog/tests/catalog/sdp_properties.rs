//! Properties of the SDP reader for every input.

use std::fs;
use std::path::Path;

use catalog::sdp::{MAX_SDP, Session};
use proptest::prelude::*;

/// Every real-life case, as bytes.
fn cases() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdp-cases");
    let mut cases: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sdp"))
        .collect();
    cases.sort();
    cases.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[derive(Clone, Debug)]
enum Change {
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    SwapLines(prop::sample::Index, prop::sample::Index),
    RepeatLine(prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (at(), prop::sample::select(WORDS)).prop_map(|(at, w)| Change::Insert(at, w.into())),
        (at(), 1usize..12).prop_map(|(at, length)| Change::Remove(at, length)),
        (at(), at()).prop_map(|(one, other)| Change::SwapLines(one, other)),
        at().prop_map(Change::RepeatLine),
    ]
}

const WORDS: &[&str] = &[
    " ",
    "/",
    ":",
    "=",
    "\r\n",
    "\n",
    "0",
    "9999999999",
    "-",
    "*",
    "%eth0",
    "é",
    "\nm=video 1 RTP/AVP 96\n",
    "\nc=IN IP6 ff15::1/3\n",
    "\na=rtcp:9 IN IP4 239.0.0.1\n",
    "\na=source-filter: incl IN * * ::1 1.2.3.4\n",
    "\nr=99999999999d 1h 0\n",
    "\nz=1 -99999999999d\n",
];

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    let lines = |bytes: &[u8]| -> Vec<Vec<u8>> {
        bytes.split_inclusive(|&b| b == b'\n').map(<[u8]>::to_vec).collect()
    };
    match change {
        Change::Replace(at, byte) => *at.get_mut(bytes) = *byte,
        Change::Insert(at, word) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, word.iter().copied());
        }
        Change::Remove(at, length) => {
            let at = at.index(bytes.len());
            bytes.drain(at..(at + length).min(bytes.len()));
        }
        Change::SwapLines(one, other) => {
            let mut lines = lines(bytes);
            let count = lines.len();
            lines.swap(one.index(count), other.index(count));
            *bytes = lines.concat();
        }
        Change::RepeatLine(at) => {
            let mut lines = lines(bytes);
            let at = at.index(lines.len());
            lines.insert(at, lines[at].clone());
            *bytes = lines.concat();
        }
    }
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec(change(), 0..8);
    (prop::sample::select(cases()), changes).prop_map(|(mut bytes, changes)| {
        changes.iter().for_each(|change| apply(&mut bytes, change));
        bytes
    })
}

/// The invariants of every result.
fn check(bytes: &[u8]) {
    match Session::parse(bytes) {
        Err(error) => {
            let lines = bytes.split(|&b| b == b'\n').count();
            assert!((1..=lines).contains(&error.line), "{error}");
            assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
            assert!(error.what.chars().count() <= 201);
        }
        Ok(session) => {
            let lines = bytes.split(|&b| b == b'\n').filter(|l| l.starts_with(b"m=")).count();
            assert_eq!(session.media.len(), lines, "a media was lost");
            assert_eq!(session.original(), bytes);
            for media in &session.media {
                assert!(media.ports > 0 && media.formats.len() <= 128);
                assert!(!media.format().label().chars().any(char::is_control));
            }
        }
    }
}

/// The result of another reader: kind, port, ports, transport, and addresses as text.
fn oracle(bytes: &[u8]) -> Option<Vec<String>> {
    let session = sdp_types::Session::parse(bytes).ok()?;
    let media_list = session.medias.iter().map(|media| {
        let own = media.connections.iter();
        let connections: Vec<_> = if media.connections.is_empty() {
            session.connection.iter().collect()
        } else {
            own.collect()
        };
        let addresses = connections.iter().map(|c| c.connection_address.to_lowercase());
        let addresses: Vec<String> = addresses
            .map(|text| text.split(['/', '%']).next().unwrap_or_default().to_owned())
            .map(|text| text.parse::<std::net::IpAddr>().map_or(text, |ip| ip.to_string()))
            .collect();
        let kind = media.media.to_lowercase();
        let ports = media.num_ports.unwrap_or(1);
        format!("{kind} {}/{ports} {} {addresses:?}", media.port, media.proto)
    });
    Some(media_list.collect())
}

fn ours(session: &Session) -> Vec<String> {
    let media_list = session.media.iter().map(|media| {
        let addresses: Vec<String> =
            media.connections.iter().map(|c| c.address.to_string()).collect();
        format!("{} {}/{} {} {addresses:?}", media.kind, media.port, media.ports, media.proto)
    });
    media_list.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        check(&bytes);
    }

    #[test]
    fn any_lines_are_read_or_refused(lines in "v=0\n([a-z]=[ -~]{0,30}\r?\n){0,20}") {
        check(lines.as_bytes());
    }

    #[test]
    fn changed_cases_are_read_or_refused(bytes in mutated()) {
        check(&bytes);
    }

    #[test]
    fn both_readers_agree(bytes in mutated()) {
        // The other reader takes two spaces for an empty word, and a tab for a letter.
        prop_assume!(!bytes.windows(2).any(|pair| pair == b"  ") && !bytes.contains(&b'\t'));
        if let (Ok(session), Some(oracle)) = (Session::parse(&bytes), oracle(&bytes)) {
            prop_assert_eq!(ours(&session), oracle, "{}", bytes.escape_ascii());
        }
    }
}

#[test]
fn sdp_larger_than_64_kib_is_refused() {
    for byte in [b'a', b'\n', b'=', 0, 0xff] {
        let error = Session::parse(&vec![byte; 1 << 20]).unwrap_err();
        assert!(error.what.contains("65536"), "{error}");
    }
    let mut full = b"v=0\n".to_vec();
    full.resize(MAX_SDP, b'\n');
    assert!(Session::parse(&full).is_ok());
}
