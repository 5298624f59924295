//! What this host's firewall does to the packets that relaying lives by: a stream's as they come and
//! go, what edges refuse with, and the queries that keep a group alive.

mod matching;
mod packet;
mod ruleset;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process::Command;

use catalog::{Catalog, Stream};

use self::packet::{Packet, Protocol};
use self::ruleset::{Fate, Ruleset};
use crate::finding::{Finding, Severity, Subject};
use crate::interfaces::{Way, way};
use wording::count;

const ABOUT: Subject = Subject::Firewall;
/// The program that lists the rules, wherever an unprivileged user's PATH leads.
const NFT: [&str; 3] = ["nft", "/usr/sbin/nft", "/sbin/nft"];

/// What drops packets that are needed, or that the rules can't be seen.
pub(crate) fn findings(catalog: &Catalog) -> Vec<Finding> {
    let mut findings = Vec::new();
    match rules() {
        Ok(text) => findings.extend(judged(catalog, &Ruleset::parse(&text))),
        Err(why) => findings.push(Finding::unknown(
            ABOUT,
            format!("this host's firewall rules can't be seen: {why}"),
            "look yourself that UDP to the streams' groups, IGMP and ICMP \
             destination-unreachable come in",
        )),
    }
    findings.extend(legacy());
    findings
}

/// What `nft list ruleset` prints.
fn rules() -> Result<String, String> {
    for program in NFT {
        match Command::new(program).args(["--numeric-protocol", "list", "ruleset"]).output() {
            Ok(output) if output.status.success() => {
                return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
            }
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(format!("nft: {}", said.trim().lines().next().unwrap_or_default()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("nft: {error}")),
        }
    }
    Err("there is no nft; apt install nftables".to_owned())
}

/// Rules of the old iptables, which nft doesn't list.
fn legacy() -> Option<Finding> {
    let tables = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"];
    let used = tables.iter().any(|file| {
        fs::read_to_string(file).is_ok_and(|names| names.lines().any(|name| name == "filter"))
    });
    used.then(|| {
        let what = "there are rules of the old iptables, which were not looked at";
        Finding::unknown(ABOUT, what, "see `iptables-legacy-save`, or move them to nftables")
    })
}

fn judged(catalog: &Catalog, rules: &Ruleset) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for v6 in [false, true] {
        let mut edges = catalog.edges().iter().filter(|edge| edge.address.is_ipv6() == v6);
        if edges.next().is_some() {
            let packet = Packet::refusal(v6);
            findings.extend(finding(rules, &packet, |fate| {
                let name = if v6 { "icmpv6" } else { "icmp" };
                let what = format!(
                    "{fate} ICMP destination-unreachable: edges' refusals never arrive, and relays \
                     stay open when their viewers have left"
                );
                (
                    what,
                    format!("let it through first: `{name} type destination-unreachable accept`"),
                )
            }));
        }
    }
    findings.extend(streams(catalog, rules));
    findings.extend(relays(catalog, rules));
    findings
}

/// Edges that packets don't get out to, by what drops them.
fn relays(catalog: &Catalog, rules: &Ruleset) -> Vec<Finding> {
    let mut findings = Vec::new();
    for edge in catalog.edges() {
        let Way::Over(interface) = way(edge.address) else { continue };
        let mut dropped: BTreeMap<Fate, Vec<String>> = BTreeMap::new();
        for route in catalog.streams().flat_map(Stream::routes).filter(|it| it.edge == edge.name) {
            for path in route.paths() {
                let fate = rules.fate(&Packet::relayed(path.target, &interface));
                if fate != Fate::Passes {
                    let what = format!("{} ({})", route.stream, path.target);
                    dropped.entry(fate).or_default().push(what);
                }
            }
        }
        for (fate, flows) in dropped {
            let more = more(flows.len(), "flow");
            let what = format!("{fate} what goes to {}: {}{more}", edge.name, flows[0]);
            let advice =
                format!("let it out first: `ip daddr {} udp dport … accept`", edge.address);
            findings.extend(fate.finding(what, &advice));
        }
    }
    findings
}

/// ` and 3 flows more`, where one of so many is named.
fn more(all: usize, noun: &str) -> String {
    match all.saturating_sub(1) {
        0 => String::new(),
        others => format!(" and {} more", count(others, noun)),
    }
}

/// Streams whose packets are dropped, by what drops them; and the queries of their groups.
fn streams(catalog: &Catalog, rules: &Ruleset) -> Vec<Finding> {
    let mut dropped: BTreeMap<Fate, Vec<String>> = BTreeMap::new();
    let mut igmp = false;
    // A stream that is pulled comes from this host, over the loopback.
    for stream in catalog.streams().filter(|stream| stream.source.is_none()) {
        let sources = stream.sources().into_iter().flatten().flatten();
        for source in sources.filter(|source| !source.address.is_loopback()) {
            igmp |= source.address.is_ipv4() && source.address.is_multicast();
            let fate = rules.fate(&Packet::media(source));
            if fate != Fate::Passes {
                let names = dropped.entry(fate).or_default();
                names.push(format!("{} ({})", stream.name, source.socket()));
            }
        }
    }
    let mut findings: Vec<Finding> = Vec::new();
    for (fate, mut names) in dropped {
        names.dedup();
        let more = more(names.len(), "source");
        let which = names.first().cloned().unwrap_or_default();
        let advice = "let it through first: `ip daddr 239.0.0.0/8 udp dport … accept`, say";
        findings.extend(fate.finding(format!("{fate} the packets of {which}{more}"), advice));
    }
    let queries = Packet { protocol: Protocol::Igmp, ..Packet::refusal(false) };
    if igmp {
        let finding = finding(rules, &queries, |fate| {
            let what = format!(
                "{fate} IGMP: a switch that asks who wants a group gets no answer, and cuts it off \
                 after minutes"
            );
            (what, "let it through first: `ip protocol igmp accept`".to_owned())
        });
        // Where no switch asks, all is well without.
        findings.extend(finding.map(|one| Finding { severity: Severity::Warning, ..one }));
    }
    findings
}

fn finding(
    rules: &Ruleset,
    packet: &Packet,
    say: impl Fn(&Fate) -> (String, String),
) -> Option<Finding> {
    let fate = rules.fate(packet);
    let (what, advice) = say(&fate);
    fate.finding(what, &advice)
}

impl Fate {
    /// A finding about packets that don't pass.
    fn finding(&self, what: String, advice: &str) -> Option<Finding> {
        match self {
            Self::Passes => None,
            Self::Dropped { .. } => Some(Finding::error(ABOUT, what, advice)),
            Self::Perhaps { .. } => Some(Finding::warning(ABOUT, what, advice)),
        }
    }
}
