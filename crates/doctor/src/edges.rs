//! The edges: whether a route leads there, whether they answer, and whether their refusals come back.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use catalog::{Catalog, Edge};
use control::RelayDetail;
use rtsp::Question;

use crate::daemon::Running;
use crate::finding::{Finding, Subject};
use crate::interfaces::{Route, route_to};
use crate::refusals::{self, Frequency, frequency};

const ABOUT: Subject = Subject::Edges;
/// The time that all edges together have to answer. Name lookups take the most of it.
const PATIENCE: Duration = Duration::from_secs(12);
/// The time that one RTSP server has to connect and answer.
const RTSP_PATIENCE: Duration = Duration::from_secs(3);

/// The advice for an RTSP server that does not answer.
pub(crate) const NO_ANSWER: &str = "is the server up, and can this host, not only viewers, reach that \
    host and port? dynrelayd sends no viewer where nobody answers";

/// Asks the server at an RTSP URL for its options, which opens no port of any server. Gives its
/// status and name, for people.
pub(crate) fn options(url: &str) -> Result<String, rtsp::Error> {
    Ok(match rtsp::ask(url, Question::Options, RTSP_PATIENCE)? {
        rtsp::Answer::Listens => "it takes connections (TLS)".to_owned(),
        rtsp::Answer::Status { code, server } => {
            let status = if code == 200 { "200 OK".to_owned() } else { format!("RTSP {code}") };
            status + &server.map(|server| format!(", {server}")).unwrap_or_default()
        }
    })
}

/// An edge's answers.
struct Answer {
    /// Its RTSP server's.
    rtsp: Result<String, rtsp::Error>,
    /// Its kernel's, to packets to a closed port; none if it was not tested.
    refusals: Option<Frequency>,
}

/// Finds edges without a route, edges that do not answer, and edges whose refusals do not come back.
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
        let Some(Answer { rtsp, refusals }) = answer else {
            findings.push(slow(edge));
            continue;
        };
        findings.extend(rtsp.err().map(|error| unanswered(edge, &error)));
        match refusals {
            None => {}
            // A refusal came back now, for the first time.
            Some(Frequency::Often) => drop(silent.remove(&key)),
            Some(Frequency::Seldom) => {
                silent.remove(&key);
                findings.push(seldom(edge));
            }
            Some(Frequency::Never) if refused_before(edge) => {}
            Some(Frequency::Never) => {
                silent.entry(key).or_insert_with(|| never(edge));
            }
        }
    }
    findings.extend(silent.into_values());
    findings.into_iter().map(|finding| finding.at((config.to_owned(), None))).collect()
}

/// Asks all edges at the same time, each on threads of its own: whether its RTSP server answers, and
/// if `refusals` picks it, whether its refusals come back. None: it did not answer in time.
fn ask<'a>(
    edges: &[&'a Edge],
    refusals: impl Fn(&Edge) -> bool,
) -> Vec<(&'a Edge, Option<Answer>)> {
    let deadline = Instant::now() + PATIENCE;
    let (tell, answers) = mpsc::channel();
    for (number, edge) in edges.iter().enumerate() {
        let (url, address, test, tell) =
            (edge.url.to_string(), edge.address, refusals(edge), tell.clone());
        // Without a thread there is no answer, and that is a finding.
        let _ = thread::Builder::new().spawn(move || {
            let test = test.then(|| thread::Builder::new().spawn(move || frequency(address)));
            let rtsp = options(&url);
            let refusals = test.and_then(|thread| thread.ok()?.join().ok()?.ok());
            tell.send((number, Answer { rtsp, refusals }))
        });
    }
    drop(tell);
    let mut told = BTreeMap::new();
    let left = || deadline.saturating_duration_since(Instant::now());
    while let Ok((number, answer)) = answers.recv_timeout(left()) {
        told.insert(number, answer);
    }
    (0..).zip(edges).map(|(number, edge)| (*edge, told.remove(&number))).collect()
}

/// Whether to test an edge's refusals. Not while it refuses a relay, whose probes need the same few
/// ICMP errors, and not where a lease closes relays without refusals.
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

/// Whether only refusals can close these relays, and none ever came.
fn never_answered(catalog: &Catalog, relays: &[&RelayDetail]) -> bool {
    relays.iter().all(|RelayDetail { relay, answers, .. }| {
        !answers && relay.viewers.is_none() && catalog.rules(&relay.stream).lease.is_none()
    })
}

fn no_route(edge: &str, address: IpAddr, error: io::ErrorKind) -> Finding {
    let what = format!("no route leads to {edge} ({address}): {error}");
    ABOUT.error(what, "see `ip route get` for that address, and the edge's `address`")
}

fn unanswered(edge: &Edge, error: &::rtsp::Error) -> Finding {
    let what = format!("{} does not answer at {}: {error}", edge.name, edge.url);
    ABOUT.warning(what, NO_ANSWER)
}

fn slow(edge: &Edge) -> Finding {
    let what = format!("{} did not answer within {} seconds", edge.name, PATIENCE.as_secs());
    ABOUT.unknown(what, "does this host's name server answer? try it once more")
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
    ABOUT.warning(what, advice)
}

fn never(edge: &Edge) -> Finding {
    let Edge { name, address, .. } = edge;
    let what = format!(
        "{name} ({address}) did not refuse packets to port {}, where nobody listens as a rule; if a \
         firewall drops refusals, relays to it stay open when their viewers have left",
        refusals::PORT
    );
    let unless = "if its firewall only drops what comes to other ports than the streams'";
    ABOUT.unknown(what, let_through(*address, unless))
}

fn silence(edge: &str, address: IpAddr) -> Finding {
    let what = format!(
        "{edge} ({address}) has never sent back a refusal; if a firewall drops them, relays to it \
         stay open when their viewers have left"
    );
    ABOUT.warning(what, let_through(address, "if its viewers simply have not left yet"))
}

/// The settings that limit a Linux edge's ICMP errors: how often, and which.
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
    fn advice_fits_the_family_of_the_address() {
        let advice = |address: &str| silence("dss2", address.parse().unwrap()).advice;
        assert!(advice("198.51.100.7").contains("net.ipv4.icmp_ratelimit"));
        assert!(advice("2001:db8::7").contains("net.ipv6.icmp.ratelimit"));
    }
}
