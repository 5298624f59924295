//! Why a relay is in its state and what would close it, in sentences.

use std::time::Duration;

use control::{After, CloseForecast, FlowStatus, RelayDetail};
use model::{CloseReason, FlowKind, Gate, Rules, State};

use crate::{age, count, meaning, silence};

/// A media counts as silent after so many milliseconds without a packet.
const SILENT_MS: u64 = 2000;

/// Why a relay is in its state. `now` is in seconds since 1970.
pub fn why(detail: &RelayDetail, now: u64) -> String {
    let sentences = match detail.relay.state {
        State::Starting => starting(detail, now),
        State::Live => live(detail),
        State::Suspect => suspect(detail),
        State::Closed => {
            let meaning = detail.relay.reason.map(|reason| sentence(meaning(reason)));
            meaning.into_iter().chain(advice(detail)).collect()
        }
    };
    sentences.join(" ")
}

/// Says what would close a relay and when, the likeliest first. `now` is in seconds since 1970.
pub fn closing(detail: &RelayDetail, now: u64) -> Vec<String> {
    let mut all: Vec<String> = detail.closes.iter().map(|one| forecast(detail, one)).collect();
    all.extend(detail.rules.and_then(|rules| later(detail, rules, now)));
    all
}

fn starting(detail: &RelayDetail, now: u64) -> Vec<String> {
    if rtp(detail).all(|flow| flow.idle_ms.is_none()) {
        return vec!["A viewer asked for it. Nothing arrives from the encoder yet.".into()];
    }
    let asked = "A viewer asked for it. The edge may refuse it until the player arrives there.";
    let mut sentences = vec![asked.to_owned()];
    sentences.extend(detail.rules.map(|rules| {
        let (quiet, left) = (silence(millis(rules.quiet)), within(grace_left(detail, rules, now)));
        format!(
            "It becomes live after {quiet} without refusals, or suspect if everything is still \
             refused{left}."
        )
    }));
    sentences.extend(silent(detail));
    sentences
}

fn live(detail: &RelayDetail) -> Vec<String> {
    let mut sentences = vec![match detail.relay.viewers {
        Some(viewers) => {
            format!("The edge takes it and reports {}.", count(viewers, "viewer"))
        }
        None => "The edge takes it.".to_owned(),
    }];
    let refused = labels(rtp(detail).filter(|flow| flow.gate != Gate::Open));
    if !refused.is_empty() {
        sentences.push(format!("But it refuses {refused}, which gets only probes."));
    }
    sentences.extend(silent(detail));
    sentences
}

fn suspect(detail: &RelayDetail) -> Vec<String> {
    let why = match detail.closes.first().map(|forecast| forecast.reason) {
        Some(CloseReason::NeverAccepted) => {
            "The edge has refused it since a viewer asked for it: no player has come there, or the \
             edge expects it on other ports."
        }
        Some(CloseReason::EdgeUnreachable) if is_kept_in(detail) => {
            "This host lets nothing out to the edge: `dynrelay check` names the firewall's rule."
        }
        Some(CloseReason::EdgeUnreachable) => {
            "Nothing reaches the edge: it is down, or the network to it."
        }
        Some(CloseReason::EdgeFirewalled) => {
            "A firewall on the way to the edge rejects the packets. Let UDP through to its ports."
        }
        _ => "The edge took it and now refuses it: apparently nobody watches there any more.",
    };
    let next = "Only probes are sent. It becomes live when the edge does not refuse one, and starts \
                again when a viewer asks.";
    vec![why.to_owned(), next.to_owned()]
}

/// Where to look for the cause when a relay has closed, if its reason alone does not tell.
pub fn advice(detail: &RelayDetail) -> Option<String> {
    let (stream, edge) = (&detail.relay.stream, &detail.relay.edge);
    let arrived = detail.flows.iter().any(|flow| flow.idle_ms.is_some());
    match detail.relay.reason? {
        CloseReason::SourceEnded if !arrived && !detail.flows.is_empty() => {
            Some(format!("In fact nothing ever arrived: `dynrelay scan {stream}` shows what does."))
        }
        CloseReason::EdgeUnreachable if is_kept_in(detail) => Some(
            "Or rather, this host lets nothing out: `dynrelay check` names the firewall's rule."
                .to_owned(),
        ),
        CloseReason::NeverAccepted => Some(format!(
            "If a player did come: are the ports of {stream}.{edge}.sdp those of the edge's own file?"
        )),
        _ => None,
    }
}

/// Whether this host could not send its media, and nobody has refused any.
fn is_kept_in(detail: &RelayDetail) -> bool {
    rtp(detail).any(|flow| flow.lost > 0) && rtp(detail).all(|flow| flow.refusals == 0)
}

