//! The edges: whether a route leads there, whether they answer, and what a running daemon found out
//! about them.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use catalog::{Catalog, Edge};
use control::RelayDetail;

use crate::daemon::Running;
use crate::finding::{Finding, Subject};
use crate::interfaces::{Route, route_to};
use crate::refusals::{self, Frequency};
use crate::rtsp;

const ABOUT: Subject = Subject::Edges;
/// How long all edges together may take to answer; to look up a name may take longest.
const PATIENCE: Duration = Duration::from_secs(12);

/// What an edge answered to a question.
enum Answer {
    /// Its RTSP server, to OPTIONS.
    Rtsp(Result<String, ::rtsp::Error>),
    /// Its kernel, to packets to a closed port.
    Refusals(io::Result<Frequency>),
}

/// Edges that no route leads to, or that do not answer; and edges whose refusals don't come back, as
/// far as that can be known.
pub(crate) fn findings(
    catalog: &Catalog,
    running: Option<&Running>,
    config: &Path,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut asked: Vec<&Edge> = Vec::new();
    for edge in catalog.edges() {
        match route_to(edge.address) {
            Route::None(error) => findings.push(no_route(&edge.name, edge.address, error)),
            Route::Here | Route::Over(_) => asked.push(edge),
        }
    }
    let relayed = relayed(running);
    let mut silent: BTreeMap<(&str, IpAddr), Finding> = relayed
        .iter()
        .filter(|(_, relays)| never_answered(catalog, relays))
        .map(|((edge, address), _)| ((*edge, *address), silence(edge, *address)))
        .collect();
    let refused_before = |edge: &Edge| {
        let own = relayed.get(&(edge.name.as_str(), edge.address));
        own.is_some_and(|relays| relays.iter().any(|detail| detail.answers))
    };
    for (edge, answer) in ask(&asked, |edge| needs_refusals(catalog, edge, running)) {
        let key = (edge.name.as_str(), edge.address);
        match answer {
            None => findings.push(slow(edge)),
            Some(Answer::Rtsp(Ok(_)) | Answer::Refusals(Err(_))) => {}
            Some(Answer::Rtsp(Err(error))) => findings.push(unanswered(edge, &error)),
            // What never came before comes now.
            Some(Answer::Refusals(Ok(Frequency::Often))) => drop(silent.remove(&key)),
            Some(Answer::Refusals(Ok(Frequency::Seldom))) => {
                silent.remove(&key);
                findings.push(seldom(edge));
            }
            Some(Answer::Refusals(Ok(Frequency::Never))) if refused_before(edge) => {}
            Some(Answer::Refusals(Ok(Frequency::Never))) => {
                silent.entry(key).or_insert_with(|| never(edge));
            }
        }
    }
    findings.extend(silent.into_values());
    findings.into_iter().map(|finding| finding.at((config.to_owned(), None))).collect()
}

/// Asks all edges at a time whether their RTSP servers answer; of those that `refusals` is true of,
/// also whether refusals come back. None is the answer that didn't come in time.
fn ask<'a>(
    edges: &[&'a Edge],
    refusals: impl Fn(&Edge) -> bool,
) -> Vec<(&'a Edge, Option<Answer>)> {
    let deadline = Instant::now() + PATIENCE;
    let (tell, answers) = mpsc::channel();
    let mut missing: Vec<usize> = Vec::new();
    for (number, edge) in edges.iter().enumerate() {
        let (url, address) = (edge.url.to_string(), edge.address);
        missing.push(number);
        spawn(&tell, number, move || Answer::Rtsp(rtsp::options(&url)));
        if refusals(edge) {
            missing.push(number);
            spawn(&tell, number, move || Answer::Refusals(refusals::frequency(address)));
        }
    }
    drop(tell);
    let mut told = Vec::new();
    let left = || deadline.saturating_duration_since(Instant::now());
    while let Ok((number, answer)) = answers.recv_timeout(left()) {
        if let Some(at) = missing.iter().position(|one| *one == number) {
            missing.swap_remove(at);
        }
        told.push((number, Some(answer)));
    }
    missing.sort_unstable();
    missing.dedup();
    told.extend(missing.into_iter().map(|number| (number, None)));
    told.into_iter()
        .filter_map(|(number, answer)| edges.get(number).map(|edge| (*edge, answer)))
        .collect()
}

