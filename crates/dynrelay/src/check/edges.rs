//! The edges, as far as a running daemon knows them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use catalog::Catalog;
use control::{Client, ClientError, RelayDetail, RelayList, RelayShow, Request};

use super::finding::{About, Finding};

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Edges that have never answered a refusal, though something is or was relayed to them. Nothing
/// is known of them where no daemon runs, or where it gives no answer.
pub(super) fn findings(catalog: &Catalog, config: PathBuf) -> Vec<Finding> {
    let relayed = relayed(catalog).unwrap_or_default();
    let silent = relayed.iter().filter(|(_, relays)| never_answered(catalog, relays));
    silent.map(|((edge, address), _)| silence(edge, *address).at((config.clone(), None))).collect()
}

/// Each edge's relays, of one stream.
fn relayed(catalog: &Catalog) -> Result<BTreeMap<(String, IpAddr), Vec<RelayDetail>>, ClientError> {
    let mut daemon = Client::connect(&catalog.config().daemon.socket, Some(PATIENCE))?;
    let RelayList { relays, .. } = daemon.ask(&Request::List { all: true, rates: false })?;
    // What one relay's edge has answered, all relays to it know.
    let streams: BTreeMap<String, String> =
        relays.into_iter().rev().map(|relay| (relay.edge, relay.stream)).collect();
    let mut relayed: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (edge, stream) in streams {
        let request = Request::Show { stream, edge: Some(edge.clone()) };
        let RelayShow { relays, .. } = daemon.ask(&request)?;
        for detail in relays {
            relayed.entry((edge.clone(), detail.address)).or_default().push(detail);
        }
    }
    Ok(relayed)
}

/// Whether only refusals could close these relays, and none ever came.
fn never_answered(catalog: &Catalog, relays: &[RelayDetail]) -> bool {
    relays.iter().all(|RelayDetail { relay, answers, .. }| {
        !answers && relay.viewers.is_none() && catalog.rules(&relay.stream).lease.is_none()
    })
}

fn silence(edge: &str, address: IpAddr) -> Finding {
    let what = format!(
        "{edge} ({address}) has never answered a refusal; if a firewall drops them, relays to it \
         stay open when their viewers have left"
    );
    let advice = "let ICMP destination-unreachable through from there to here, or set a lease in \
                  [shutdown]; if its viewers simply have not left yet, there is nothing to do";
    Finding::warning(About::Edges, what, advice)
}
