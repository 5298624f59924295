//! One thing that is wrong, or that could not be looked at.

use std::path::PathBuf;

use catalog::Problem;
use serde::Serialize;

model::words! {
    /// How bad a finding is, the worst last.
    pub enum Severity {
        /// It could not be looked at, so it may be right or wrong.
        Unknown = "unknown",
        /// It works, but maybe not as it is meant to, or not for ever.
        Warning = "warning",
        /// It does not work.
        Error = "error",
    }
}

impl From<catalog::Severity> for Severity {
    fn from(severity: catalog::Severity) -> Self {
        match severity {
            catalog::Severity::Warning => Self::Warning,
            catalog::Severity::Error => Self::Error,
        }
    }
}

model::words! {
    /// The subject of a finding, in the order of a report.
    pub enum Subject {
        /// dynrelay.toml and the streams folder.
        Files = "files",
        /// The interfaces that multicast arrives on.
        Interfaces = "interfaces",
        /// The groups, and this host's own addresses.
        Groups = "groups",
        /// The kernel's part in receiving: the reverse-path filter, buffers, limits.
        Reception = "reception",
        /// The firewall on this host.
        Firewall = "firewall",
        /// The control socket.
        Socket = "socket",
        /// The file in which the daemon remembers its relays.
        State = "state",
        /// The daemon that runs.
        Daemon = "daemon",
        /// The edges, and what the daemon found out about them.
        Edges = "edges",
    }
}

/// One thing that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The part of the configuration, or of the system.
    pub about: Subject,
    /// The fault.
    pub what: String,
    /// The file that it is in, if any. In JSON bytes that are not UTF-8 are replaced.
    #[serde(serialize_with = "lossy")]
    pub file: Option<PathBuf>,
    /// The line in that file, counted from 1.
    pub line: Option<usize>,
    /// The advice.
    pub advice: String,
}

impl Subject {
    /// Something does not work.
    pub(crate) fn error(self, what: impl Into<String>, advice: impl Into<String>) -> Finding {
        let (what, advice) = (what.into(), advice.into());
        Finding { severity: Severity::Error, about: self, what, file: None, line: None, advice }
    }

    /// Something may not be meant so.
    pub(crate) fn warning(self, what: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { severity: Severity::Warning, ..self.error(what, advice) }
    }

    /// Something could not be looked at.
    pub(crate) fn unknown(self, what: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { severity: Severity::Unknown, ..self.error(what, advice) }
    }
}

impl Finding {
    /// The same finding with its place.
    pub(crate) fn at(self, (file, line): (PathBuf, Option<usize>)) -> Self {
        Self { file: Some(file), line, ..self }
    }

    /// A finding of the catalogue.
    pub(crate) fn of(problem: &Problem, advice: &str) -> Self {
        let finding = Subject::Files.error(&problem.what, advice);
        let finding = Self { severity: problem.severity.into(), ..finding };
        finding.at((problem.file.clone(), problem.line))
    }
}

#[expect(clippy::ref_option, reason = "serde hands a reference")]
fn lossy<S: serde::Serializer>(file: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    file.as_ref().map(|file| file.to_string_lossy()).serialize(to)
}
