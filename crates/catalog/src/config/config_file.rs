//! Reads dynrelay.toml, as far as it can be read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::edge::Edge;
use super::toml_file::{self, Table};
use super::{Config, Daemon, Limits, Origin, Rtcp, Shutdown};
use crate::file::read_at_most;
use crate::problem::{ConfigError, Fault, Problem};
use model::Rules;
use model::is_name;

/// A dynrelay.toml that was read, with its faults.
#[derive(Debug)]
pub(crate) struct ConfigFile {
    /// A setting with a fault has its default; an edge with a fault is left out.
    pub(crate) config: Config,
    /// The faults, from the top down.
    pub(crate) faults: Vec<Fault>,
    /// Settings that may not be meant so; none if the file has faults.
    pub(crate) warnings: Vec<Problem>,
    /// The names of all edges, also of those with faults.
    pub(crate) edges: BTreeSet<String>,
}

/// The sections of the file.
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

/// The largest dynrelay.toml, in bytes.
const MAX_CONFIG: usize = 1 << 20;

impl ConfigFile {
    /// Reads `file`. Fails if it can't be read, or is not TOML.
    pub(crate) fn of(file: &Path) -> Result<Self, ConfigError> {
        let unreadable = |error| ConfigError::Unreadable { file: file.to_owned(), error };
        let bytes = read_at_most(MAX_CONFIG, file).map_err(unreadable)?;
        let invalid = |fault| ConfigError::Invalid { file: file.to_owned(), faults: vec![fault] };
        let mut read_file =
            Self::parse(&bytes, file.parent().unwrap_or(Path::new(""))).map_err(invalid)?;
        if read_file.faults.is_empty() {
            read_file.warnings = warnings(&read_file.config, file);
        }
        Ok(read_file)
    }

    /// Reads the content of the file; relative paths start from `folder`.
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

/// The names of the edges, and the faults of their tables as a whole: missing keys, and names that are
/// taken.
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

/// Serde's message for a missing key. Serde stops at the first, and says so of a key with a wrong value
/// as well, so [`survey`] reports missing keys instead.
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
