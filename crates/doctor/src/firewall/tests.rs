//! Rulesets as they are met, and what becomes of packets in them.

use catalog::Source;

use super::packet::{Packet, Protocol};
use super::ruleset::{Fate, Ruleset};

/// Debian's example of a workstation, by and large.
const WORKSTATION: &str = r#"table inet filter {
	set blocked {
		type ipv4_addr
		elements = { 192.0.2.66,
			     192.0.2.67 }
	}
	chain input {
		type filter hook input priority filter; policy drop;
		iifname "lo" accept
		ct state vmap { established : accept, related : accept, invalid : drop }
		ip saddr @blocked counter packets 0 bytes 0 drop
		tcp dport { 22, 80,
			    443 } accept
		limit rate 5/minute burst 5 packets log prefix "dropped: "
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}"#;

fn input(rules: &str, policy: &str) -> Ruleset {
    Ruleset::parse(&format!(
        "table inet filter {{\n chain input {{\n type filter hook input priority 0; policy \
         {policy};\n {rules}\n }}\n}}\n"
    ))
}

fn media() -> Packet {
    Packet::media(&Source {
        address: "239.1.2.3".parse().unwrap(),
        port: 5004,
        sender: None,
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
    let rules = Ruleset::parse(WORKSTATION);
    assert_eq!(rules.fate(&Packet::refusal(false)), Fate::Passes);
    assert_eq!(rules.fate(&Packet::refusal(true)), Fate::Passes);
    let by = "the policy of inet filter input".to_owned();
    assert_eq!(rules.fate(&media()), Fate::Dropped { by: by.clone() });
    assert_eq!(rules.fate(&igmp()), Fate::Dropped { by });
}

#[test]
fn refusals_in_many_rulesets() {
    for (rules, policy, expected) in [
        ("", "accept", "passes"),
        ("", "drop", "dropped"),
        ("icmp type destination-unreachable counter packets 3 bytes 9 drop", "accept", "dropped"),
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
        ("jump icmp\n}\nchain icmp {\nicmp type destination-unreachable drop", "accept", "dropped"),
        ("ip protocol icmp goto icmp\n}\nchain icmp {\naccept", "drop", "passes"),
        ("jump in\n}\nchain in {\njump in", "accept", "passes"),
    ] {
        let rules_read = input(rules, policy);
        assert_eq!(word(&rules_read.fate(&Packet::refusal(false))), expected, "{rules} / {policy}");
    }
}

#[test]
fn multicast_in_many_rulesets() {
    for (rules, expected) in [
        ("udp dport 5004 accept", "passes"),
        ("udp dport 5000-5100 accept", "passes"),
        ("udp dport { 5000-5003, 5006 } accept", "dropped"),
        ("ip daddr 239.0.0.0/8 accept", "passes"),
        ("ip daddr { 224.0.0.0-239.1.2.2 } accept", "dropped"),
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
fn what_goes_out_goes_through_other_chains() {
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
        let text = format!(
            "table inet filter {{\n chain out {{\n type filter hook output priority 0; policy \
             {policy};\n {rules}\n }}\n chain in {{\n type filter hook input priority 0; policy \
             accept;\n }}\n}}\n"
        );
        let read = Ruleset::parse(&text);
        assert_eq!(word(&read.fate(&edge)), expected, "{rules} / {policy}");
        assert_eq!(read.fate(&media()), Fate::Passes, "{rules} / {policy}");
    }
    let closed = Ruleset::parse(WORKSTATION);
    assert_eq!(closed.fate(&edge), Fate::Passes);
}

#[test]
fn whatever_is_printed_is_read() {
    for text in ["", "table", "}\n}", "chain x {", "table ip a {\nchain b {\n{ {", "x vmap { : }"] {
        assert_eq!(Ruleset::parse(text).fate(&media()), Fate::Passes);
    }
    let odd = input("vmap { : , }\nct state vmap { : : }\nip\nudp dport\niifname", "drop");
    assert_ne!(odd.fate(&media()), Fate::Passes);
}
