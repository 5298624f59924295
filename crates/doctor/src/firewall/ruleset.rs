//! A ruleset as `nft list ruleset` prints it, and what becomes of a packet in it.
//!
//! What a rule says that isn't understood makes it a rule that may or may not be about a packet, and
//! never one that certainly drops it.

use std::collections::HashMap;
use std::fmt;

use super::matching::{Meant, among, value};
use super::packet::Packet;

/// Jumps that go deeper are not followed; the kernel allows sixteen.
const DEEPEST: usize = 16;

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// It comes through.
    Passes,
    /// It is dropped for certain.
    Dropped { by: String },
    /// It may be dropped: this rule is about such packets, or else nothing is certain to let it in.
    Perhaps { by: String },
}

/// The subject of a sentence: `the rule "…" of inet filter input drops`.
impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passes => f.write_str("nothing drops"),
            Self::Dropped { by } => write!(f, "{by} drops"),
            Self::Perhaps { by } => write!(f, "{by} may drop"),
        }
    }
}

/// All chains.
#[derive(Debug, Default)]
pub(crate) struct Ruleset {
    chains: HashMap<(String, String), Chain>,
    /// Those that the kernel sends packets through, by name.
    bases: Vec<(String, String)>,
}

#[derive(Debug, Default)]
struct Chain {
    hook: Option<String>,
    drops: bool,
    rules: Vec<String>,
}

/// How a walk through a chain ended.
enum End {
    Accepted,
    Dropped(String),
    /// The chain's end, or `return`.
    Through,
}

/// What is known on the way through the chains.
#[derive(Default)]
struct Walk {
    /// A rule that isn't certain to be about the packet would let it in.
    perhaps_in: bool,
    /// A rule about such packets might drop it.
    perhaps_out: Option<String>,
}

impl Ruleset {
    /// Reads it. What is no chain is passed over.
    pub(crate) fn parse(text: &str) -> Self {
        let mut rules = Self::default();
        let (mut table, mut chain) = (String::new(), None);
        for line in logical(text) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["table", family, name, "{"] => table = format!("{family} {name}"),
                ["chain", name, "{"] => {
                    let key = (table.clone(), name.to_owned());
                    rules.chains.entry(key.clone()).or_default();
                    chain = Some(key);
                }
                ["}"] => chain = None,
                _ => {
                    if let Some(key) = &chain
                        && let Some(chain) = rules.chains.get_mut(key)
                    {
                        chain.take(&line, &words);
                    }
                }
            }
        }
        let is_base = |(_, chain): &(&(String, String), &Chain)| chain.hook.is_some();
        rules.bases = rules.chains.iter().filter(is_base).map(|(key, _)| key.clone()).collect();
        rules.bases.sort();
        rules
    }

    /// What becomes of a packet. It must come through every base chain of its family.
    pub(crate) fn fate(&self, packet: &Packet) -> Fate {
        let family = if packet.v6 { "ip6 " } else { "ip " };
        let own = |key: &&(String, String)| key.0.starts_with(family) || key.0.starts_with("inet ");
        let hooked = |key: &&(String, String)| {
            let hook = self.chains.get(*key).and_then(|chain| chain.hook.as_deref());
            hook.is_some_and(|hook| packet.hooks().contains(&hook))
        };
        let fates =
            self.bases.iter().filter(own).filter(hooked).map(|key| self.through(key, packet));
        let worst = |fate: &Fate| match fate {
            Fate::Passes => 0,
            Fate::Perhaps { .. } => 1,
            Fate::Dropped { .. } => 2,
        };
        fates.max_by_key(worst).unwrap_or(Fate::Passes)
    }

    fn through(&self, key: &(String, String), packet: &Packet) -> Fate {
        let mut walk = Walk::default();
        let drops = self.chains.get(key).is_some_and(|chain| chain.drops);
        let end = match self.walk(key, packet, &mut walk, 0) {
            End::Through if drops => End::Dropped(format!("the policy of {} {}", key.0, key.1)),
            end => end,
        };
        match (end, walk) {
            (End::Dropped(by), Walk { perhaps_in: false, .. }) => Fate::Dropped { by },
            (End::Dropped(by), _) | (_, Walk { perhaps_out: Some(by), .. }) => Fate::Perhaps { by },
            _ => Fate::Passes,
        }
    }

    fn walk(&self, key: &(String, String), packet: &Packet, walk: &mut Walk, depth: usize) -> End {
        let Some(chain) = self.chains.get(key).filter(|_| depth < DEEPEST) else {
            return End::Through;
        };
        for rule in &chain.rules {
            let Rule { meant, about, verdict } = Rule::read(rule, packet);
            let by = || format!("the rule `{}` of {} {}", plain(rule), key.0, key.1);
            match (meant, verdict) {
                (Meant::No, _) | (_, None) => {}
                (Meant::Yes, Some(Verdict::Accept)) => return End::Accepted,
                (Meant::Maybe, Some(Verdict::Accept)) => walk.perhaps_in = true,
                (Meant::Yes, Some(Verdict::Drop)) => return End::Dropped(by()),
                (Meant::Maybe, Some(Verdict::Drop)) if about => {
                    walk.perhaps_out.get_or_insert_with(by);
                }
                (Meant::Yes, Some(Verdict::Return)) => return End::Through,
                (_, Some(Verdict::Jump(to))) => {
                    let end = self.walk(&(key.0.clone(), to), packet, walk, depth + 1);
                    match (meant, end) {
                        (_, End::Through) => {}
                        (Meant::Yes, end) => return end,
                        (_, End::Accepted) => walk.perhaps_in = true,
                        (_, End::Dropped(by)) if about => {
                            walk.perhaps_out.get_or_insert(by);
                        }
                        _ => {}
                    }
                }
                (Meant::Maybe, Some(Verdict::Drop | Verdict::Return)) => {}
            }
        }
        End::Through
    }
}

