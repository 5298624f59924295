//! Reading the configuration and the streams folder again, and stopping by request.

use std::time::Instant;

use catalog::{Catalog, Severity};
use control::{ErrorCode, Refused, RelayStatus, Reloaded};
use model::CloseReason;
use tracing::{error, info, warn};

use crate::core::starts::unknown_edge;
use crate::core::supervisor::{Answer, Supervisor};
use crate::core::views::unknown_stream;
use crate::shell::systemd;

impl Supervisor {
    /// Takes a new catalogue into use. Relays whose route is as it was go on undisturbed; those
    /// that have none any more close, and those whose route changed close and start anew. If
    /// dynrelay.toml can't be used nothing changes.
    pub(crate) fn reload(&mut self, now: Instant) -> Answer<Reloaded> {
        systemd::reloading();
        let loaded = self.catalog.load_again(&self.config);
        systemd::ready();
        let catalog = loaded.map_err(|error| {
            let faults = error.to_string();
            faults.lines().for_each(|fault| error!(name: "fault", "nothing is changed: {fault}"));
            // Its lines, one a fault, as one: for an answer.
            Refused::new(ErrorCode::BadRequest, faults.replace('\n', "; "))
        })?;
        report(&catalog);
        self.warn_of_what_waits(&catalog);
        self.catalog = catalog;
        let limits = self.catalog.config().limits;
        self.allowance.set_rate(limits.starts_per_second);
        self.guests.set_limits(limits);
        // First, so that the ports of those that changed are free.
        self.end_replicas();
        self.pulls.reorder(&self.catalog);
        self.reroute(now);
        self.tend_replicas(now);
        let (streams, edges) = (self.catalog.streams().count(), self.catalog.edges().len());
        info!(name: "reloaded", streams, edges, "reloaded");
        self.tell_status();
        let problems = self.catalog.problems().iter().map(ToString::to_string).collect();
        Ok(Reloaded { streams, edges, problems })
    }

    /// Closes a relay by request, and gives its final counters.
    pub(crate) fn stop(&mut self, stream: &str, edge: &str, now: Instant) -> Answer<RelayStatus> {
        let Some((id, _)) = self.find(stream, edge) else {
            if self.catalog.stream(stream).is_none() {
                return Err(unknown_stream(stream));
            }
            if self.catalog.edge(edge).is_none() {
                return Err(unknown_edge(edge));
            }
            let message = format!("{stream} is not relayed to {edge}");
            return Err(Refused::new(ErrorCode::UnknownStream, message));
        };
        self.lifecycle.stop(id, CloseReason::Stopped, now);
        self.act();
        let closed = self.history.iter().next().map(|closed| closed.relay.clone());
        closed.ok_or_else(|| {
            Refused::new(
                ErrorCode::Internal,
                "the relay has closed, and its counters are not known",
            )
        })
    }

    /// Brings the running relays into line with the catalogue.
    fn reroute(&mut self, now: Instant) {
        let mut gone = Vec::new();
        let mut changed = Vec::new();
        for (id, relay) in &self.relays {
            match self.catalog.route(&relay.stream, &relay.edge) {
                Ok(route) if *route == relay.route => {}
                Ok(route) => {
                    gone.push(*id);
                    changed.push((relay.stream.clone(), relay.edge.clone(), route.clone()));
                }
                Err(_) => gone.push(*id),
            }
        }
        for id in gone {
            self.lifecycle.stop(id, CloseReason::NotInCatalog, now);
        }
        self.act();
        for (stream, edge, route) in changed {
            if let Err(error) = self.open(&stream, &edge, route, now) {
                error!(name: "failed", %stream, %edge, %error, "the changed relay can't start");
            }
        }
    }

    /// Says which changes take effect only when the daemon starts.
    fn warn_of_what_waits(&self, new: &Catalog) {
        if new.config().daemon != self.catalog.config().daemon {
            warn!("changes in [daemon] take effect when dynrelayd is restarted");
        }
    }
}

/// Logs what is wrong with a catalogue's files.
pub(crate) fn report(catalog: &Catalog) {
    for problem in catalog.problems() {
        if problem.severity == Severity::Error {
            error!(name: "fault", "{problem}");
        } else {
            warn!(name: "fault", "{problem}");
        }
    }
}
