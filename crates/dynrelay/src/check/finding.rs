//! One thing that is wrong, or that could not be looked at.

use std::path::PathBuf;

use catalog::Problem;
use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// It could not be looked at: it may be right or wrong.
    Unknown,
    /// It works, but perhaps not as it was meant, or not for ever.
    Warning,
    /// It does not work.
    Error,
}

impl Severity {
    /// As it is written everywhere.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Error => "error",
        }
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

/// One thing that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// How bad it is.
    pub(crate) severity: Severity,
    /// The part of the configuration, or of the system.
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

/// The parts that are looked at, in the order in which they are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum About {
    /// dynrelay.toml and the streams folder.
    Files,
    /// The interfaces that multicast arrives on.
    Interfaces,
    /// The groups, and this host's own addresses.
    Groups,
    /// The kernel's part in receiving: the reverse-path filter, buffers, limits.
    Reception,
    /// What a firewall on this host does to packets.
    Firewall,
    /// The control socket.
    Socket,
    /// The file that remembers the relays.
    State,
    /// The daemon that runs.
    Daemon,
    /// The edges, and what the running daemon found out about them.
    Edges,
}

impl About {
    /// The part's heading.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Files => "Files",
            Self::Interfaces => "Interfaces",
            Self::Groups => "Groups",
            Self::Reception => "Reception",
            Self::Firewall => "Firewall",
            Self::Socket => "Socket",
            Self::State => "State",
            Self::Daemon => "Daemon",
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

    /// Something that could not be looked at.
    pub(crate) fn unknown(
        about: About,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Unknown, ..Self::error(about, what, advice) }
    }

    /// The same, said by that place.
    pub(crate) fn at(self, (file, line): (PathBuf, Option<usize>)) -> Self {
        Self { file: Some(file), line, ..self }
    }

    /// What the catalogue found.
    pub(crate) fn of(problem: &Problem, advice: &str) -> Self {
        let finding = Self::error(About::Files, &problem.what, advice);
        let finding = Self { severity: problem.severity.into(), ..finding };
        finding.at((problem.file.clone(), problem.line))
    }
}

/// A path for people; one that is not UTF-8 would be no JSON.
#[expect(clippy::ref_option, reason = "serde hands a reference")]
fn shown<S: serde::Serializer>(file: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    file.as_ref().map(|file| file.to_string_lossy()).serialize(to)
}
