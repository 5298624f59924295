//! A ruleset as `nft -j list ruleset` prints it (libnftables-json(5)), and what happens to a packet
//! in it.
//!
//! A rule with an unknown expression may or may not match a packet. It never counts as certain to drop
//! the packet.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::packet::{Meant, Packet, member};

/// Jumps that go deeper are not followed; the kernel allows sixteen.
const DEEPEST: usize = 16;

/// The fate of a packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// It comes through.
    Passes,
    /// It may be dropped: this rule is about such packets, or nothing is certain to let it in.
    Perhaps { by: String },
    /// It is dropped for certain.
    Dropped { by: String },
}

/// The subject of a sentence: `the rule … of inet filter input drops`.
impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passes => f.write_str("nothing drops"),
            Self::Dropped { by } => write!(f, "{by} drops"),
            Self::Perhaps { by } => write!(f, "{by} may drop"),
        }
    }
}

#[derive(Debug, Default)]
struct Chain {
    /// The kernel sends packets through it here; none: only other chains do.
    hook: Option<String>,
    drops: bool,
    /// Each rule's expressions.
    rules: Vec<Vec<Value>>,
}

/// All chains, by family, table and name: `inet filter input`.
#[derive(Debug, Default)]
pub(super) struct Ruleset {
    chains: BTreeMap<String, Chain>,
}

/// How a walk through a chain ended.
enum End {
    Accepted,
    Dropped(String),
    /// At the chain's end, or by `return`.
    Through,
}

/// The rules that the walk met.
#[derive(Default)]
struct Met {
    /// A rule that may be about the packet accepts it.
    perhaps_in: bool,
    /// A rule about such packets may drop it.
    perhaps_out: Option<String>,
}

impl Ruleset {
    /// Reads a listing; none if it is invalid.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        let listing: Value = serde_json::from_slice(json).ok()?;
        let mut chains: BTreeMap<String, Chain> = BTreeMap::new();
        for (kind, object) in listing["nftables"].as_array()?.iter().filter_map(member) {
            let text = |key: &str| object[key].as_str().unwrap_or_default();
            let own = if kind == "chain" { "name" } else { "chain" };
            let name = format!("{} {} {}", text("family"), text("table"), text(own));
            if kind == "chain" {
                let chain = chains.entry(name).or_default();
                chain.hook = object["hook"].as_str().map(str::to_owned);
                chain.drops = object["policy"] == "drop";
            } else if let ("rule", Some(expressions)) = (kind, object["expr"].as_array()) {
                chains.entry(name).or_default().rules.push(expressions.clone());
            }
        }
        Some(Self { chains })
    }

    /// The fate of a packet. It must come through every chain of its family and its hooks.
    pub(super) fn fate(&self, packet: &Packet) -> Fate {
        let family = if packet.v6 { "ip6 " } else { "ip " };
        let passed = |(name, chain): &(&String, &Chain)| {
            (name.starts_with(family) || name.starts_with("inet "))
                && chain.hook.as_deref().is_some_and(|hook| packet.hooks().contains(&hook))
        };
        let passed = self.chains.iter().filter(passed);
        passed.map(|(name, chain)| self.through(name, chain, packet)).max().unwrap_or(Fate::Passes)
    }

    fn through(&self, name: &str, chain: &Chain, packet: &Packet) -> Fate {
        let mut met = Met::default();
        let end = match self.walk(name, packet, &mut met, 0) {
            End::Through if chain.drops => End::Dropped(format!("the policy of {name}")),
            end => end,
        };
        match (end, met) {
            (End::Dropped(by), Met { perhaps_in: false, .. }) => Fate::Dropped { by },
            (End::Dropped(by), _) | (_, Met { perhaps_out: Some(by), .. }) => Fate::Perhaps { by },
            _ => Fate::Passes,
        }
    }

    fn walk(&self, name: &str, packet: &Packet, met: &mut Met, depth: usize) -> End {
        let Some(chain) = self.chains.get(name).filter(|_| depth < DEEPEST) else {
            return End::Through;
        };
        for expressions in &chain.rules {
            let Rule { meant, about, verdict } = Rule::read(expressions, packet);
            let by = || format!("the rule `{}` of {name}", text(expressions));
            let end = match verdict {
                Some(Verdict::Accept) => End::Accepted,
                Some(Verdict::Drop) => End::Dropped(by()),
                Some(Verdict::Return) if meant == Meant::Yes => return End::Through,
                Some(Verdict::Jump(chain)) if meant != Meant::No => {
                    let table = name.rsplit_once(' ').map_or("", |(table, _)| table);
                    self.walk(&format!("{table} {chain}"), packet, met, depth + 1)
                }
                _ => End::Through,
            };
            match (meant, end) {
                (Meant::No, _) | (_, End::Through) => {}
                (Meant::Yes, end) => return end,
                (Meant::Maybe, End::Accepted) => met.perhaps_in = true,
                (Meant::Maybe, End::Dropped(by)) if about => {
                    met.perhaps_out.get_or_insert(by);
                }
                (Meant::Maybe, End::Dropped(_)) => {}
            }
        }
        End::Through
    }
}

