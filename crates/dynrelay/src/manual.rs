//! dynrelay(1) describes exactly the command line.

use std::collections::BTreeMap;

use clap::{Arg, Command, CommandFactory};

use crate::command::Arguments;

const PAGE: &str = include_str!("../../../share/man/dynrelay.1");

/// Options that every command has.
const EVERYWHERE: [&str; 4] = ["json", "socket", "help", "version"];

/// The commands of the page: the words of each `.It Ic` line, and those of the lines below it.
fn described() -> BTreeMap<String, Vec<Vec<&'static str>>> {
    let mut commands: BTreeMap<String, Vec<Vec<&str>>> = BTreeMap::new();
    let mut current = None;
    for line in PAGE.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [".It", "Ic", rest @ ..] => {
                let name = rest.iter().take_while(|word| !is_macro(word)).copied();
                current = Some(name.collect::<Vec<_>>().join(" "));
            }
            [".Ss" | ".Sh", ..] => current = None,
            _ => {}
        }
        if let Some(command) = &current {
            commands.entry(command.clone()).or_default().push(words);
        }
    }
    commands
}

/// Whether this is a macro: two letters, the first a capital.
fn is_macro(word: &str) -> bool {
    matches!(word.as_bytes(), [b'A'..=b'Z', b'a'..=b'z'])
}

/// The words after a macro on these lines: options after `Fl`, arguments after `Ar`.
fn marked<'a>(lines: &[Vec<&'a str>], wanted: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for line in lines {
        let mut within = "";
        for &word in line {
            if is_macro(word.trim_start_matches('.')) {
                within = word.trim_start_matches('.');
            } else if within == wanted && word.len() > 1 {
                found.push(word.trim_start_matches('-'));
            }
        }
    }
    found
}

/// Every command, with the words that lead to it.
fn commands() -> Vec<(String, Command)> {
    fn below(way: &str, command: &Command, found: &mut Vec<(String, Command)>) {
        for next in command.get_subcommands().filter(|next| !next.is_hide_set()) {
            let way = format!("{way} {}", next.get_name()).trim().to_owned();
            if next.has_subcommands() {
                below(&way, next, found);
            } else {
                found.push((way, next.clone()));
            }
        }
    }
    let mut found = Vec::new();
    below("", &Arguments::command(), &mut found);
    found
}

/// The placeholders for an argument's value in help and manual, in lower case.
fn values(arg: &Arg) -> Vec<String> {
    let names = arg.get_value_names().unwrap_or_default();
    let names = names.iter().map(|name| name.to_lowercase());
    if arg.get_action().takes_values() { names.collect() } else { Vec::new() }
}

#[test]
fn each_command_its_options_and_arguments_are_described() {
    let described = described();
    for (way, command) in commands() {
        let lines = described.get(&way).unwrap_or_else(|| panic!("dynrelay(1) lacks `{way}`"));
        let (options, arguments) = (marked(lines, "Fl"), marked(lines, "Ar"));
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            if let Some(long) = arg.get_long().filter(|long| !EVERYWHERE.contains(long)) {
                assert!(options.contains(&long), "dynrelay(1), {way}: --{long} is missing");
            }
            for value in values(arg).iter().filter(|_| !arg.is_global_set()) {
                let bare = |one: &str| one.trim_end_matches([',', '.', '…']).to_owned();
                let named = arguments.iter().any(|one| bare(one) == bare(value));
                assert!(named, "dynrelay(1), {way}: the argument {value} is missing");
            }
        }
    }
}

#[test]
fn the_page_describes_only_what_exists() {
    let commands: BTreeMap<String, Command> = commands().into_iter().collect();
    for (way, lines) in described() {
        let command = commands.get(&way).unwrap_or_else(|| panic!("there is no `dynrelay {way}`"));
        let known = |option: &str| {
            let mut long = command.get_arguments().filter_map(Arg::get_long);
            EVERYWHERE.contains(&option) || long.any(|long| long == option)
        };
        for option in marked(&lines, "Fl") {
            assert!(known(option), "dynrelay(1), {way}: there is no --{option}");
        }
    }
    let all: Vec<Vec<&str>> = PAGE.lines().map(|line| line.split_whitespace().collect()).collect();
    let everywhere = marked(&all, "Fl").into_iter().filter(|word| !word.is_empty());
    for option in everywhere {
        let known = commands.values().flat_map(Command::get_arguments).filter_map(Arg::get_long);
        let known = known.chain(EVERYWHERE).any(|long| long == option);
        assert!(known, "dynrelay(1): there is no --{option}");
    }
}

#[test]
fn the_page_has_the_options_of_every_command() {
    let all: Vec<Vec<&str>> = PAGE.lines().map(|line| line.split_whitespace().collect()).collect();
    for option in EVERYWHERE {
        assert!(marked(&all, "Fl").contains(&option), "dynrelay(1): --{option} is missing");
    }
}
