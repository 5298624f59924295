//! TOML, read as far as possible, with errors that a person can act on.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer, Error};

use crate::problem::Fault;

/// A TOML text as a tree, with the place of each key and value.
pub(crate) type Table<'t> = Spanned<DeTable<'t>>;

/// At most this many mistakes are named.
const MOST_FAULTS: usize = 100;

/// Parses TOML syntax.
pub(crate) fn parse(text: &str) -> Result<Table<'_>, Fault> {
    DeTable::parse(text).map_err(|error| fault(text, &error))
}

/// Reads as much of a tree as can be read. It names and leaves out what is wrong: an unknown key, a
/// wrong value, an item of a list, a section. What is left out has its default. The faults are in the
/// text's order.
pub(crate) fn salvage<T: DeserializeOwned + Default>(
    text: &str,
    mut table: Table<'_>,
) -> (T, Vec<Fault>) {
    let mut faults = Vec::new();
    let mut read = T::deserialize(Deserializer::from(table.clone()));
    while let Err(error) = &read {
        faults.push(fault(text, error));
        let pruned = error.span().is_some_and(|wrong| prune(table.get_mut(), &wrong));
        if !pruned || faults.len() >= MOST_FAULTS {
            break;
        }
        read = T::deserialize(Deserializer::from(table.clone()));
    }
    faults.sort();
    (read.unwrap_or_default(), faults)
}

/// Removes the innermost item at this place from a table; false if there is none.
fn prune(table: &mut DeTable<'_>, wrong: &Range<usize>) -> bool {
    // A header is the place of a table and, inside the brackets, of its key.
    let unknown = table.keys().find(|key| holds(&key.span(), wrong)).cloned();
    if let Some(key) = unknown {
        return table.remove(&key).is_some();
    }
    if table.iter_mut().any(|(_, value)| prune_value(value.get_mut(), wrong)) {
        return true;
    }
    let unfit = table.iter().find(|(_, value)| holds(&value.span(), wrong));
    let unfit = unfit.map(|(key, _)| key.clone());
    unfit.is_some_and(|key| table.remove(&key).is_some())
}

fn prune_value(value: &mut DeValue<'_>, wrong: &Range<usize>) -> bool {
    match value {
        DeValue::Table(table) => prune(table, wrong),
        DeValue::Array(items) => {
            if items.iter_mut().any(|item| prune_value(item.get_mut(), wrong)) {
                return true;
            }
            let before = items.len();
            let kept = std::mem::replace(items, DeArray::new()).into_iter();
            *items = kept.filter(|item| !holds(&item.span(), wrong)).collect();
            items.len() < before
        }
        _ => false,
    }
}

fn holds(span: &Range<usize>, wrong: &Range<usize>) -> bool {
    span.start <= wrong.start && wrong.end <= span.end
}

fn fault(text: &str, error: &Error) -> Fault {
    let start = error.span().map_or(0, |span| span.start);
    Fault::at(text, start, with_hint(&plain(error.message())))
}

/// Rust's names in serde's messages, and plain words for them.
const PLAIN: [(&str, &str); 7] = [
    ("a nonzero u32", "a whole number, 1 or more"),
    ("u8", "a whole number, 0 to 255"),
    ("u16", "a whole number, 0 to 65535"),
    ("u32", "a whole number, 0 or more"),
    ("usize", "a whole number, 0 or more"),
    ("map, expected a sequence", "a single section; it is written in double brackets: [[edge]]"),
    ("a sequence", "a list: [\"…\", \"…\"]"),
];

/// The message in one line and in plain words. It may quote a key with control characters.
fn plain(message: &str) -> String {
    let mut message = message.replace(char::is_control, " ");
    for (rust, plain) in [
        ("unknown field", "unknown key"),
        ("missing field", "missing key"),
        ("unknown variant", "unknown value"),
    ] {
        if let Some(rest) = message.strip_prefix(rust) {
            message = format!("{plain}{rest}");
        }
    }
    if let Some((rust, plain)) = PLAIN.iter().find(|(rust, _)| message.ends_with(rust)) {
        message.truncate(message.len() - rust.len());
        message.push_str(plain);
    }
    message
}

/// Adds the nearest known key to "unknown key `quite`, expected one of `quiet`, …".
fn with_hint(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next().filter(|_| message.starts_with("unknown "));
    let nearest = unknown.and_then(|unknown| {
        let near = quoted.map(|known| (strsim::levenshtein(unknown, known), known));
        near.min().filter(|(distance, known)| *distance <= known.len().div_ceil(3))
    });
    match nearest {
        Some((_, known)) => format!("{message}; did you mean `{known}`?"),
        None => message.to_owned(),
    }
}
