//! Properties of every line that a caller may send.

use control::{MAX_REQUEST, Request, read_line};
use proptest::prelude::*;

/// Well-formed lines with arbitrary words.
fn lines() -> impl Strategy<Value = String> {
    let op = prop::sample::select(vec![
        "start", "stop", "list", "show", "streams", "ping", "reload", "events", "fly",
    ]);
    let field = (
        prop::sample::select(vec![
            "stream", "edge", "client", "all", "rates", "listen", "v", "op", "x",
        ]),
        prop_oneof![
            any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
            any::<i64>().prop_map(|number| number.to_string()),
            prop::sample::select(vec!["null", "true", "[[]]", "{}", "\"203.0.113.9\"", "1"])
                .prop_map(str::to_owned),
        ],
    );
    (op, prop::collection::vec(field, 0..5)).prop_map(|(op, fields)| {
        let fields = fields.iter().map(|(name, value)| format!(",\"{name}\":{value}"));
        format!("{{\"op\":\"{op}\"{}}}", fields.collect::<String>())
    })
}

/// A valid line survives writing and reading. An invalid line is refused in a short, plain line.
fn check(line: &str) -> Result<(), TestCaseError> {
    match Request::parse(line) {
        Ok(request) => {
            let written = serde_json::to_string(&request).map_err(|_| TestCaseError::fail(""))?;
            prop_assert_eq!(Request::parse(&written).ok(), Some(request));
        }
        Err(error) => {
            let said = error.to_string();
            prop_assert!(said.len() < 300, "{}", said);
            prop_assert!(said.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{:?}", said);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_are_lines_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut input = &bytes[..];
        let mut lines = 0;
        while let Ok(Some(line)) = read_line(&mut input, MAX_REQUEST) {
            prop_assert!(!line.contains('\n'));
            check(&line)?;
            lines += 1;
        }
        prop_assert!(lines <= bytes.iter().filter(|byte| **byte == b'\n').count());
    }

    #[test]
    fn any_fields_are_a_request_or_refused(line in lines()) {
        check(&line)?;
    }

    #[test]
    fn any_text_is_a_request_or_refused(line: String) {
        check(&line)?;
    }
}
