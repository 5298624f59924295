//! dynrelay.toml, read as far as it can be.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use model::{Rules, is_name};
use serde::Deserialize;

use crate::config::{Config, Daemon, Limits, Origin, Rtcp};
use crate::edge::Edge;
use crate::fault::{ConfigError, Fault};
use crate::file::read_at_most;
use crate::problem::Problem;
use crate::rules::Shutdown;
use crate::toml_file::{self, Table};

/// What was read, and what could not be.
#[derive(Debug)]
pub(crate) struct Reading {
    /// What a fault concerns has its default; an edge with a fault is left out.
    pub(crate) config: Config,
    /// What is wrong, from the top down.
    pub(crate) faults: Vec<Fault>,
    /// What may not be meant so. Nothing is said of a file with faults.
    pub(crate) warnings: Vec<Problem>,
    /// The names of all edges, also of those with faults.
    pub(crate) edges: BTreeSet<String>,
}

/// The file as it is written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    daemon: Daemon,
    catalog: Catalog,
    origin: Origin,
    shutdown: Shutdown,
    limits: Limits,
    forward: Forward,
    edge: Vec<Edge>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "the section [catalog]")]
struct Catalog {
    streams: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "the section [forward]")]
struct Forward {
    rtcp: Rtcp,
}

/// More than anybody writes into dynrelay.toml, in bytes.
const MAX_CONFIG: usize = 1 << 20;

impl Reading {
    /// Reads `file`. An error is a file that can't be read, or that is no TOML.
    pub(crate) fn of(file: &Path) -> Result<Self, ConfigError> {
        let unreadable = |error| ConfigError::Unreadable { file: file.to_owned(), error };
        let bytes = read_at_most(MAX_CONFIG, file).map_err(unreadable)?;
        let invalid = |fault| ConfigError::Invalid { file: file.to_owned(), faults: vec![fault] };
        let mut reading =
            Self::parse(&bytes, file.parent().unwrap_or(Path::new(""))).map_err(invalid)?;
        if reading.faults.is_empty() {
            reading.warnings = warnings(&reading.config, file);
        }
        Ok(reading)
    }

    /// Reads what is in the file; `folder` is the one that relative paths start from.
    fn parse(bytes: &[u8], folder: &Path) -> Result<Self, Fault> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            Fault::at(&good, good.len(), "this is not UTF-8")
        })?;
        let table = toml_file::parse(text)?;
        let (edges, mut faults) = survey(text, &table);
        let (mut file, wrong) = toml_file::salvage::<File>(text, table);
        faults.extend(
            wrong.into_iter().filter(|fault| !Edge::KEYS.map(missing).contains(&fault.what)),
        );
        faults.sort();
        let mut names = BTreeSet::new();
        file.edge.retain(|edge| names.insert(edge.name.clone()));
        let config = Config {
            daemon: file.daemon,
            streams: folder.join(file.catalog.streams.unwrap_or_else(|| "streams".into())),
            origin: file.origin,
            rules: file.shutdown.change(Rules::default()),
            limits: file.limits,
            rtcp: file.forward.rtcp,
            edges: file.edge,
        };
        Ok(Self { config, faults, warnings: Vec::new(), edges })
    }
}

/// The names of the edges, and what is wrong with their tables as a whole: keys that lack, names
/// that are taken.
fn survey(text: &str, table: &Table<'_>) -> (BTreeSet<String>, Vec<Fault>) {
    let edges = table.get_ref().get("edge").and_then(|edges| edges.get_ref().as_array());
    let (mut names, mut faults) = (BTreeSet::new(), Vec::new());
    for edge in edges.into_iter().flatten() {
        let Some(keys) = edge.get_ref().as_table() else { continue };
        let fault = |what| Fault::at(text, edge.span().start, what);
        let lacking = Edge::KEYS.into_iter().filter(|key| !keys.contains_key(*key));
        faults.extend(lacking.map(|key| fault(missing(key))));
        let name = keys.get("name").and_then(|name| name.get_ref().as_str());
        if let Some(name) = name.filter(|name| is_name(name))
            && !names.insert(name.to_owned())
        {
            let what = format!("there is an edge `{name}` already; names are unique");
            faults.push(fault(what));
        }
    }
    (names, faults)
}

/// What serde says of a key that lacks. It stops at the first, and says so too of a key whose value
/// was wrong, so that [`survey`] says it instead.
fn missing(key: &str) -> String {
    format!("missing key `{key}`")
}

fn warnings(config: &Config, file: &Path) -> Vec<Problem> {
    let mut warnings = Vec::new();
    if config.edges.is_empty() {
        warnings.push(Problem::warning(file, "there is no [[edge]], so nothing can be relayed"));
    }
    if !config.origin.local.is_empty() && config.origin.url.is_none() {
        let what = "[origin] has `local` but no `url`, so local viewers are sent to an edge";
        warnings.push(Problem::warning(file, what));
    }
    warnings
}
