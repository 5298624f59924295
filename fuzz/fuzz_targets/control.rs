//! Fuzzes the lines that callers send to the control socket.
#![no_main]

use control::{MAX_REQUEST, Request, read_line};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = bytes;
    while let Ok(Some(line)) = read_line(&mut input, MAX_REQUEST) {
        match Request::parse(&line) {
            Ok(request) => {
                let written = serde_json::to_string(&request).expect("it can be written");
                assert_eq!(Request::parse(&written).expect("and read again"), request);
            }
            Err(error) => {
                let said = error.to_string();
                assert!(said.len() < 300 && said.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            }
        }
    }
});
