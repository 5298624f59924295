//! dynrelay.toml(5) and the example name every key, with its default, and no other.

use std::collections::{BTreeMap, BTreeSet};

use crate::world::World;

const PAGE: &str = include_str!("../../../../share/man/dynrelay.toml.5");
const EXAMPLE: &str = include_str!("../../../../share/dynrelay.toml");

/// Nothing known is called anything like this.
const UNKNOWN: &str = "zzzzzzzzzzzzzzzzzzzz";

/// The keys of each section, and their defaults as they are written; none: there is no default.
type Sections = BTreeMap<String, BTreeMap<String, Option<String>>>;

/// The words that a message puts between backticks, but for the unknown one.
fn quoted(message: &str) -> BTreeSet<String> {
    let words = message.split('`').skip(1).step_by(2);
    words.filter(|word| *word != UNKNOWN).map(str::to_owned).collect()
}

/// What may stand in this text of dynrelay.toml, by what is said of a key that may not.
fn allowed(text: &str) -> BTreeSet<String> {
    let error = World::with(&format!("{text}\n{UNKNOWN} = 1\n")).try_load().unwrap_err();
    let message = error.to_string();
    let unknown = message.lines().find(|line| line.contains(UNKNOWN));
    quoted(unknown.unwrap_or_else(|| panic!("{message}")))
}

fn accepted() -> BTreeMap<String, BTreeSet<String>> {
    let sections = allowed("").into_iter().map(|section| match section.as_str() {
        "edge" => "[[edge]]".to_owned(),
        _ => format!("[{section}]"),
    });
    sections.map(|header| (header.clone(), allowed(&header))).collect()
}

fn keys(sections: &Sections) -> BTreeMap<String, BTreeSet<String>> {
    let keys = |keys: &BTreeMap<String, _>| keys.keys().cloned().collect();
    sections.iter().map(|(section, all)| (section.clone(), keys(all))).collect()
}

/// What the manual page says: `.It Ic key No = Li default` below `.Ss [section]`.
fn page() -> Sections {
    let mut sections = Sections::new();
    let mut current = None;
    for line in PAGE.lines() {
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            [".Ss", section] => current = Some(sections.entry((*section).to_owned()).or_default()),
            [".Sh", ..] => current = None,
            [".It", "Ic", key, rest @ ..] => {
                let default = match rest {
                    ["No", "=", "Li", default] => Some(default.replace("\\(dq", "\"")),
                    _ => None,
                };
                if let Some(keys) = &mut current {
                    keys.insert((*key).to_owned(), default);
                }
            }
            _ => {}
        }
    }
    sections
}

/// What the example says, commented out or not.
fn example() -> Sections {
    let mut sections = Sections::new();
    let mut current = None;
    for line in EXAMPLE.lines() {
        let line = line.strip_prefix('#').unwrap_or(line);
        if line.starts_with('[') {
            current = Some(sections.entry(line.to_owned()).or_default());
        } else if let Some((key, value)) = line.split_once(" = ")
            && key
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || "_0123456789".contains(letter))
        {
            let keys = current.as_mut().unwrap_or_else(|| panic!("{key} is in no section"));
            keys.insert(key.to_owned(), Some(value.to_owned()));
        }
    }
    sections
}

#[test]
fn the_manual_has_every_key_and_no_other() {
    assert_eq!(keys(&page()), accepted());
}

#[test]
fn the_example_has_every_key_and_no_other() {
    assert_eq!(keys(&example()), accepted());
}

#[test]
fn manual_and_example_tell_the_same_defaults() {
    let example = example();
    for (section, keys) in page() {
        for (key, default) in keys {
            // Where nothing is the default the example shows what might be.
            if let Some(default) = default.filter(|default| default != "[]") {
                assert_eq!(example[&section][&key], Some(default), "{section} {key}");
            }
        }
    }
}

#[test]
fn the_defaults_are_those_that_are_told() {
    let edge = crate::world::EDGE;
    let told: Vec<String> = page()
        .into_iter()
        .filter(|(section, _)| section != "[[edge]]")
        .map(|(section, keys)| {
            // Its default is another for IPv6, and it can't be both.
            let keys = keys.into_iter().filter(|(key, _)| key != "probe_interval");
            let told = keys.filter_map(|(key, default)| Some(format!("{key} = {}", default?)));
            format!("{section}\n{}\n", told.collect::<Vec<_>>().join("\n"))
        })
        .collect();
    let (told, untold) = (World::with(&(told.concat() + edge)), World::with(edge));
    let (mut told, untold) = (told.load().config().clone(), untold.load().config().clone());
    // Each has a folder of its own.
    told.streams.clone_from(&untold.streams);
    assert_eq!(told, untold);
}

#[test]
fn the_manual_has_the_keys_of_a_streams_own_file() {
    let files = World::new().file("news.sdp", crate::world::sdp(&["m=audio 4 RTP/AVP 0"]));
    let world = files.file("news.toml", format!("{UNKNOWN} = 1\n"));
    let problems = world.problems();
    let keys = problems.iter().find(|problem| problem.contains(UNKNOWN)).map(|it| quoted(it));
    let keys = keys.filter(|keys| keys.contains("title")).unwrap_or_else(|| panic!("{problems:?}"));
    let folder = PAGE.split(".Sh THE STREAMS FOLDER").nth(1).unwrap();
    for key in keys {
        let named = folder.lines().any(|line| {
            let name = line.strip_prefix(".Ic ").and_then(|rest| rest.split_whitespace().next());
            name.is_some_and(|name| name == key || name == format!("[{key}]"))
        });
        assert!(named, "dynrelay.toml(5): a stream's file may have {key}");
    }
}