impl Chain {
    fn take(&mut self, line: &str, words: &[&str]) {
        if let ["type", _, "hook", hook, ..] = words {
            self.hook = Some((*hook).to_owned());
            self.drops = line.contains("policy drop");
        } else {
            self.rules.push(line.to_owned());
        }
    }
}

/// Lines without white space around them; one whose braces are open goes on in the next.
fn logical(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match lines.last_mut().filter(|_| open) {
            Some(last) => {
                last.push(' ');
                last.push_str(line);
            }
            None => lines.push(line.to_owned()),
        }
        let last = lines.last().map_or("", String::as_str);
        let header = ["table ", "chain ", "set ", "map "].iter().any(|word| last.starts_with(word));
        open = !header && last.matches('{').count() > last.matches('}').count();
    }
    lines
}

/// The rule without its counters.
fn plain(rule: &str) -> String {
    let mut words = rule.split_whitespace().peekable();
    let mut plain = Vec::new();
    while let Some(word) = words.next() {
        if word == "counter" && words.peek() == Some(&"packets") {
            words.nth(3);
        } else {
            plain.push(word);
        }
    }
    plain.join(" ")
}

enum Verdict {
    Accept,
    Drop,
    Return,
    Jump(String),
}

/// A rule as it concerns a packet.
struct Rule {
    meant: Meant,
    /// Whether something in it is certain to be about such packets, and not about all.
    about: bool,
    verdict: Option<Verdict>,
}

impl Rule {
    fn read(text: &str, packet: &Packet) -> Self {
        let text = plain(text).replace('"', "");
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut rule = Self { meant: Meant::Yes, about: false, verdict: None };
        let mut at = 0;
        while let Some(&word) = words.get(at) {
            let next = words.get(at + 1).copied().unwrap_or_default();
            at += match word {
                "accept" => rule.ends(Verdict::Accept, words.len()),
                "drop" | "reject" => rule.ends(Verdict::Drop, words.len()),
                "return" => rule.ends(Verdict::Return, words.len()),
                "jump" | "goto" => rule.ends(Verdict::Jump(next.to_owned()), words.len()),
                "comment" => words.len(),
                "counter" => 1,
                // What follows `log` are its options, up to a verdict.
                "log" | "prefix" | "level" | "flags" | "all" => 1,
                _ => rule.expression(&words[at..], packet),
            };
        }
        rule
    }

    fn ends(&mut self, verdict: Verdict, rest: usize) -> usize {
        self.verdict = Some(verdict);
        rest
    }

    /// Takes in an expression at the start of `words`; gives how many words it is long.
    fn expression(&mut self, words: &[&str], packet: &Packet) -> usize {
        let [left, rest @ ..] = words else { return 1 };
        let single = matches!(*left, "iifname" | "iif" | "oifname" | "oif");
        let (right, mut at) =
            if single { ("", 1) } else { (rest.first().copied().unwrap_or_default(), 2) };
        let Some(said) = value(packet, left, right) else {
            self.meant = self.meant.min(Meant::Maybe);
            return 1;
        };
        let not = words.get(at) == Some(&"!=");
        at += usize::from(not || words.get(at) == Some(&"=="));
        let map = words.get(at) == Some(&"vmap");
        at += usize::from(map);
        let length = match words.get(at) {
            Some(&"{") => words[at..].iter().take_while(|&&word| word != "}").count() + 1,
            _ => 1,
        };
        let items: Vec<&str> =
            words.iter().skip(at).take(length).flat_map(|word| word.split(',')).collect();
        let items: Vec<&str> = items
            .into_iter()
            .filter(|item| !item.is_empty() && *item != "{" && *item != "}")
            .collect();
        if map {
            self.mapped(&said, &items);
        } else {
            let meant = match (among(&said, &items), not) {
                (Meant::Yes, true) => Meant::No,
                (Meant::No, true) => Meant::Yes,
                (meant, _) => meant,
            };
            self.about |= meant == Meant::Yes && !single && *left != "ct";
            self.meant = self.meant.min(meant);
        }
        at + length
    }

    /// `vmap { established : accept, invalid : drop }`
    fn mapped(&mut self, said: &super::matching::Said, items: &[&str]) {
        for entry in items.split(|item| *item == ":").collect::<Vec<_>>().windows(2) {
            let (key, verdict) = (entry[0].last().copied(), entry[1].first().copied());
            let (Some(key), Some(verdict)) = (key, verdict) else { continue };
            match (among(said, &[key]), verdict) {
                (Meant::Yes, "accept") => self.verdict = Some(Verdict::Accept),
                (Meant::Yes, "drop") => self.verdict = Some(Verdict::Drop),
                (Meant::Yes, "return") => self.verdict = Some(Verdict::Return),
                (Meant::Yes, "jump" | "goto") => {
                    let to = entry[1].get(1).copied().unwrap_or_default();
                    self.verdict = Some(Verdict::Jump(to.to_owned()));
                }
                (Meant::Maybe, _) => self.meant = self.meant.min(Meant::Maybe),
                _ => {}
            }
        }
    }
}
