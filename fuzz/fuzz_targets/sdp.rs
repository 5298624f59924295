//! Fuzzes parsing of SDP files.
#![no_main]

use catalog::sdp::Session;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match Session::parse(bytes) {
        Ok(session) => {
            assert_eq!(session.original(), bytes);
            let lines = bytes.split(|byte| b"\r\n".contains(byte));
            let lines = lines.filter(|line| line.trim_ascii_start().starts_with(b"m")).count();
            assert!(session.media.len() <= lines);
            let shown = session.formats().iter().map(|format| format.to_string().len()).sum::<usize>();
            assert!(shown <= 4096 + 64 * bytes.len() * (1 + session.media.len()));
        }
        Err(error) => {
            assert!(error.line >= 1);
            assert!(!error.to_string().contains(char::is_control), "{error:?}");
        }
    }
});
