//! dynrelay.toml and the streams folder.

use std::path::{Path, PathBuf};

use catalog::{Catalog, ConfigError, Fault, Problem, Severity};

use crate::finding::{Finding, Subject};

const UNUSABLE: &str = "fix it: dynrelayd accepts no dynrelay.toml with a fault";
const IDLE: &str = "have that file saved on the edge, save it here, and `dynrelay reload`";

/// The faults of dynrelay.toml.
pub(crate) fn faults(file: &Path, faults: &[Fault]) -> Vec<Finding> {
    faults.iter().map(|fault| of_fault(file, fault, UNUSABLE)).collect()
}

/// The catalogue's problems in the streams folder, and streams without an edge. Streams without an edge
/// are known only if the catalogue is `whole`.
pub(crate) fn findings(catalog: &Catalog, whole: bool) -> Vec<Finding> {
    let advice = |problem: &Problem| match problem.severity {
        Severity::Error => {
            "fix the file, then `dynrelay reload`; until then its last good version stays in use, if it ever had one"
        }
        Severity::Warning => "fix the file, then `dynrelay reload`, unless this is intended",
    };
    let found = catalog.problems().iter().map(|problem| Finding::of(problem, advice(problem)));
    let idle = catalog.unconsented().filter(|_| whole);
    found.chain(idle.map(|problem| Finding::of(&problem, IDLE))).collect()
}

/// The findings if dynrelay.toml can't be read at all. The streams are unknown then, but the SDP files
/// beside it can be read one by one.
pub(crate) fn unusable(config: &Path, error: &ConfigError) -> Vec<Finding> {
    let mut findings = match error {
        ConfigError::Unreadable { file, error } => {
            let what = format!("can't be read: {error}");
            let advice = "dynrelayd needs it: write one, or name another with --config";
            vec![Subject::Files.error(what, advice).at((file.clone(), None))]
        }
        ConfigError::Invalid { file, faults } => {
            let advice = format!(
                "{UNUSABLE}. Then check again: it is not TOML, so nothing else in it could be read"
            );
            faults.iter().map(|fault| of_fault(file, fault, &advice)).collect()
        }
    };
    let folder = config.parent().unwrap_or(Path::new("")).join("streams");
    let faulty = Catalog::unreadable(&folder);
    findings.extend(faulty.iter().map(|problem| Finding::of(problem, "fix the file")));
    findings
}

fn of_fault(file: &Path, Fault { line, column, what }: &Fault, advice: &str) -> Finding {
    let what = format!("column {column}: {what}");
    Subject::Files.error(what, advice).at((file.to_owned(), Some(*line)))
}

/// The path of a stream's SDP file.
pub(crate) fn file_of(catalog: &Catalog, stream: &str) -> PathBuf {
    catalog.config().streams.join(format!("{stream}.sdp"))
}

/// The text of dynrelay.toml, to find the line of a key.
#[derive(Debug)]
pub(crate) struct Written {
    file: PathBuf,
    text: String,
}

impl Written {
    /// Reads the file once more. Without it, findings have no lines.
    pub(crate) fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        Self { file: file.to_owned(), text }
    }

    /// The place where `key` of `[section]` is set.
    pub(crate) fn place(&self, section: &str, key: &str) -> (PathBuf, Option<usize>) {
        let set = |text: &str| text.split_once('=').is_some_and(|(left, _)| left.trim() == key);
        let line = self.lines(section).filter(|(_, text)| set(text)).last();
        (self.file.clone(), line.map(|(number, _)| number))
    }

    /// Whether one of these faults is in `[section]`.
    pub(crate) fn is_broken(&self, section: &str, faults: &[Fault]) -> bool {
        self.lines(section).any(|(number, _)| faults.iter().any(|fault| fault.line == number))
    }

    /// The lines of `[section]`, with its header and without comments.
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
    fn the_line_of_a_key_is_found() {
        let text = "[daemon]\ninterface = 1 # no\n\n[ origin ] # the host\n# interface = 2\n  interface=\"eth0\"\n[[edge]]\n";
        let written = Written { file: "x".into(), text: text.into() };
        assert_eq!(written.place("origin", "interface"), ("x".into(), Some(6)));
        assert_eq!(written.place("origin", "url"), ("x".into(), None));
        let fault = |line| [Fault { line, column: 1, what: String::new() }];
        assert!(written.is_broken("daemon", &fault(2)) && !written.is_broken("daemon", &fault(6)));
    }
}
