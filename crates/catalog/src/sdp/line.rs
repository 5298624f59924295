//! The lines of an SDP file, normalised.

use super::SdpError;

/// The longest message, in letters.
const LONGEST_MESSAGE: usize = 200;

/// One `x=value` line.
#[derive(Debug)]
pub(super) struct Line {
    /// Counted from 1.
    pub(super) number: usize,
    /// The lower-case letter before the equals sign.
    pub(super) key: char,
    /// What follows it, without trailing white space.
    pub(super) value: String,
}

impl Line {
    /// An error about this line.
    pub(super) fn error(&self, what: impl Into<String>) -> SdpError {
        SdpError { line: self.number, what: shorten(what.into()) }
    }

    /// The value's words, joined by single spaces, as the grammar wants them.
    pub(super) fn words(&self) -> String {
        self.value.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The name and the value of an `a=name:value` line; the value is trimmed, and empty where
    /// there is none.
    pub(super) fn attribute(&self) -> Option<(&str, &str)> {
        let (name, value) = self.value.split_once(':').unwrap_or((&self.value, ""));
        (self.key == 'a').then(|| (name.trim(), value.trim()))
    }
}

/// A message that quotes the file may quote very much.
fn shorten(what: String) -> String {
    match what.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &what[..end]),
        None => what,
    }
}

/// Splits a file into its lines. Ends may be CRLF, LF or a mixture; a byte order mark and blank
/// lines are passed over; tabs count as spaces; a line that is not UTF-8 is read as Latin-1, as old encoders write it.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = Result<Line, SdpError>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.split(|&byte| byte == b'\n').enumerate().filter_map(|(index, raw)| {
        let raw = raw.trim_ascii_end();
        (!raw.is_empty()).then(|| line(index + 1, raw))
    })
}

fn line(number: usize, raw: &[u8]) -> Result<Line, SdpError> {
    let error = |what: String| Err(SdpError { line: number, what });
    let latin1 = |&byte: &u8| match char::from(byte) {
        '\t' => ' ',
        '\u{80}'..='\u{9f}' => char::REPLACEMENT_CHARACTER,
        letter => letter,
    };
    let text = match std::str::from_utf8(raw) {
        Ok(text) => text.replace('\t', " "),
        Err(_) => raw.iter().map(latin1).collect(),
    };
    // A control character here means a binary file, or a lone CR that hides a line.
    if text.chars().any(char::is_control) {
        return error("there are control characters in this line; is it an SDP file?".into());
    }
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(key @ 'a'..='z'), Some('=')) => {
            Ok(Line { number, key, value: chars.as_str().to_owned() })
        }
        _ => {
            let start: String = text.chars().take(20).collect();
            error(format!(
                "`{start}` is not an SDP line; one is a lower-case letter, `=` and a \
                value"
            ))
        }
    }
}

/// A number of digits alone: no sign, no space.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
