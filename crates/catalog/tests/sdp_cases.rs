//! SDP as it is met in the wild, each file with what must come out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use catalog::sdp::Session;

#[test]
fn every_case_gives_what_is_expected() {
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
            (expected, Ok(session)) => assert_eq!(session.to_string(), expected, "{name}"),
            (expected, Err(error)) => panic!("{name}: {error}; expected {expected}"),
        }
    }
}