enum Verdict {
    Accept,
    Drop,
    Return,
    Jump(String),
}

impl Verdict {
    fn read(name: &str, inner: &Value) -> Option<Self> {
        Some(match name {
            "accept" => Self::Accept,
            "drop" | "reject" => Self::Drop,
            "return" => Self::Return,
            "jump" | "goto" => Self::Jump(inner["target"].as_str()?.to_owned()),
            _ => return None,
        })
    }
}

/// A rule's effect on a packet.
struct Rule {
    meant: Meant,
    /// Whether something in it is certain to be about such packets, and not about all.
    about: bool,
    verdict: Option<Verdict>,
}

impl Rule {
    fn read(expressions: &[Value], packet: &Packet) -> Self {
        let mut rule = Self { meant: Meant::Yes, about: false, verdict: None };
        for (name, inner) in expressions.iter().filter_map(member) {
            match name {
                "match" => rule.take_match(inner, packet),
                "vmap" => rule.take_map(inner, packet),
                "counter" | "log" => {}
                _ => match Verdict::read(name, inner) {
                    Some(verdict) => rule.verdict = Some(verdict),
                    None => rule.meant = rule.meant.min(Meant::Maybe),
                },
            }
        }
        rule
    }

    fn take_match(&mut self, inner: &Value, packet: &Packet) {
        let left = &inner["left"];
        let meant = match (packet.matches(left, &inner["right"]), inner["op"].as_str()) {
            (meant, Some("==" | "in")) => meant,
            (Meant::Yes, Some("!=")) => Meant::No,
            (Meant::No, Some("!=")) => Meant::Yes,
            _ => Meant::Maybe,
        };
        let general = is_interface(left) || left.get("ct").is_some();
        self.about |= meant == Meant::Yes && !general;
        self.meant = self.meant.min(meant);
    }

    /// `vmap { established : accept, invalid : drop }`
    fn take_map(&mut self, inner: &Value, packet: &Packet) {
        for entry in inner["data"]["set"].as_array().into_iter().flatten() {
            let verdict = member(&entry[1]).and_then(|(name, inner)| Verdict::read(name, inner));
            match packet.matches(&inner["key"], &entry[0]) {
                Meant::Yes => self.verdict = verdict,
                Meant::Maybe => self.meant = self.meant.min(Meant::Maybe),
                Meant::No => {}
            }
        }
    }
}

fn is_interface(left: &Value) -> bool {
    matches!(left["meta"]["key"].as_str(), Some("iif" | "iifname" | "oif" | "oifname"))
}

/// A rule as nft prints it, without its counters.
fn text(expressions: &[Value]) -> String {
    let counts = |value: &&Value| value.get("counter").is_none();
    expressions.iter().filter(counts).map(shown).collect::<Vec<_>>().join(" ")
}

fn shown(value: &Value) -> String {
    let list = |items: &Value, by: &str| {
        let items: Vec<String> = items.as_array().into_iter().flatten().map(shown).collect();
        items.join(by)
    };
    let Some((name, inner)) = member(value) else {
        return match value {
            Value::String(text) => text.clone(),
            Value::Array(_) => list(value, ","),
            _ => value.to_string(),
        };
    };
    let part = |key: &str| shown(&inner[key]);
    match name {
        "match" => {
            let (left, right) = (&inner["left"], &inner["right"]);
            let right = match right {
                Value::String(name) if is_interface(left) => format!("\"{name}\""),
                _ => shown(right),
            };
            let operator = if inner["op"] == "!=" { " !=" } else { "" };
            format!("{}{operator} {right}", shown(left))
        }
        "vmap" => format!("{} vmap …", part("key")),
        "payload" => format!("{} {}", part("protocol"), part("field")),
        "meta" if is_interface(value) => part("key"),
        "meta" | "ct" => format!("{name} {}", part("key")),
        "prefix" => format!("{}/{}", part("addr"), part("len")),
        "range" => list(inner, "-"),
        "set" => format!("{{ {} }}", list(inner, ", ")),
        "jump" | "goto" => format!("{name} {}", part("target")),
        _ => name.to_owned(),
    }
}
