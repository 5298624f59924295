//! `dynrelayd --check`: reports everything that is wrong with the configuration.

use std::path::Path;
use std::process::ExitCode;

use catalog::{Catalog, ConfigError, Problem, Severity};

/// Prints every fault of dynrelay.toml and every problem of the streams folder. Fails if the daemon
/// would reject the configuration or ignore a file.
pub(crate) fn run(config: &Path) -> ExitCode {
    let (catalog, faults) = match Catalog::salvage(config) {
        Ok(read) => read,
        Err(error) => return unusable(config, &error),
    };
    for fault in &faults {
        eprintln!("{}, {fault}", config.display());
    }
    let idle = catalog.unconsented().filter(|_| faults.is_empty());
    let problems: Vec<Problem> = catalog.problems().iter().cloned().chain(idle).collect();
    problems.iter().for_each(|problem| eprintln!("{problem}"));
    let (streams, edges) = (catalog.streams().count(), catalog.edges().len());
    println!("{}: streams: {streams}, edges: {edges}", config.display());
    let sound = faults.is_empty() && problems.iter().all(|one| one.severity == Severity::Warning);
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Without dynrelay.toml, the streams and edges are unknown, but each SDP file can be read.
fn unusable(config: &Path, error: &ConfigError) -> ExitCode {
    eprintln!("{error}");
    let folder = config.parent().unwrap_or(Path::new("")).join("streams");
    Catalog::unreadable(&folder).iter().for_each(|problem| eprintln!("{problem}"));
    ExitCode::FAILURE
}
