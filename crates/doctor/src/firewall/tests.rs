//! Rules as they are met, and what happens to packets in them.

use std::collections::BTreeMap;

use catalog::Source;
use serde_json::{Value, json};

use super::packet::{Packet, Protocol};
use super::ruleset::{Fate, Ruleset};

/// The output of `nft -j list ruleset` (1.0.6) for these rules.
const EXPRESSIONS: &str = include_str!("rules.json");

/// A chain at this hook with these rules, one a line; `chain NAME` begins another chain.
fn ruleset(hook: &str, rules: &str, policy: &str) -> Ruleset {
    let expressions: BTreeMap<String, Value> = serde_json::from_str(EXPRESSIONS).unwrap();
    let base = json!({ "family": "inet", "table": "filter", "name": "base", "hook": hook,
        "policy": policy });
    let mut chain = "base";
    let mut objects = vec![json!({ "metainfo": {} }), json!({ "chain": base })];
    for line in rules.lines() {
        if let Some(name) = line.strip_prefix("chain ") {
            chain = name;
            continue;
        }
        let expr = &expressions[line];
        let rule = json!({ "family": "inet", "table": "filter", "chain": chain, "expr": expr });
        objects.push(json!({ "rule": rule }));
    }
    Ruleset::parse(json!({ "nftables": objects }).to_string().as_bytes()).unwrap()
}

fn input(rules: &str, policy: &str) -> Ruleset {
    ruleset("input", rules, policy)
}

fn media() -> Packet {
    Packet::media(&Source {
        address: "239.1.2.3".parse().unwrap(),
        port: 5004,
        senders: Box::default(),
        named: Default::default(),
        interface: Some("studio".into()),
    })
}

fn igmp() -> Packet {
    Packet { protocol: Protocol::Igmp, ..Packet::refusal(false) }
}

fn word(fate: &Fate) -> &'static str {
    match fate {
        Fate::Passes => "passes",
        Fate::Dropped { .. } => "dropped",
        Fate::Perhaps { .. } => "perhaps",
    }
}

#[test]
fn a_workstation_takes_refusals_and_no_multicast() {
    let rules = input(
        "iifname \"lo\" accept\n\
         ct state vmap { established : accept, related : accept, invalid : drop }\n\
         ip saddr @blocked counter drop\n\
         tcp dport { 22, 80, 443 } accept\n\
         limit rate 5/minute burst 5 packets log prefix \"dropped: \"",
        "drop",
    );
    assert_eq!(rules.fate(&Packet::refusal(false)), Fate::Passes);
    assert_eq!(rules.fate(&Packet::refusal(true)), Fate::Passes);
    let by = "the policy of inet filter base".to_owned();
    assert_eq!(rules.fate(&media()), Fate::Dropped { by: by.clone() });
    assert_eq!(rules.fate(&igmp()), Fate::Dropped { by });
    let out = Packet::relayed("198.51.100.7:6970".parse().unwrap(), "eth0");
    assert_eq!(rules.fate(&out), Fate::Passes, "there is no chain for packets that go out");
}

#[test]
fn refusals_in_many_rulesets() {
    for (rules, policy, expected) in [
        ("", "accept", "passes"),
        ("", "drop", "dropped"),
        ("icmp type destination-unreachable counter drop", "accept", "dropped"),
        ("icmp type { echo-request, destination-unreachable } drop", "accept", "dropped"),
        ("icmp type echo-request drop", "accept", "passes"),
        ("ip protocol icmp drop", "accept", "dropped"),
        ("ip protocol 1 reject", "accept", "dropped"),
        ("meta l4proto { icmp, ipv6-icmp } accept", "drop", "passes"),
        ("ct state established,related accept", "drop", "passes"),
        ("ct state { established, related } accept\nip protocol icmp drop", "drop", "passes"),
        ("ct state established accept", "drop", "dropped"),
        (
            "icmp type destination-unreachable limit rate 10/second burst 5 packets accept",
            "drop",
            "perhaps",
        ),
        ("icmp type destination-unreachable limit rate over 10/second drop", "accept", "perhaps"),
        ("ip saddr 198.51.100.0/24 accept", "drop", "perhaps"),
        ("ip saddr 198.51.100.0/24 drop", "accept", "passes"),
        ("iifname \"eth0\" ip protocol icmp drop", "accept", "perhaps"),
        ("iifname \"lo\" accept", "drop", "dropped"),
        ("ip6 saddr ::/0 drop\ntcp dport 22 drop", "accept", "passes"),
        ("icmp type != destination-unreachable drop", "accept", "passes"),
        ("icmp type != echo-request drop", "accept", "dropped"),
        ("ether saddr 02:00:00:00:00:01 drop", "accept", "passes"),
        ("jump pings\nchain pings\nicmp type destination-unreachable drop", "accept", "dropped"),
        ("ip protocol icmp goto pings\nchain pings\naccept", "drop", "passes"),
        ("jump in\nchain in\njump in", "accept", "passes"),
    ] {
        let fate = input(rules, policy).fate(&Packet::refusal(false));
        assert_eq!(word(&fate), expected, "{rules} / {policy}");
    }
}

