//! dynrelay.toml and the streams folder.

use std::path::{Path, PathBuf};

use catalog::sdp::Session;
use catalog::{Catalog, ConfigError, Fault, Problem, Refusal, Severity, Stream};

use super::finding::{About, Finding};

const UNUSABLE: &str = "mend it: dynrelayd takes no file with a fault";

/// What is wrong in dynrelay.toml.
pub(super) fn faults(file: &Path, faults: &[Fault]) -> Vec<Finding> {
    faults.iter().map(|fault| of_fault(file, fault, UNUSABLE)).collect()
}

/// What is wrong in the streams folder, by the catalogue, and streams that go nowhere. Which ones
/// those are can't be told of a catalogue that is not `whole`.
pub(super) fn findings(catalog: &Catalog, whole: bool) -> Vec<Finding> {
    let advice = |problem: &Problem| match problem.severity {
        Severity::Error => "mend the file, then `dynrelay reload`; until then it is passed over",
        Severity::Warning => "mend the file, then `dynrelay reload`, unless it is meant so",
    };
    let found = catalog.problems().iter().map(|problem| Finding::of(problem, advice(problem)));
    let idle = catalog.streams().filter(|stream| whole && nobody_takes(catalog, stream));
    found.chain(idle.map(|stream| goes_nowhere(catalog, stream))).collect()
}

/// What to say where dynrelay.toml can't be read at all. The streams it would name can't be known
/// then, but the SDP files beside it can be read one by one.
pub(super) fn unusable(config: &Path, error: &ConfigError) -> Vec<Finding> {
    let mut findings = match error {
        ConfigError::Unreadable { file, source } => {
            let what = format!("can't be read: {source}");
            let advice = "dynrelayd needs it: write one, or name another with --config";
            vec![Finding::error(About::Files, what, advice).at((file.clone(), None))]
        }
        ConfigError::Invalid { file, faults } => {
            let advice = format!(
                "{UNUSABLE}. Then check again: this is no TOML, so that nothing \
                                  else in it was looked at"
            );
            faults.iter().map(|fault| of_fault(file, fault, &advice)).collect()
        }
    };
    let folder = config.parent().unwrap_or(Path::new("")).join("streams");
    let mut sdp: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path()).collect();
    sdp.retain(|path| path.extension().is_some_and(|extension| extension == "sdp"));
    sdp.sort();
    let faulty = sdp.iter().filter_map(|path| Session::read(path).err());
    findings.extend(faulty.map(|problem| Finding::of(&problem, "mend the file")));
    findings
}

fn of_fault(file: &Path, Fault { line, column, what }: &Fault, advice: &str) -> Finding {
    let what = format!("column {column}: {what}");
    Finding::error(About::Files, what, advice).at((file.to_owned(), Some(*line)))
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
        let set = |text: &str| text.split_once('=').is_some_and(|(left, _)| left.trim() == key);
        let line = self.lines(section).filter(|(_, text)| set(text)).last();
        (self.file.clone(), line.map(|(number, _)| number))
    }

    /// Whether one of these faults is in `[section]`.
    pub(super) fn is_broken(&self, section: &str, faults: &[Fault]) -> bool {
        self.lines(section).any(|(number, _)| faults.iter().any(|fault| fault.line == number))
    }

    /// The lines of `[section]`, its header too, without what is a comment.
    fn lines(&self, section: &str) -> impl Iterator<Item = (usize, &str)> {
        let mut inside = false;
        let lines = self.text.lines().map(|text| text.split('#').next().unwrap_or_default().trim());
        (1..).zip(lines).filter(move |(_, text)| {
            if let Some(header) = text.strip_prefix('[') {
                inside = header.trim_end_matches(']').trim() == section;
            }
            inside
        })
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
        let fault = |line| [Fault { line, column: 1, what: String::new() }];
        assert!(written.is_broken("daemon", &fault(2)) && !written.is_broken("daemon", &fault(6)));
    }
}