/// Says if nothing arrives, for some media or for all.
fn silent(detail: &RelayDetail) -> Option<String> {
    let (silent, running): (Vec<_>, Vec<_>) =
        rtp(detail).partition(|flow| flow.idle_ms.is_none_or(|idle| idle >= SILENT_MS));
    match (silent.is_empty(), running.is_empty()) {
        (true, _) => None,
        (false, true) => Some("Nothing arrives from the encoder.".to_owned()),
        (false, false) => Some(format!("Nothing arrives for {}.", labels(silent.into_iter()))),
    }
}

fn rtp(detail: &RelayDetail) -> impl Iterator<Item = &FlowStatus> {
    detail.flows.iter().filter(|flow| flow.kind == FlowKind::Rtp)
}

fn labels<'a>(flows: impl Iterator<Item = &'a FlowStatus>) -> String {
    let labels: Vec<&str> = flows.map(|flow| flow.media.as_str()).collect();
    labels.join(" and ")
}

/// A phrase as a sentence of its own.
fn sentence(phrase: &str) -> String {
    let mut letters = phrase.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}

/// A close that is under way.
fn forecast(detail: &RelayDetail, CloseForecast { reason, after }: &CloseForecast) -> String {
    match after {
        After::Refusals(left) => {
            let left = count(*left, "more refused probe");
            let pace = if detail.address.is_ipv6() { "ten" } else { "one" };
            format!("as {reason} after {left}, at most {pace} a second")
        }
        After::Silence(left) => {
            format!("as {reason} in {} if the source stays silent", age(*left))
        }
        After::Seconds(left) => {
            let unless = match reason {
                CloseReason::NoViewers => "if the edge still reports no viewer then",
                _ => "unless a viewer asks for it",
            };
            format!("as {reason} in {} {unless}", age(*left))
        }
    }
}

/// The events that would also close it, but have not begun.
fn later(detail: &RelayDetail, rules: Rules, now: u64) -> Option<String> {
    let refuses = match detail.relay.state {
        State::Live => "refuses every media".to_owned(),
        State::Starting => {
            format!("still refuses every media{}", within(grace_left(detail, rules, now)))
        }
        State::Suspect | State::Closed => return None,
    };
    let probes = count(rules.errors, "probe");
    let mut when = vec![format!("the edge {refuses}, and then {probes} of each")];
    let under_way = |reason| detail.closes.iter().any(|one| one.reason == reason);
    if !under_way(CloseReason::SourceEnded) {
        when.push(format!("the source is silent for {}", silence(millis(rules.source_silence))));
    }
    if detail.relay.viewers.is_some() && !under_way(CloseReason::NoViewers) {
        let time = silence(millis(rules.no_viewers));
        when.push(format!("the edge reports no viewer for {time}"));
    }
    let last = when.pop()?;
    let all = if when.is_empty() { last } else { format!("{}, or {last}", when.join(", ")) };
    Some(if detail.closes.is_empty() { format!("when {all}") } else { format!("else when {all}") })
}

