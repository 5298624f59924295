//! dynrelay.toml and the streams folder.

use std::path::{Path, PathBuf};

use catalog::sdp::Session;
use catalog::{Catalog, ConfigError, Problem, Refusal, Severity, Stream};

use super::finding::{About, Finding};

/// What is wrong in the files, by the catalogue, and streams that go nowhere.
pub(super) fn findings(catalog: &Catalog) -> Vec<Finding> {
    let advice = |problem: &Problem| match problem.severity {
        Severity::Error => "mend the file, then `dynrelay reload`; until then it is passed over",
        Severity::Warning => "mend the file, then `dynrelay reload`, unless it is meant so",
    };
    let found = catalog.problems().iter().map(|problem| Finding::of(problem, advice(problem)));
    let idle = catalog.streams().filter(|stream| nobody_takes(catalog, stream));
    found.chain(idle.map(|stream| goes_nowhere(catalog, stream))).collect()
}

/// What to say where dynrelay.toml itself can't be used. The streams it would name can't be
/// known then, but the SDP files beside it can be read one by one.
pub(super) fn unusable(config: &Path, error: &ConfigError) -> Vec<Finding> {
    let about = About::Files;
    let finding = match error {
        ConfigError::Unreadable { file, source } => {
            let what = format!("can't be read: {source}");
            let advice = "dynrelayd needs it: write one, or name another with --config";
            Finding::error(about, what, advice).at((file.clone(), None))
        }
        ConfigError::Invalid { file, line, column, what } => {
            let what = format!("column {column}: {what}");
            let advice = "mend it; dynrelayd does not start with it, and a reload refuses it. \
                          Then check again: nothing after this line was looked at";
            Finding::error(about, what, advice).at((file.clone(), Some(*line)))
        }
    };
    let folder = config.parent().unwrap_or(Path::new("")).join("streams");
    let mut sdp: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path()).collect();
    sdp.retain(|path| path.extension().is_some_and(|extension| extension == "sdp"));
    sdp.sort();
    let faulty = sdp.iter().filter_map(|path| Session::read(path).err());
    let faulty = faulty.map(|problem| Finding::of(&problem, "mend the file"));
    std::iter::once(finding).chain(faulty).collect()
}

/// Whether no edge has a file for the stream. One whose file does not fit has been reported.
fn nobody_takes(catalog: &Catalog, stream: &Stream) -> bool {
    let refused =
        |edge: &str| matches!(catalog.route(&stream.name, edge), Err(Refusal::NoConsent { .. }));
    !catalog.edges().is_empty() && catalog.edges().iter().all(|edge| refused(&edge.name))
}

fn goes_nowhere(catalog: &Catalog, stream: &Stream) -> Finding {
    let name = &stream.name;
    let what = format!("no edge has agreed to take {name}, so it can't be relayed");
    let edge = catalog.edges().first().map_or("EDGE", |edge| &edge.name);
    let advice = format!("put the SDP file that an edge has for it here as {name}.{edge}.sdp");
    Finding::warning(About::Files, what, advice).at((file_of(catalog, name), None))
}

/// The path of a stream's SDP file.
pub(super) fn file_of(catalog: &Catalog, stream: &str) -> PathBuf {
    catalog.config().streams.join(format!("{stream}.sdp"))
}

/// dynrelay.toml as it is written, to find the line that says a thing.
#[derive(Debug)]
pub(super) struct Written {
    file: PathBuf,
    text: String,
}

impl Written {
    /// Reads the file once more; without it, places have no lines.
    pub(super) fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        Self { file: file.to_owned(), text }
    }

    /// Where `key` of `[section]` is set.
    pub(super) fn place(&self, section: &str, key: &str) -> (PathBuf, Option<usize>) {
        let mut inside = false;
        let mut line = None;
        for (number, text) in (1..).zip(self.text.lines()) {
            let text = text.split('#').next().unwrap_or_default().trim();
            if let Some(header) = text.strip_prefix('[') {
                inside = header.trim_end_matches(']').trim() == section;
            } else if inside && text.split_once('=').is_some_and(|(left, _)| left.trim() == key) {
                line = Some(number);
            }
        }
        (self.file.clone(), line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_key() {
        let text = "[daemon]\ninterface = 1 # no\n\n[ origin ] # the host\n# interface = 2\n  interface=\"eth0\"\n[[edge]]\n";
        let written = Written { file: "x".into(), text: text.into() };
        assert_eq!(written.place("origin", "interface"), ("x".into(), Some(6)));
        assert_eq!(written.place("origin", "url"), ("x".into(), None));
    }
}
