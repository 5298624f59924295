//! The lines of an SDP file.

/// The longest error message, in characters: a message may quote the file.
const LONGEST_MESSAGE: usize = 200;

/// The most `c=` lines, and the most source filters, of one section.
pub(super) const MAX_LINES: usize = 64;

/// Why a file is not SDP, or can't be used for a relay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct SdpError {
    /// The line, counted from 1.
    pub line: usize,
    /// The fault.
    pub what: String,
}

/// One `x=value` line.
#[derive(Debug)]
pub(super) struct Line {
    /// Counted from 1.
    pub(super) number: usize,
    /// The lower-case letter before the equals sign.
    pub(super) key: char,
    /// The text after it, without white space at its end.
    pub(super) value: String,
}

impl Line {
    /// An error about this line.
    pub(super) fn error(&self, what: impl Into<String>) -> SdpError {
        let mut what = what.into();
        if let Some((end, _)) = what.char_indices().nth(LONGEST_MESSAGE) {
            what.truncate(end);
            what.push('…');
        }
        SdpError { line: self.number, what }
    }

    /// The value's words, joined by single spaces, as the grammar requires.
    pub(super) fn words(&self) -> String {
        self.value.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The name and the value of an `a=name:value` line. The value is trimmed, and empty if there is
    /// none.
    pub(super) fn attribute(&self) -> Option<(&str, &str)> {
        let (name, value) = self.value.split_once(':').unwrap_or((&self.value, ""));
        (self.key == 'a').then(|| (name.trim(), value.trim()))
    }

    /// Adds what this line says to a list of at most `most` items.
    pub(super) fn push<T>(&self, list: &mut Vec<T>, item: T, most: usize) -> Result<(), SdpError> {
        if list.len() >= most {
            return Err(self.error(format!("more than {most} of these lines are a mistake")));
        }
        list.push(item);
        Ok(())
    }
}

/// Splits a file into its lines. They may end in CRLF, LF, or a mixture. A byte order mark and blank
/// lines are ignored, tabs count as spaces, and a line that is not UTF-8 is read as Latin-1, which old
/// encoders write.
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
    // A control character means a binary file, or a lone CR that hides a line.
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
                "`{start}` is not an SDP line; one is a lower-case letter, `=` and a value"
            ))
        }
    }
}

/// A number of digits alone: no sign, no space.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
