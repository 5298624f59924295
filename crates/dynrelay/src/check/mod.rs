//! `dynrelay check`: everything that is wrong with a configuration, in one go.

mod config;
mod finding;
mod groups;
mod interfaces;
mod report;
mod socket;

use std::path::Path;

use catalog::Catalog;

use self::report::Report;
use crate::failure::Failure;
use crate::world::World;

/// Checks, prints what was found, and fails if there are errors.
pub(crate) fn run(world: &mut World<'_>, config: &Path) -> Result<(), Failure> {
    let report = findings(config);
    report.print(world)?;
    if report.errors() > 0 { Err(Failure::Unsound) } else { Ok(()) }
}

/// Everything there is to say about a configuration.
fn findings(config: &Path) -> Report {
    match Catalog::load(config) {
        Err(error) => Report::new(config, config::unusable(config, &error)),
        Ok(catalog) => {
            let written = config::Written::read(config);
            let mut findings = config::findings(&catalog);
            findings.extend(interfaces::findings(&catalog, &written));
            findings.extend(groups::findings(&catalog));
            findings.extend(socket::findings(&catalog.config().daemon, &written));
            let (streams, edges) = (catalog.streams().len(), catalog.edges().len());
            Report { streams, edges, ..Report::new(config, findings) }
        }
    }
}
