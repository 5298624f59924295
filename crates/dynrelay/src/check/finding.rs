//! One thing that is wrong.

use std::path::PathBuf;

use catalog::{Problem, Severity};
use serde::Serialize;

/// One thing that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// `error` or `warning`.
    #[serde(serialize_with = "word")]
    pub(crate) severity: Severity,
    /// The part of the configuration.
    pub(crate) about: About,
    /// What is wrong.
    pub(crate) what: String,
    /// The file that says it.
    #[serde(serialize_with = "shown")]
    pub(crate) file: Option<PathBuf>,
    /// The line, counted from 1.
    pub(crate) line: Option<usize>,
    /// What to do about it.
    pub(crate) advice: String,
}

/// The parts of a configuration, in the order in which they are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum About {
    /// dynrelay.toml and the streams folder.
    Files,
    /// The interfaces that multicast arrives on.
    Interfaces,
    /// The groups, and this host's own addresses.
    Groups,
    /// The control socket.
    Socket,
    /// The file that remembers the relays.
    State,
    /// What the running daemon found out about edges.
    Edges,
}

impl About {
    /// The part's heading.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Files => "Files",
            Self::Interfaces => "Interfaces",
            Self::Groups => "Groups",
            Self::Socket => "Socket",
            Self::State => "State",
            Self::Edges => "Edges",
        }
    }
}

impl Finding {
    /// Something that does not work.
    pub(crate) fn error(about: About, what: impl Into<String>, advice: impl Into<String>) -> Self {
        let (what, advice) = (what.into(), advice.into());
        Self { severity: Severity::Error, about, what, file: None, line: None, advice }
    }

    /// Something that may not be meant so.
    pub(crate) fn warning(
        about: About,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(about, what, advice) }
    }

    /// The same, said by that place.
    pub(crate) fn at(self, (file, line): (PathBuf, Option<usize>)) -> Self {
        Self { file: Some(file), line, ..self }
    }

    /// What the catalogue found.
    pub(crate) fn of(problem: &Problem, advice: &str) -> Self {
        let finding = Self::error(About::Files, &problem.what, advice);
        let finding = Self { severity: problem.severity, ..finding };
        finding.at((problem.file.clone(), problem.line))
    }
}

/// A severity as it is written everywhere.
pub(crate) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn word<S: serde::Serializer>(of: &Severity, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(severity(*of))
}

/// A path for people; one that is not UTF-8 would be no JSON.
#[expect(clippy::ref_option, reason = "serde hands a reference")]
fn shown<S: serde::Serializer>(file: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    file.as_ref().map(|file| file.to_string_lossy()).serialize(to)
}
