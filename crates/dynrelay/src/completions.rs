//! `dynrelay completions`: prints the script for a shell's completions, and answers that script.
//!
//! The script itself knows no words. At each Tab it runs this program, which knows its own command
//! line and asks the daemon for the names of streams and edges.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use catalog::Catalog;
use clap::{Command, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};
use control::{Client, ClientError, Request, StreamList};

use crate::context::{Context, default_socket};
use crate::failure::Failure;

/// The variable that the script sets when it asks; its value is the shell's name.
const ASKS: &str = "_DYNRELAY_COMPLETE";

/// A Tab must not wait for a daemon that hangs.
const PATIENCE: Duration = Duration::from_millis(500);

/// zsh reads the script at the first Tab, and expects it to answer that Tab, too.
const AT_FIRST: &str = "[[ $funcstack[1] == _dynrelay ]] && _clap_dynamic_completer_dynrelay\n";

/// A supported shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Prints the script.
pub(crate) fn run(context: &mut Context<'_>, shell: Shell) -> Result<(), Failure> {
    let shell: &dyn EnvCompleter = match shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let mut script = Vec::new();
    shell.write_registration(ASKS, "dynrelay", "dynrelay", "dynrelay", &mut script)?;
    context.out.write_all(script.trim_ascii_start())?;
    if shell.name() == "zsh" {
        context.out.write_all(AT_FIRST.as_bytes())?;
    }
    Ok(())
}

/// If a shell asks which words may come next in this command line, answers and ends the program.
pub(crate) fn answer(command: fn() -> Command) {
    CompleteEnv::with_factory(|| with_names(command())).var(ASKS).complete();
}

/// The command line, with the names that go where it says `STREAM` or `EDGE`.
pub(crate) fn with_names(command: Command) -> Command {
    let in_one_word = matches!(command.get_name(), "show" | "stop");
    let named = command.mut_args(|arg| match arg.get_id().as_str() {
        "stream" if in_one_word => arg.add(ArgValueCompleter::new(streams_or_relays)),
        "stream" | "streams" => arg.add(ArgValueCandidates::new(streams)),
        "edge" | "edges" => arg.add(ArgValueCandidates::new(edges)),
        _ => arg,
    });
    named.mut_subcommands(with_names)
}

fn streams() -> Vec<CompletionCandidate> {
    let mut names: Vec<(String, Option<String>)> = match ask() {
        Ok(StreamList { streams, .. }) => {
            streams.into_iter().map(|one| (one.name, one.title)).collect()
        }
        Err(_) => from_files(|catalog| {
            catalog.streams().map(|one| (one.name.clone(), one.title.clone())).collect()
        }),
    };
    names.sort();
    let candidate = |(name, title): (String, Option<String>)| {
        CompletionCandidate::new(name).help(title.map(|title| crate::text::plain(&title).into()))
    };
    names.into_iter().map(candidate).collect()
}

/// Completes streams; after a slash, relays.
fn streams_or_relays(word: &OsStr) -> Vec<CompletionCandidate> {
    let word = word.to_string_lossy();
    let mut found = match word.split_once('/') {
        None => streams(),
        Some((stream, _)) => {
            let relay = |edge: &CompletionCandidate| {
                format!("{stream}/{}", edge.get_value().to_string_lossy())
            };
            edges().iter().map(relay).map(CompletionCandidate::new).collect()
        }
    };
    found.retain(|one| one.get_value().to_string_lossy().starts_with(&*word));
    found
}

fn edges() -> Vec<CompletionCandidate> {
    let names: BTreeSet<String> = match ask() {
        Ok(StreamList { streams, .. }) => streams.into_iter().flat_map(|one| one.edges).collect(),
        Err(_) => {
            from_files(|catalog| catalog.edges().iter().map(|edge| edge.name.clone()).collect())
        }
    };
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// The names from the daemon.
fn ask() -> Result<StreamList, ClientError> {
    Client::connect(&default_socket(), Some(PATIENCE))?.ask(&Request::streams(false))
}

/// The names from the files, if the daemon is down or the user may not ask it.
fn from_files<T: Default>(names: impl Fn(&Catalog) -> T) -> T {
    let catalog = Catalog::load(Path::new("/etc/dynrelay/dynrelay.toml"));
    catalog.as_ref().map(names).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    #[test]
    fn each_shell_has_a_script_that_asks_this_program() {
        for shell in Shell::value_variants() {
            let script = Fake::answering("").run(|context| run(context, *shell)).unwrap();
            assert!(script.contains(ASKS), "{script}");
        }
    }
}