/// ` in 17s`, or nothing for 0.
fn within(seconds: u64) -> String {
    if seconds == 0 { String::new() } else { format!(" in {}", age(seconds)) }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// For how many more seconds the edge may refuse it.
fn grace_left(detail: &RelayDetail, rules: Rules, now: u64) -> u64 {
    let until = detail.asked.unwrap_or(detail.relay.since);
    let until = until.saturating_add(millis(rules.grace).div_ceil(1000));
    until.saturating_sub(now)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Noon on a Tuesday in 2024.
    const NOW: u64 = 1_721_131_200;

    const RULES: &str = r#"{"errors":10,"quiet_ms":3000,"grace_ms":20000,
        "source_silence_ms":30000,"no_viewers_ms":30000}"#;

    /// A relay of video and audio that a viewer asked for three seconds ago, changed by `change`.
    fn relay(state: &str, change: impl FnOnce(&mut Value)) -> RelayDetail {
        let flow = |media: &str| {
            json!({
                "media": media, "kind": "rtp", "from": "239.1.2.3:5004", "to": "198.51.100.7:6970",
                "via": "192.0.2.1:40000", "gate": "open", "packets": 9, "bytes": 9, "refusals": 0,
                "drops": 0, "gaps": 0, "ssrc_changes": 0, "idle_ms": 20,
            })
        };
        let mut json = json!({
            "stream": "news", "edge": "dss2", "state": state, "since": NOW - 60,
            "started": NOW - 60, "packets": 9, "bytes": 9, "rate": 9, "refusals": 0,
            "address": "198.51.100.7", "answers": true, "asked": NOW - 3, "closes": [],
            "rules": serde_json::from_str::<Value>(RULES).unwrap(),
            "flows": [flow("video H264"), flow("audio MPA")],
        });
        change(&mut json);
        serde_json::from_value(json).unwrap()
    }

    fn same(_: &mut Value) {}

    #[test]
    fn a_starting_relay() {
        let starting = relay("starting", same);
        assert_eq!(
            why(&starting, NOW),
            "A viewer asked for it. The edge may refuse it until the player arrives there. It becomes \
             live after 3s without refusals, or suspect if everything is still refused in 17s."
        );
        assert_eq!(
            closing(&starting, NOW),
            ["when the edge still refuses every media in 17s, and then 10 probes of each, or the \
              source is silent for 30s"]
        );
        let silent = relay("starting", |relay| {
            relay["flows"][0]["idle_ms"] = Value::Null;
            relay["flows"][1]["idle_ms"] = Value::Null;
            relay["closes"] = json!([{"reason": "source-ended", "silence": 12}]);
        });
        assert!(why(&silent, NOW).contains("Nothing arrives from the encoder yet"));
        let closes = closing(&silent, NOW);
        assert_eq!(closes[0], "as source-ended in 12s if the source stays silent");
        assert_eq!(
            closes[1],
            "else when the edge still refuses every media in 17s, and then 10 probes of each"
        );
    }

    #[test]
    fn a_live_relay() {
        assert_eq!(why(&relay("live", same), NOW), "The edge takes it.");
        let all = "when the edge refuses every media, and then 10 probes of each, or the source is silent for 30s";
        assert_eq!(closing(&relay("live", same), NOW), [all]);
        let odd = relay("live", |relay| {
            relay["viewers"] = 1.into();
            relay["flows"][0]["gate"] = "probe".into();
            relay["flows"][1]["idle_ms"] = 5000.into();
        });
        assert_eq!(
            why(&odd, NOW),
            "The edge takes it and reports 1 viewer. But it refuses video H264, which gets only \
             probes. Nothing arrives for audio MPA."
        );
        assert!(closing(&odd, NOW)[0].ends_with("or the edge reports no viewer for 30s"));
        let silent = relay("live", |relay| {
            relay["flows"][0]["idle_ms"] = 3000.into();
            relay["flows"][1]["idle_ms"] = Value::Null;
        });
        assert_eq!(why(&silent, NOW), "The edge takes it. Nothing arrives from the encoder.");
        let unwatched = relay("live", |relay| {
            relay["viewers"] = 0.into();
            relay["closes"] = json!([{"reason": "no-viewers", "seconds": 25},
                {"reason": "lease-expired", "seconds": 7200}]);
        });
        let closes = closing(&unwatched, NOW);
        assert_eq!(closes[0], "as no-viewers in 25s if the edge still reports no viewer then");
        assert_eq!(closes[1], "as lease-expired in 2h 0m unless a viewer asks for it");
        assert_eq!(closes[2], format!("else {all}"));
    }

    #[test]
    fn a_suspect_relay() {
        let suspect = |reason: &str| {
            relay("suspect", |relay| {
                relay["closes"] = json!([{"reason": reason, "refusals": 7}]);
            })
        };
        for (reason, said) in [
            ("no-viewers", "The edge took it and now refuses it"),
            ("never-accepted", "The edge has refused it since"),
            ("edge-unreachable", "is down"),
        ] {
            assert!(why(&suspect(reason), NOW).contains(said), "{reason}");
            let closes = closing(&suspect(reason), NOW);
            let left = format!("as {reason} after 7 more refused probes, at most one a second");
            assert_eq!(closes, [left]);
        }
    }

    #[test]
    fn a_relay_that_this_host_does_not_let_out() {
        let kept = |state: &str, refusals: u64| {
            let kept = relay(state, |relay| {
                relay["reason"] = "edge-unreachable".into();
                relay["closes"] = json!([{"reason": "edge-unreachable", "refusals": 7}]);
                for flow in [0, 1] {
                    relay["flows"][flow]["lost"] = 50.into();
                    relay["flows"][flow]["refusals"] = refusals.into();
                }
            });
            why(&kept, NOW)
        };
        for state in ["suspect", "closed"] {
            assert!(kept(state, 0).contains("`dynrelay check` names the firewall's rule"));
            assert!(!kept(state, 9).contains("firewall"), "a refused packet did leave this host");
        }
    }

    #[test]
    fn a_closed_relay() {
        let ended = |idle: Value| {
            let ended = relay("closed", |relay| {
                relay["reason"] = "source-ended".into();
                relay["rules"] = Value::Null;
                relay["flows"][0]["idle_ms"] = idle;
                relay["flows"][1]["idle_ms"] = Value::Null;
            });
            assert!(closing(&ended, NOW).is_empty());
            why(&ended, NOW)
        };
        assert_eq!(ended(30_000.into()), "Nothing arrived from the encoder any more.");
        assert!(ended(Value::Null).contains("`dynrelay scan news` shows what does"));
    }
}
