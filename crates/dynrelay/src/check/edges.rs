//! The edges: whether a route leads there, and what a running daemon found out about them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use catalog::Catalog;
use control::RelayDetail;

use super::finding::{About, Finding};
use super::route::{Way, way};
use super::running::Running;

const ABOUT: About = About::Edges;

/// Edges that no route leads to, and edges that have never answered a refusal, though something is
/// or was relayed to them.
pub(super) fn findings(
    catalog: &Catalog,
    running: Option<&Running>,
    config: &Path,
) -> Vec<Finding> {
    let unreachable = catalog.edges().iter().filter_map(|edge| match way(edge.address) {
        Way::None(error) => Some(no_route(&edge.name, edge.address, error)),
        Way::Here | Way::Over(_) => None,
    });
    let relayed = relayed(running);
    let silent = relayed.iter().filter(|(_, relays)| never_answered(catalog, relays));
    let silent = silent.map(|((edge, address), _)| silence(edge, *address));
    unreachable.chain(silent).map(|finding| finding.at((config.to_owned(), None))).collect()
}

/// Each edge's relays.
fn relayed(running: Option<&Running>) -> BTreeMap<(&str, IpAddr), Vec<&RelayDetail>> {
    let mut relayed: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for detail in running.into_iter().flat_map(|running| &running.relays) {
        let edge = (detail.relay.edge.as_str(), detail.address);
        relayed.entry(edge).or_default().push(detail);
    }
    relayed
}

/// Whether only refusals could close these relays, and none ever came.
fn never_answered(catalog: &Catalog, relays: &[&RelayDetail]) -> bool {
    relays.iter().all(|RelayDetail { relay, answers, .. }| {
        !answers && relay.viewers.is_none() && catalog.rules(&relay.stream).lease.is_none()
    })
}

fn no_route(edge: &str, address: IpAddr, error: std::io::ErrorKind) -> Finding {
    let what = format!("no route leads to {edge} ({address}): {error}");
    Finding::error(ABOUT, what, "see `ip route get` for that address, and the edge's `address`")
}

fn silence(edge: &str, address: IpAddr) -> Finding {
    let what = format!(
        "{edge} ({address}) has never sent back a refusal; if a firewall drops them, relays to it \
         stay open when their viewers have left"
    );
    let advice = "let ICMP destination-unreachable through from there to here (what the edge itself \
                  sends is up to its firewall and its net.ipv4.icmp_ratelimit and icmp_ratemask), \
                  or set a lease in [shutdown]; if its viewers simply have not left yet, there is \
                  nothing to do";
    Finding::warning(ABOUT, what, advice)
}
