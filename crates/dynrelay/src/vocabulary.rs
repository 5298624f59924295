//! `dynrelay vocabulary`: every word that this command takes or prints, as JSON. A test compares it
//! with the manual pages.

use std::collections::BTreeMap;

use clap::{Arg, Command};
use control::{ErrorCode, Request, Verdict};
use doctor::{Outcome, Severity, Stage, Subject};
use model::{Acceptance, CloseReason, FlowKind, Gate, SourceState, State};
use serde_json::{Value, json};

use crate::context::{Context, Variable};
use crate::failure::Failure;
use crate::json;

/// Prints the words; `command` is the command line.
pub(crate) fn run(context: &mut Context<'_>, command: &Command) -> Result<(), Failure> {
    let mut commands = BTreeMap::new();
    collect("", command, &mut commands);
    let words = json!({
        "commands": commands,
        "everywhere": ["json", "socket", "help", "version"],
        "environment": Variable::ALL,
        "check": { "subjects": Subject::ALL, "severities": Severity::ALL },
        "walk": { "steps": Stage::ALL, "outcomes": Outcome::ALL },
        "scan": Verdict::ALL,
        "relay": { "states": State::ALL, "reasons": CloseReason::ALL },
        "protocol": {
            "requests": requests(),
            "codes": ErrorCode::ALL,
            "words": [
                json!(Gate::ALL), json!(FlowKind::ALL), json!(Acceptance::ALL),
                json!(SourceState::ALL), json!(State::ALL), json!(control::OriginKind::ALL),
            ],
        },
    });
    json::line(context.out, &words.to_string())?;
    Ok(())
}

/// Each command that can be given, by its words, with its options and arguments.
fn collect(words: &str, command: &Command, found: &mut BTreeMap<String, Value>) {
    for next in command.get_subcommands().filter(|next| !next.is_hide_set()) {
        let words = format!("{words} {}", next.get_name()).trim().to_owned();
        if next.has_subcommands() {
            collect(&words, next, found);
            continue;
        }
        let own = || next.get_arguments().filter(|arg| !arg.is_global_set());
        let options: Vec<&str> = own().filter_map(Arg::get_long).collect();
        let taking = own().filter(|arg| arg.get_action().takes_values());
        let arguments: Vec<String> = taking
            .flat_map(|arg| arg.get_value_names().unwrap_or_default())
            .map(|name| name.to_lowercase())
            .collect();
        found.insert(words, json!({ "options": options, "arguments": arguments }));
    }
}

/// The requests, as the error for one that does not exist lists them.
fn requests() -> Vec<String> {
    let error = Request::parse(r#"{"op":""}"#).err().map(|error| error.to_string());
    let error = error.unwrap_or_default();
    let words = error.split('`').skip(1).step_by(2).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_listed() {
        let requests = requests();
        for word in ["start", "stop", "list", "show", "streams", "scan", "ping", "reload", "events"]
        {
            assert!(requests.iter().any(|one| one == word), "{word}: {requests:?}");
        }
    }
}