#[test]
fn multicast_in_many_rulesets() {
    for (rules, expected) in [
        ("udp dport 5004 accept", "passes"),
        ("udp dport 5000-5100 accept", "passes"),
        ("udp dport { 5000-5003, 5006 } accept", "dropped"),
        ("udp dport > 5000 accept", "perhaps"),
        ("udp dport vmap { 5004 : drop, 5006-5010 : jump pings }\naccept", "dropped"),
        ("ip daddr 239.0.0.0/8 accept", "passes"),
        ("ip daddr { 224.0.0.0-239.1.2.2 } accept", "dropped"),
        ("ip daddr { 224.0.0.0-239.255.255.255 } accept", "passes"),
        ("meta pkttype multicast accept", "passes"),
        ("iifname \"studio\" accept", "passes"),
        ("iifname \"stu*\" udp dport 5004 accept", "passes"),
        ("iifname != \"eth0\" accept", "passes"),
        ("ip saddr 10.9.0.2 udp dport 5004 accept", "perhaps"),
        ("ct state established,related accept", "dropped"),
        ("fib daddr type multicast accept", "perhaps"),
    ] {
        assert_eq!(word(&input(rules, "drop").fate(&media())), expected, "{rules}");
    }
}

#[test]
fn queries_in_rulesets() {
    for rules in ["ip protocol igmp accept", "igmp type membership-query accept"] {
        assert_eq!(input(rules, "drop").fate(&igmp()), Fate::Passes, "{rules}");
    }
}

#[test]
fn relayed_packets_go_through_the_output_chains() {
    let edge = Packet::relayed("198.51.100.7:6970".parse().unwrap(), "eth0");
    for (rules, policy, expected) in [
        ("", "accept", "passes"),
        ("", "drop", "dropped"),
        ("udp dport 6970-6999 drop", "accept", "dropped"),
        ("ip daddr 198.51.100.0/24 oifname \"eth0\" reject", "accept", "dropped"),
        ("oifname \"eth1\" drop\niifname \"eth0\" drop", "accept", "passes"),
        ("oifname \"lo\" accept\nudp dport { 53, 6970 } accept", "drop", "passes"),
        ("ct state established,related accept", "drop", "dropped"),
        ("meta skuid 0 accept", "drop", "perhaps"),
    ] {
        let read = ruleset("output", rules, policy);
        assert_eq!(word(&read.fate(&edge)), expected, "{rules} / {policy}");
        assert_eq!(read.fate(&media()), Fate::Passes, "{rules} / {policy}");
    }
}

#[test]
fn a_rule_is_quoted_as_nft_prints_it() {
    for rule in [
        "ip daddr 198.51.100.0/24 oifname \"eth0\" reject",
        "udp dport 6970-6999 drop",
        "icmp type != echo-request drop",
    ] {
        let packets = [Packet::relayed("198.51.100.7:6970".parse().unwrap(), "eth0"), igmp(), {
            Packet::refusal(false)
        }];
        let read = [ruleset("output", rule, "accept"), ruleset("input", rule, "accept")];
        let fates = read.iter().flat_map(|read| packets.iter().map(|packet| read.fate(packet)));
        let by = format!("the rule `{rule}` of inet filter base");
        assert!(fates.into_iter().any(|fate| fate == Fate::Dropped { by: by.clone() }), "{rule}");
    }
}

#[test]
fn any_json_is_read_or_refused() {
    for text in ["", "[]", "{}", "{\"nftables\":1}"] {
        assert!(Ruleset::parse(text.as_bytes()).is_none(), "{text}");
    }
    let odd = [
        json!({"match": null}),
        json!({"vmap": {"key": 1, "data": {"set": [[], 1, null]}}}),
        json!(3),
        json!({"jump": {}}),
        json!({"match": {"op": "==", "left": {"payload": 1}, "right": {"range": []}}}),
    ];
    let chain =
        json!({"family": "ip", "table": "t", "name": "c", "hook": "input", "policy": "drop"});
    let rule = json!({"family": "ip", "table": "t", "chain": "c", "expr": odd});
    let objects = json!({ "nftables": [{ "chain": chain }, { "rule": rule }] });
    let odd = Ruleset::parse(objects.to_string().as_bytes()).unwrap();
    assert_eq!(word(&odd.fate(&media())), "dropped");
}
