//! `dynrelay check`: everything that is wrong with a configuration, in one go. If the daemon that
//! uses it runs, it is asked about its edges.

mod config;
mod edges;
mod finding;
mod groups;
mod interfaces;
mod report;
mod socket;
mod state;

use std::path::Path;

use catalog::Catalog;

pub(crate) use self::interfaces::ipv4_of;
use self::report::Report;
use crate::failure::Failure;
use crate::world::World;

/// Checks, prints what was found, and fails if there are errors.
pub(crate) fn run(world: &mut World<'_>, config: &Path) -> Result<(), Failure> {
    let report = findings(config);
    report.print(world)?;
    if report.errors() > 0 { Err(Failure::Unsound) } else { Ok(()) }
}

/// Everything there is to say about a configuration. What a section with a fault would say of this
/// host is not looked at: it would be the default's fault.
fn findings(config: &Path) -> Report {
    match Catalog::salvage(config) {
        Err(error) => Report::new(config, config::unusable(config, &error)),
        Ok((catalog, faults)) => {
            let written = config::Written::read(config);
            let mut findings = config::faults(config, &faults);
            findings.extend(config::findings(&catalog, faults.is_empty()));
            if !written.is_broken("origin", &faults) {
                findings.extend(interfaces::findings(&catalog, &written));
                findings.extend(groups::findings(&catalog));
            }
            if !written.is_broken("daemon", &faults) {
                let daemon = &catalog.config().daemon;
                findings.extend(socket::findings(daemon, &written));
                findings.extend(state::findings(daemon, &written));
                if !written.is_broken("shutdown", &faults) {
                    findings.extend(edges::findings(&catalog, config.to_owned()));
                }
            }
            let (streams, edges) = (catalog.streams().len(), catalog.edges().len());
            Report { streams, edges, ..Report::new(config, findings) }
        }
    }
}
