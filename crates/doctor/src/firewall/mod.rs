//! Whether this host's firewall passes the packets that relaying needs: a stream's packets in and out,
//! the edges' refusals, and the queries that keep a group alive.

mod packet;
mod ruleset;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process::Command;

use catalog::{Catalog, Source, Stream};

use self::packet::{Packet, Protocol};
use self::ruleset::{Fate, Ruleset};
use crate::finding::{Finding, Severity, Subject};
use crate::interfaces::{Route, route_to};
use wording::count;

const ABOUT: Subject = Subject::Firewall;
/// The program that lists the rules. An unprivileged user's PATH may not find it.
const NFT: [&str; 3] = ["nft", "/usr/sbin/nft", "/sbin/nft"];

/// Rules that drop needed packets, or that the rules can't be seen.
pub(crate) fn findings(catalog: &Catalog) -> Vec<Finding> {
    let mut findings = Vec::new();
    match rules() {
        Ok(rules) => findings.extend(judged(catalog, &rules)),
        Err(why) => findings.push(ABOUT.unknown(
            format!("this host's firewall rules can't be seen: {why}"),
            "check as root, or see yourself that UDP to the streams' groups, IGMP and ICMP \
             destination-unreachable come in",
        )),
    }
    findings.extend(legacy());
    findings
}

/// The rules of this host, or why they can't be seen.
fn rules() -> Result<Ruleset, String> {
    for program in NFT {
        match Command::new(program).args(["-j", "list", "ruleset"]).output() {
            Ok(output) if output.status.success() => {
                return Ruleset::parse(&output.stdout).ok_or("nft -j prints no rules".into());
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
        ABOUT.unknown(what, "see `iptables-legacy-save`, or move them to nftables")
    })
}

fn judged(catalog: &Catalog, rules: &Ruleset) -> Vec<Finding> {
    let mut findings = refusals(catalog, rules);
    findings.extend(streams(catalog, rules));
    findings.extend(relays(catalog, rules));
    findings
}

/// Finds rules that drop the refusals of edges.
fn refusals(catalog: &Catalog, rules: &Ruleset) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (v6, name) in [(false, "icmp"), (true, "icmpv6")] {
        if catalog.edges().iter().any(|edge| edge.address.is_ipv6() == v6) {
            let fate = rules.fate(&Packet::refusal(v6));
            let what = format!(
                "{fate} ICMP destination-unreachable: edges' refusals never arrive, and relays \
                 stay open when their viewers have left"
            );
            let advice =
                format!("let it through first: `{name} type destination-unreachable accept`");
            findings.extend(fate.finding(what, &advice));
        }
    }
    findings
}

/// Each fate but [`Fate::Passes`], with the names of the packets that have it.
fn dropped(
    rules: &Ruleset,
    packets: impl Iterator<Item = (String, Packet)>,
) -> BTreeMap<Fate, Vec<String>> {
    let mut dropped: BTreeMap<Fate, Vec<String>> = BTreeMap::new();
    for (name, packet) in packets {
        let fate = rules.fate(&packet);
        if fate != Fate::Passes {
            let names = dropped.entry(fate).or_default();
            names.extend((names.last() != Some(&name)).then_some(name));
        }
    }
    dropped
}

/// The first of these names, and ` and 3 flows more`.
fn named(names: &[String], noun: &str) -> String {
    let first = names.first().map(String::as_str).unwrap_or_default();
    match names.len() {
        0 | 1 => first.to_owned(),
        all => format!("{first} and {} more", count(all - 1, noun)),
    }
}

/// Edges that packets cannot reach, by the rule that drops them.
fn relays(catalog: &Catalog, rules: &Ruleset) -> Vec<Finding> {
    let mut findings = Vec::new();
    for edge in catalog.edges() {
        let Route::Over(interface) = route_to(edge.address) else { continue };
        let routes = catalog.streams().flat_map(Stream::routes).filter(|it| it.edge == edge.name);
        let targets =
            routes.flat_map(|route| route.paths().map(move |path| (&route.stream, path.target)));
        let packets = targets.map(|(stream, target)| {
            (format!("{stream} ({target})"), Packet::relayed(target, &interface))
        });
        for (fate, flows) in dropped(rules, packets) {
            let what = format!("{fate} what goes to {}: {}", edge.name, named(&flows, "flow"));
            let advice =
                format!("let it out first: `ip daddr {} udp dport … accept`", edge.address);
            findings.extend(fate.finding(what, &advice));
        }
    }
    findings
}

/// Finds rules that drop packets of streams, or the queries of their groups.
fn streams(catalog: &Catalog, rules: &Ruleset) -> Vec<Finding> {
    // A pulled stream arrives over the loopback.
    let arriving = catalog.streams().filter(|stream| stream.source.is_none());
    let sources: Vec<(&str, Source)> = arriving
        .flat_map(|stream| {
            let sources = stream.sources().into_iter().flatten().flatten();
            sources.map(|source| (stream.name.as_str(), source.clone()))
        })
        .filter(|(_, source)| !source.address.is_loopback())
        .collect();
    let packets = sources
        .iter()
        .map(|(name, source)| (format!("{name} ({})", source.socket()), Packet::media(source)));
    let mut findings: Vec<Finding> = Vec::new();
    for (fate, names) in dropped(rules, packets) {
        let advice = "let it through first: `ip daddr 239.0.0.0/8 udp dport … accept`, say";
        let what = format!("{fate} the packets of {}", named(&names, "source"));
        findings.extend(fate.finding(what, advice));
    }
    let igmp = sources.iter().any(|(_, it)| it.address.is_ipv4() && it.address.is_multicast());
    if igmp {
        let fate = rules.fate(&Packet { protocol: Protocol::Igmp, ..Packet::refusal(false) });
        let what = format!(
            "{fate} IGMP: a switch that asks who wants a group gets no answer, and cuts it off \
             after minutes"
        );
        let finding = fate.finding(what, "let it through first: `ip protocol igmp accept`");
        // Without a switch that asks, IGMP is not needed.
        findings.extend(finding.map(|one| Finding { severity: Severity::Warning, ..one }));
    }
    findings
}

impl Fate {
    /// A finding about packets that do not pass.
    fn finding(&self, what: String, advice: &str) -> Option<Finding> {
        match self {
            Self::Passes => None,
            Self::Dropped { .. } => Some(ABOUT.error(what, advice)),
            Self::Perhaps { .. } => Some(ABOUT.warning(what, advice)),
        }
    }
}
