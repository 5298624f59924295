//! TOML with errors that a person can act on.

use serde::de::DeserializeOwned;

/// Where a TOML text is wrong, and how.
#[derive(Debug)]
pub(crate) struct TomlError {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) what: String,
}

/// Reads a TOML text.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, TomlError> {
    toml::from_str(text).map_err(|error| {
        let (line, column) = position(text, error.span().map_or(0, |span| span.start));
        TomlError { line, column, what: with_hint(&plain(error.message())) }
    })
}

/// Line and column, both counted from 1, of a byte of the text.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

/// What serde calls by the names of Rust, and what to write instead.
const PLAIN: [(&str, &str); 5] = [
    ("a nonzero u32", "a whole number, 1 or more"),
    ("u32", "a whole number, 0 or more"),
    ("usize", "a whole number, 0 or more"),
    ("map, expected a sequence", "a single section; it is written in double brackets: [[edge]]"),
    ("a sequence", "a list: [\"…\", \"…\"]"),
];

/// The message in one line and in plain words. It may quote a key, and that may hold anything.
fn plain(message: &str) -> String {
    let mut message = message.replace(char::is_control, " ");
    if let Some((rust, plain)) = PLAIN.iter().find(|(rust, _)| message.ends_with(rust)) {
        message.truncate(message.len() - rust.len());
        message.push_str(plain);
    }
    message
}

/// Adds the nearest known key to serde's "unknown field `quite`, expected one of `quiet`, …".
fn with_hint(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next().filter(|_| message.starts_with("unknown "));
    let nearest = unknown.and_then(|unknown| {
        let near = quoted.map(|known| (distance(unknown, known), known));
        near.min().filter(|(distance, known)| *distance <= known.len().div_ceil(3))
    });
    match nearest {
        Some((_, known)) => format!("{message}; did you mean `{known}`?"),
        None => message.to_owned(),
    }
}

/// The number of letters to insert, leave out or replace to get from one word to the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        for (cell, wanted) in row[1..].iter_mut().zip(&other) {
            let cost = (diagonal + usize::from(letter != *wanted)).min(*cell + 1).min(left + 1);
            diagonal = *cell;
            *cell = cost;
            left = cost;
        }
        row[0] = above + 1;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_words() {
        for (one, other, expected) in [
            ("", "", 0),
            ("quite", "quiet", 2),
            ("sokcet", "socket", 2),
            ("a", "", 1),
            ("", "ab", 2),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn positions_count_from_one() {
        assert_eq!(position("", 0), (1, 1));
        assert_eq!(position("a\nbé = 1", 6), (2, 4));
        assert_eq!(position("a", 99), (1, 2));
    }
}
