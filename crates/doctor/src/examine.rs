//! Examines everything, subject by subject.

use std::path::{Path, PathBuf};

use catalog::Catalog;
use serde::Serialize;

use crate::daemon::Running;
use crate::files::{self, Written};
use crate::finding::{Finding, Severity};
use crate::{
    buffers, daemon, edges, firewall, groups, interfaces, memberships, reverse_path, socket, state,
};

/// The result of an examination.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The path of dynrelay.toml.
    #[serde(skip)]
    pub config: PathBuf,
    /// How many streams the catalogue has.
    #[serde(skip)]
    pub streams: usize,
    /// How many edges the catalogue has.
    #[serde(skip)]
    pub edges: usize,
    /// The findings, subject by subject, errors first.
    pub findings: Vec<Finding>,
    /// How many findings are errors.
    pub errors: usize,
    /// How many findings are warnings.
    pub warnings: usize,
    /// How many findings are unknown.
    pub unknown: usize,
}

impl Report {
    fn new(config: &Path, streams: usize, edges: usize, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|one| (one.about, std::cmp::Reverse(one.severity)));
        let count = |severity| findings.iter().filter(|one| one.severity == severity).count();
        Self {
            config: config.to_owned(),
            streams,
            edges,
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            unknown: count(Severity::Unknown),
            findings,
        }
    }
}

/// Examines the configuration in the file `config`, and the system. `web_user` is the web server's
/// user, if that is not www-data; `now` is the time in seconds since 1970. Takes up to twelve seconds,
/// the time that edges have to answer.
///
/// Leaves out the subjects of a faulty section of dynrelay.toml: the section has its default values,
/// and findings would be about these.
pub fn examine(config: &Path, web_user: Option<&str>, now: u64) -> Report {
    let (catalog, faults) = match Catalog::salvage(config) {
        Ok(read) => read,
        Err(error) => return Report::new(config, 0, 0, files::unusable(config, &error)),
    };
    let written = Written::read(config);
    let sound = |section: &str| !written.is_broken(section, &faults);
    let mut findings = files::faults(config, &faults);
    findings.extend(files::findings(&catalog, faults.is_empty()));
    let socket = &catalog.config().daemon.socket;
    let answer = sound("daemon").then(|| Running::ask(socket));
    let running = answer.as_ref().and_then(|answer| answer.as_ref().ok());
    if sound("origin") {
        findings.extend(interfaces::findings(&catalog, &written));
        findings.extend(groups::findings(&catalog));
        findings.extend(memberships::findings(&catalog, running));
        findings.extend(reverse_path::findings(&catalog));
    }
    findings.extend(firewall::findings(&catalog));
    if let Some(answer) = &answer {
        let daemon = &catalog.config().daemon;
        findings.extend(socket::findings(daemon, &written, web_user));
        findings.extend(state::findings(daemon, &written, running));
        findings.extend(buffers::findings(&catalog, &written, running));
        findings.extend(daemon::findings(&catalog, socket, answer.as_ref(), now));
    }
    let running = running.filter(|_| sound("shutdown"));
    findings.extend(edges::findings(&catalog, running, config));
    Report::new(config, catalog.streams().len(), catalog.edges().len(), findings)
}