/// Puts a question on a thread of its own, which nobody waits for longer than the rest.
fn spawn(
    tell: &Sender<(usize, Answer)>,
    number: usize,
    question: impl FnOnce() -> Answer + Send + 'static,
) {
    let tell = tell.clone();
    // Where there can be no thread there is no answer, and that is said.
    let _ = thread::Builder::new().spawn(move || tell.send((number, question())));
}

/// Whether an edge is to be asked for refusals: not while it refuses something that is relayed there,
/// whose probes live by the same few ICMP errors; nor where a lease closes relays without them.
fn needs_refusals(catalog: &Catalog, edge: &Edge, running: Option<&Running>) -> bool {
    let mut open = running.into_iter().flat_map(Running::open);
    let mut streams = catalog.streams().filter(|stream| stream.edges().any(|it| it == edge.name));
    route_to(edge.address) != Route::Here
        && open.all(|detail| detail.address != edge.address || !detail.answers)
        && streams.any(|stream| catalog.rules(&stream.name).lease.is_none())
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

fn no_route(edge: &str, address: IpAddr, error: io::ErrorKind) -> Finding {
    let what = format!("no route leads to {edge} ({address}): {error}");
    Finding::error(ABOUT, what, "see `ip route get` for that address, and the edge's `address`")
}

fn unanswered(edge: &Edge, error: &::rtsp::Error) -> Finding {
    let what = format!("{} does not answer at {}: {error}", edge.name, edge.url);
    Finding::warning(ABOUT, what, rtsp::ADVICE)
}

fn slow(edge: &Edge) -> Finding {
    let what = format!("{} did not answer within {} seconds", edge.name, PATIENCE.as_secs());
    Finding::unknown(ABOUT, what, "does this host's name server answer? try it once more")
}

fn seldom(edge: &Edge) -> Finding {
    let Edge { name, address, .. } = edge;
    let (limit, _) = limits(*address);
    let usual = if address.is_ipv6() { "500 at most" } else { "1000" };
    let what = format!(
        "{name} ({address}) refuses a few packets, and then no more for seconds: relays that nobody \
         watches there look watched, and close late or never"
    );
    let advice = format!(
        "on the edge, `sysctl {limit}` should say {usual} (milliseconds between two ICMP errors); a \
         firewall there or on the way may limit them, too; or set a lease in [shutdown]"
    );
    Finding::warning(ABOUT, what, advice)
}

fn never(edge: &Edge) -> Finding {
    let Edge { name, address, .. } = edge;
    let what = format!(
        "{name} ({address}) did not refuse packets to port {}, where nobody listens as a rule; if a \
         firewall drops refusals, relays to it stay open when their viewers have left",
        refusals::PORT
    );
    let unless = "if its firewall only drops what comes to other ports than the streams'";
    Finding::unknown(ABOUT, what, let_through(*address, unless))
}

fn silence(edge: &str, address: IpAddr) -> Finding {
    let what = format!(
        "{edge} ({address}) has never sent back a refusal; if a firewall drops them, relays to it \
         stay open when their viewers have left"
    );
    Finding::warning(ABOUT, what, let_through(address, "if its viewers simply have not left yet"))
}

/// What limits a Linux edge's ICMP errors: how often it sends them, and which.
fn limits(edge: IpAddr) -> (&'static str, &'static str) {
    match edge {
        IpAddr::V4(_) => ("net.ipv4.icmp_ratelimit", "net.ipv4.icmp_ratemask"),
        IpAddr::V6(_) => ("net.ipv6.icmp.ratelimit", "net.ipv6.icmp.ratemask"),
    }
}

fn let_through(edge: IpAddr, unless: &str) -> String {
    let (often, which) = limits(edge);
    format!(
        "let ICMP destination-unreachable through from there to here (what the edge itself sends is \
         up to its firewall and its {often} and {which}), or set a lease in [shutdown]; {unless}, \
         there is nothing to do"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_for_the_edges_kind_of_address() {
        let advice = |address: &str| silence("dss2", address.parse().unwrap()).advice;
        assert!(advice("198.51.100.7").contains("net.ipv4.icmp_ratelimit"));
        assert!(advice("2001:db8::7").contains("net.ipv6.icmp.ratelimit"));
    }
}
