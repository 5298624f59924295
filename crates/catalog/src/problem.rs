//! What is wrong in the catalogue's files, short of stopping it.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

/// Something for the admin to mend. The rest of the catalogue is not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// The file, or the folder.
    pub file: PathBuf,
    /// The line, counted from 1, where it is about one.
    pub line: Option<usize>,
    /// What is wrong, and what to do.
    pub what: String,
    /// How bad it is.
    pub severity: Severity,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It works, but perhaps not as it was meant.
    Warning,
    /// The file is passed over, or a stream can't be relayed to an edge.
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

    /// The same of a file whose former content stays in force.
    pub(crate) fn without_effect(self) -> Self {
        Self {
            what: format!("{}; until this is fixed, what was read before stays in use", self.what),
            ..self
        }
    }

    /// The problem with its file's bare name: for whoever may not see where files are.
    pub fn brief(&self) -> String {
        self.under(self.file.file_name().unwrap_or(self.file.as_os_str()))
    }

    fn under(&self, name: &OsStr) -> String {
        // A name from the disk may hold anything; it must not break a log line.
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
