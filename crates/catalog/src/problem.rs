//! The faults of files, with their places.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// A problem that the administrator should fix. The rest of the catalogue is not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// The file, or the folder.
    pub file: PathBuf,
    /// The line, counted from 1; none if the problem concerns the whole file.
    pub line: Option<usize>,
    /// The fault, and what to do.
    pub what: String,
    /// How bad it is.
    pub severity: Severity,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It works, but perhaps not as the administrator meant it.
    Warning,
    /// The file is ignored, or a stream can't be relayed to an edge.
    Error,
}

impl Problem {
    pub(crate) fn error(file: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, what: what.into(), severity: Severity::Error }
    }

    pub(crate) fn warning(file: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(file, what) }
    }

    pub(crate) fn at(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }

    /// The same problem, of a file whose earlier content stays in use.
    pub(crate) fn without_effect(self) -> Self {
        Self {
            what: format!("{}; until this is fixed, what was read before stays in use", self.what),
            ..self
        }
    }

    /// The problem with the bare name of its file, for people who may not see where files are.
    pub fn brief(&self) -> String {
        self.under(self.file.file_name().unwrap_or(self.file.as_os_str()))
    }

    fn under(&self, name: &OsStr) -> String {
        // A file name may hold control characters, and these must not break a log line.
        let name = name.to_string_lossy().replace(char::is_control, "?");
        match self.line {
            Some(line) => format!("{name}, line {line}: {}", self.what),
            None => format!("{name}: {}", self.what),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.under(self.file.as_os_str()))
    }
}

/// A mistake in a TOML file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct Fault {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted in characters from 1.
    pub column: usize,
    /// The fault, and the allowed values.
    pub what: String,
}

impl Fault {
    /// A fault at a byte of the text.
    pub(crate) fn at(text: &str, offset: usize, what: impl Into<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            what: what.into(),
        }
    }
}

/// Why dynrelay.toml can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{}: can't be read: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The file has faults. Displayed, each fault has a line of its own.
    #[error("{}", lines(file, faults))]
    Invalid {
        /// The file.
        file: PathBuf,
        /// All faults, from the top down; at least one. An error of TOML's syntax is the only one.
        faults: Vec<Fault>,
    },
}

fn lines(file: &Path, faults: &[Fault]) -> String {
    let lines: Vec<String> =
        faults.iter().map(|fault| format!("{}, {fault}", file.display())).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_one() {
        let position = |text, offset| {
            let Fault { line, column, .. } = Fault::at(text, offset, "");
            (line, column)
        };
        assert_eq!(position("", 0), (1, 1));
        assert_eq!(position("a\nbé = 1", 6), (2, 4));
        assert_eq!(position("a", 99), (1, 2));
    }

    #[test]
    fn each_fault_has_a_line() {
        let fault = |line| Fault { line, column: 1, what: "wrong".into() };
        let error = ConfigError::Invalid { file: "/x".into(), faults: vec![fault(2), fault(3)] };
        assert_eq!(error.to_string(), "/x, line 2, column 1: wrong\n/x, line 3, column 1: wrong");
    }
}
