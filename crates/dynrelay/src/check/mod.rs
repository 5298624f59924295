//! `dynrelay check`: everything that is wrong with a configuration and with what runs by it, in one
//! go; with `--edge`, the way of one stream to one edge, step by step.

mod buffers;
mod config;
mod daemon;
mod edges;
mod finding;
mod firewall;
mod groups;
mod interfaces;
mod memberships;
mod process;
mod progress;
mod refusals;
mod report;
mod reverse_path;
mod route;
mod rtsp;
mod running;
mod socket;
mod state;
mod visitor;
mod walk;

use std::path::PathBuf;
use std::time::Duration;

use catalog::{Catalog, parse_duration};
use clap::Args;

use self::config::Written;
pub(crate) use self::interfaces::ipv4_of;
use self::report::Report;
use self::walk::Walk;
use crate::context::Context;
use crate::failure::Failure;

/// What to check.
#[derive(Clone, Debug, Args)]
pub(crate) struct Check {
    /// The configuration to check
    #[arg(long, value_name = "FILE", default_value = "/etc/dynrelay/dynrelay.toml")]
    config: PathBuf,
    /// The user that the web server runs as [default: www-data]
    #[arg(long, value_name = "USER")]
    web_user: Option<String>,
    /// Instead, walk a stream's whole way to this edge, step by step
    #[arg(long, value_name = "EDGE")]
    edge: Option<String>,
    /// The stream to walk through [default: the first that the edge takes]
    #[arg(value_name = "STREAM", requires = "edge")]
    stream: Option<String>,
    /// How long to wait for the edge to accept the stream
    #[arg(long, value_name = "TIME", default_value = "15s", requires = "edge", value_parser = time)]
    wait: Duration,
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

/// Checks, prints what was found, and fails if there are errors.
pub(crate) fn run(context: &mut Context<'_>, check: &Check) -> Result<(), Failure> {
    if let Some(edge) = &check.edge {
        let catalog = Catalog::load(&check.config)?;
        let Check { stream, wait, .. } = check;
        return Walk { catalog: &catalog, stream: stream.as_deref(), edge, wait: *wait }
            .run(context);
    }
    let (err, now) = (&mut *context.err, context.now);
    let report = match context.progress {
        true => progress::during("Checking; edges have a few seconds to answer", err, || {
            findings(check, now)
        })?,
        false => findings(check, now),
    };
    report.print(context)?;
    if report.errors() > 0 { Err(Failure::Unsound) } else { Ok(()) }
}

/// Everything there is to say. What a section with a fault would say of this host is not looked at:
/// it would be the default's fault.
fn findings(check: &Check, now: u64) -> Report {
    let Check { config, web_user, .. } = check;
    let (catalog, faults) = match Catalog::salvage(config) {
        Ok(read) => read,
        Err(error) => return Report::new(config, config::unusable(config, &error)),
    };
    let written = Written::read(config);
    let sound = |section: &str| !written.is_broken(section, &faults);
    let mut findings = config::faults(config, &faults);
    findings.extend(config::findings(&catalog, faults.is_empty()));
    let socket = &catalog.config().daemon.socket;
    let answer = sound("daemon").then(|| running::ask(socket));
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
        findings.extend(socket::findings(daemon, &written, web_user.as_deref()));
        findings.extend(state::findings(daemon, &written, running));
        findings.extend(buffers::findings(&catalog, &written, running));
        findings.extend(daemon::findings(&catalog, socket, answer.as_ref(), now));
    }
    let running = running.filter(|_| sound("shutdown"));
    findings.extend(edges::findings(&catalog, running, config));
    let (streams, edges) = (catalog.streams().len(), catalog.edges().len());
    Report { streams, edges, ..Report::new(config, findings) }
}
