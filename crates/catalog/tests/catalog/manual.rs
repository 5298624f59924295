//! dynrelay.toml(5) and the example name every key, with its default, and no other.

use std::collections::{BTreeMap, BTreeSet};

use crate::world::World;

const PAGE: &str = include_str!("../../../../share/man/dynrelay.toml.5");
const EXAMPLE: &str = include_str!("../../../../share/dynrelay.toml");

/// No key has a similar name.
const UNKNOWN: &str = "zzzzzzzzzzzzzzzzzzzz";

/// The keys of each section, with their defaults as text; none if there is no default.
type Sections = BTreeMap<String, BTreeMap<String, Option<String>>>;

/// The words in backticks of a message, without the unknown one.
fn quoted(message: &str) -> BTreeSet<String> {
    let words = message.split('`').skip(1).step_by(2);
    words.filter(|word| *word != UNKNOWN).map(str::to_owned).collect()
}

/// The keys that this text of dynrelay.toml may have, from the message about an unknown key.
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

/// The manual page: `.It Ic key No = Li default` below `.Ss [section]`.
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

/// The example, with commented-out lines.
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
fn manual_and_example_have_the_same_defaults() {
    let example = example();
    for (section, keys) in page() {
        for (key, default) in keys {
            // Where the default is nothing, the example shows a possible value.
            if let Some(default) = default.filter(|default| default != "[]") {
                assert_eq!(example[&section][&key], Some(default), "{section} {key}");
            }
        }
    }
}

#[test]
fn the_manual_has_the_real_defaults() {
    let edge = crate::world::EDGE;
    let told: Vec<String> = page()
        .into_iter()
        .filter(|(section, _)| section != "[[edge]]")
        .map(|(section, keys)| {
            // It has another default for IPv6, and one file cannot have both.
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

/// The keys that this text of a stream's own file may have, as in `allowed`.
fn allowed_of_a_stream(text: &str) -> BTreeSet<String> {
    let world = World::new()
        .file("news.sdp", crate::world::sdp(&["m=audio 4 RTP/AVP 0"]))
        .file("news.toml", format!("{text}\n{UNKNOWN} = 1\n"));
    let problems = world.problems();
    let unknown = problems.iter().find(|problem| problem.contains(UNKNOWN));
    quoted(unknown.unwrap_or_else(|| panic!("{problems:?}")))
}

#[test]
fn the_manual_has_the_keys_of_a_streams_own_file_and_no_other() {
    let folder = PAGE.split(".Sh THE STREAMS FOLDER").nth(1).unwrap();
    let item =
        folder.split(".It Ar stream Ns Pa .toml").nth(1).unwrap().split(".El").next().unwrap();
    let named = item.lines().filter_map(|line| line.strip_prefix(".Ic ")?.split(' ').next());
    // The page refers to [forward].
    let named = named.filter(|name| *name != "[forward]");
    let named: BTreeSet<String> = named.map(|name| name.trim_matches(['[', ']']).into()).collect();
    assert_eq!(named, allowed_of_a_stream(""));
    assert_eq!(allowed_of_a_stream("[shutdown]"), accepted()["[shutdown]"]);
}

#[test]
fn the_manual_has_the_keys_of_a_replica_and_no_other() {
    let replicas = PAGE.split("\n.Sh REPLICAS").nth(1).unwrap().split("\n.Sh").next().unwrap();
    let key = |line: &str| Some(line.strip_prefix(".It Ic ")?.split(' ').next()?.to_owned());
    let named: BTreeSet<String> = replicas.lines().filter_map(key).collect();
    assert_eq!(named, allowed_of_a_stream("[replica]"));
}
