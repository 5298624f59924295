//! Output for programs: one JSON object a line.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::text::is_unsafe;

/// Prints JSON as one line. Escapes characters that a terminal could take for a command. They occur
/// only in strings, so the JSON stays the same.
pub(crate) fn line(out: &mut dyn Write, json: &str) -> io::Result<()> {
    let mut line = String::with_capacity(json.len());
    let mut rest = json;
    // Most characters are letters, digits and quotes.
    while let Some(plain) = rest.bytes().position(|byte| !matches!(byte, b' '..=b'~')) {
        line.push_str(&rest[..plain]);
        let mut letters = rest[plain..].chars();
        match letters.next() {
            // White space between tokens.
            Some('\n' | '\r' | '\t') => line.push(' '),
            Some(letter) if is_unsafe(letter) => {
                let _ = write!(line, "\\u{:04x}", u32::from(letter));
            }
            letter => line.extend(letter),
        }
        rest = letters.as_str();
    }
    line.push_str(rest);
    writeln!(out, "{line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_stays_the_same() {
        let mut out = Vec::new();
        let json = "{\"title\":\"a\u{9b}31m\u{202e}é\",\n\"n\":1}";
        line(&mut out, json).unwrap();
        assert_eq!(str::from_utf8(&out).unwrap(), "{\"title\":\"a\\u009b31m\\u202eé\", \"n\":1}\n");
        let before: serde_json::Value = serde_json::from_str(json).unwrap();
        let after: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(before, after);
    }
}
