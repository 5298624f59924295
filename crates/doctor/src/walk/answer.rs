//! What an edge answers to the packets of a relay, told from its counters.

use std::time::Duration;

use control::{FlowStatus, RelayDetail};
use model::{FlowKind, Gate};

use super::step::Outcome;
use crate::refusals::PORT;
use wording::count;

/// An edge sends about one ICMP error a second for all flows together (Linux's limit on IPv4).
const BETWEEN_ERRORS: Duration = Duration::from_secs(1);
/// Refusals so far apart, so many times, show that the edge's limit is none to go by its silence then.
const BEAT: Duration = Duration::from_millis(800);
const BEATS: u32 = 3;
/// Errors that other flows, or a busy host, may get in between.
const SPARE_ERRORS: u32 = 2;

/// What is known of one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No packet was sent yet.
    Waiting,
    /// Packets go out; nothing is known yet.
    Sent,
    /// The edge refuses them.
    Refused,
    /// It does not refuse them, or no more; whether it could is not known.
    Quiet,
    /// It takes them.
    Taken,
    /// It does not refuse them, and has never refused anything: they may get lost on the way.
    Silent,
    /// It does not refuse them, and has refused, but doesn't just now, whatever it is sent.
    Doubtful,
}

/// One more step to tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) step: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) what: String,
    pub(crate) advice: &'static str,
}

/// A flow as it was, and how it goes on.
#[derive(Clone, Debug)]
struct Flow {
    status: Option<FlowStatus>,
    /// Packets and refusals when it was first looked at: a relay may have run before.
    first: (u64, u64),
    /// Packets sent, and the time, when it was refused last, or looked at first.
    since: (u64, Duration),
    /// How often it was refused, a while after the time before; and the last such time.
    beats: (u32, Option<Duration>),
    verdict: Verdict,
    told_sent: bool,
    told: Option<Verdict>,
}

/// The flows of a relay.
#[derive(Debug)]
pub(crate) struct Answers {
    flows: Vec<Flow>,
    /// So long must pass without a refusal.
    quiet: Duration,
    /// Whether the edge has ever refused anything.
    answers: bool,
}

impl Answers {
    /// Nothing is known of so many flows. `quiet`: how long nothing may be refused.
    pub(crate) fn new(flows: usize, quiet: Duration) -> Self {
        let flows = u32::try_from(flows).unwrap_or(u32::MAX);
        let errors = BETWEEN_ERRORS.saturating_mul(flows.saturating_add(SPARE_ERRORS));
        Self { flows: Vec::new(), quiet: quiet.max(errors), answers: false }
    }

    /// Takes in how the relay stands at a time.
    pub(crate) fn look(&mut self, detail: &RelayDetail, now: Duration) {
        let new = |status: &FlowStatus| Flow {
            status: None,
            first: (status.packets, status.refusals),
            since: (status.packets, now),
            beats: (0, None),
            verdict: Verdict::Waiting,
            told_sent: false,
            told: None,
        };
        // A relay that was changed by a reload has other flows.
        if self.flows.len() != detail.flows.len() {
            self.flows = detail.flows.iter().map(new).collect();
        }
        let heard = detail.relay.viewers.is_some_and(|viewers| viewers > 0);
        for (flow, status) in self.flows.iter_mut().zip(&detail.flows) {
            flow.look(status, now, self.quiet, heard || status.reports > 0);
        }
        self.answers = detail.answers || detail.relay.refusals > 0;
    }

    /// Whether an RTP flow is not refused, and it has to be found out whether it could be.
    pub(crate) fn are_quiet(&self) -> bool {
        self.rtp().any(|flow| flow.verdict == Verdict::Quiet)
    }

    /// Takes in whether the edge refuses what nobody takes.
    pub(crate) fn settle(&mut self, refuses: bool) {
        let verdict = match (refuses, self.answers) {
            (true, _) => Verdict::Taken,
            (false, true) => Verdict::Doubtful,
            (false, false) => Verdict::Silent,
        };
        for flow in self.flows.iter_mut().filter(|flow| flow.verdict == Verdict::Quiet) {
            flow.verdict = verdict;
        }
    }

    fn rtp(&self) -> impl Iterator<Item = &Flow> {
        self.flows.iter().filter(|flow| flow.kind() == Some(FlowKind::Rtp))
    }

    /// Whether every RTP flow is taken, or as good as.
    pub(crate) fn all_taken(&self) -> bool {
        !self.flows.is_empty() && self.rtp().all(|flow| flow.verdict.is_settled())
    }

    /// Whether an RTP flow is refused just now.
    pub(crate) fn is_refused(&self) -> bool {
        self.rtp().any(|flow| flow.verdict == Verdict::Refused)
    }

    /// What is new since it was asked last; when it is `over`, also what came of the rest.
    pub(crate) fn news(&mut self, over: bool) -> Vec<News> {
        self.flows.iter_mut().flat_map(|flow| flow.news(over)).collect()
    }
}

impl Verdict {
    /// Whether no more can be learned by looking on.
    fn is_settled(self) -> bool {
        matches!(self, Self::Taken | Self::Silent | Self::Doubtful)
    }
}

impl Flow {
    fn kind(&self) -> Option<FlowKind> {
        self.status.as_ref().map(|status| status.kind)
    }

    fn look(&mut self, status: &FlowStatus, now: Duration, quiet: Duration, proven: bool) {
        let before = self.status.as_ref().map_or(self.first.1, |before| before.refusals);
        if status.refusals > before && self.beats.1.is_none_or(|last| now >= last + BEAT) {
            self.beats = (self.beats.0 + 1, Some(now));
        }
        if status.refusals > before || (status.gate != Gate::Open && status.refusals > 0) {
            self.since = (status.packets, now);
            self.verdict = Verdict::Refused;
        } else if status.packets > self.first.0 && self.verdict == Verdict::Waiting {
            self.since = (self.first.0, now);
            self.verdict = Verdict::Sent;
        }
        let passed = now.saturating_sub(self.since.1) >= quiet && status.packets > self.since.0;
        if passed && matches!(self.verdict, Verdict::Sent | Verdict::Refused) {
            let proven = proven || self.beats.0 >= BEATS;
            self.verdict = if proven { Verdict::Taken } else { Verdict::Quiet };
        }
        self.status = Some(status.clone());
    }

    fn news(&mut self, over: bool) -> Vec<News> {
        let Some(status) = &self.status else { return Vec::new() };
        let mut news = Vec::new();
        let rtp = status.kind == FlowKind::Rtp;
        if rtp && self.verdict != Verdict::Waiting && !std::mem::replace(&mut self.told_sent, true)
        {
            let what = format!("{} is sent to {}", status.media, status.to);
            news.push(News { step: "packets", outcome: Outcome::Ok, what, advice: "" });
        }
        if (self.verdict.is_settled() || over) && self.told != Some(self.verdict) {
            self.told = Some(self.verdict);
            news.extend(self.answer(rtp));
        }
        news
    }

    /// What came of it; of RTCP only that it is refused.
    fn answer(&self, rtp: bool) -> Option<News> {
        let status = self.status.as_ref()?;
        let (name, to) = (&status.media, status.to);
        let refused = status.refusals.saturating_sub(self.first.1);
        let (outcome, what, advice) = match self.verdict {
            Verdict::Refused if !rtp => {
                (Outcome::Ok, format!("{name}'s RTCP is refused at {to}, which harms nothing"), "")
            }
            _ if !rtp => return None,
            Verdict::Taken => (Outcome::Ok, format!("{name} is accepted at {to}"), ""),
            Verdict::Refused => (
                Outcome::Failed,
                format!("{name} is refused at {to} ({})", count(refused, "refusal")),
                "if nobody watches, all is well so far: open a player there and check again; if \
                 somebody does, the edge's file names another port",
            ),
            Verdict::Silent => (
                Outcome::Unknown,
                format!("{name} is not refused at {to}, and this edge has never refused anything"),
                "it accepts, or packets or ICMP errors get lost on the way: `tcpdump -n udp` on the \
                 edge tells; see `dynrelay check`",
            ),
            Verdict::Doubtful => (
                Outcome::Unknown,
                format!(
                    "{name} is not refused at {to}, but neither is a packet to port {PORT}, where \
                     nobody listens: that proves nothing"
                ),
                "the edge's ICMP errors are limited or dropped: `dynrelay check` says more; on the \
                 edge, `ss -uln` tells whether it listens",
            ),
            Verdict::Quiet | Verdict::Sent => (
                Outcome::Unknown,
                format!(
                    "{name} is not refused at {to} so far, but that was not long enough to tell"
                ),
                "give it more time: --wait 30s",
            ),
            Verdict::Waiting => (
                Outcome::Failed,
                format!("no packet of {name} was sent to {to}"),
                "nothing arrives from the encoder: `dynrelay scan`",
            ),
        };
        Some(News { step: "answer", outcome, what, advice })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A relay of one media: packets and refusals of its RTP and RTCP, and whether the edge has
    /// ever answered.
    fn detail(packets: u64, refusals: u64, rtcp_refusals: u64, answers: bool) -> RelayDetail {
        let flow = |kind: &str, refusals: u64| {
            serde_json::json!({
                "media": "video H264", "kind": kind, "from": "239.1.2.3:5004",
                "to": "198.51.100.7:6970", "via": "192.0.2.1:40000", "gate": "open",
                "packets": packets, "bytes": 1, "refusals": refusals, "drops": 0, "gaps": 0,
                "ssrc_changes": 0,
            })
        };
        serde_json::from_value(serde_json::json!({
            "stream": "news", "edge": "dss2", "state": "starting", "since": 1, "started": 1,
            "packets": packets, "bytes": 1, "rate": 1, "refusals": refusals,
            "address": "198.51.100.7", "answers": answers,
            "flows": [flow("rtp", refusals), flow("rtcp", rtcp_refusals)],
        }))
        .unwrap()
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn outcomes(news: &[News]) -> Vec<(&str, Outcome)> {
        news.iter().map(|one| (one.step, one.outcome)).collect()
    }

    #[test]
    fn a_flow_is_taken_when_it_is_not_refused_for_a_while() {
        let mut answers = Answers::new(2, at(3));
        answers.look(&detail(0, 0, 0, true), at(0));
        assert!(answers.news(false).is_empty());
        answers.look(&detail(5, 0, 0, true), at(1));
        assert_eq!(outcomes(&answers.news(false)), [("packets", Outcome::Ok)]);
        answers.look(&detail(50, 0, 0, true), at(3));
        assert!(answers.news(false).is_empty() && !answers.all_taken());
        answers.look(&detail(60, 0, 0, true), at(5));
        assert!(answers.are_quiet() && !answers.all_taken());
        answers.settle(true);
        assert_eq!(outcomes(&answers.news(false)), [("answer", Outcome::Ok)]);
        assert!(answers.all_taken() && answers.news(true).is_empty());
    }

    #[test]
    fn an_edge_that_has_never_answered_proves_nothing() {
        let mut answers = Answers::new(2, at(3));
        answers.look(&detail(0, 0, 0, false), at(0));
        answers.look(&detail(5, 0, 0, false), at(1));
        answers.look(&detail(90, 0, 0, false), at(9));
        answers.settle(false);
        let news = answers.news(false);
        assert_eq!(outcomes(&news), [("packets", Outcome::Ok), ("answer", Outcome::Unknown)]);
    }

    #[test]
    fn a_viewer_who_comes_turns_refusal_into_acceptance() {
        let mut answers = Answers::new(2, at(3));
        answers.look(&detail(0, 0, 0, true), at(0));
        answers.look(&detail(5, 1, 1, true), at(1));
        assert!(answers.is_refused());
        answers.look(&detail(6, 2, 1, true), at(2));
        answers.look(&detail(7, 2, 1, true), at(4));
        assert!(answers.is_refused() && !answers.all_taken());
        answers.look(&detail(99, 2, 1, true), at(6));
        assert!(answers.are_quiet() && !answers.is_refused());
        answers.settle(true);
        assert!(answers.all_taken());
    }

    #[test]
    fn an_edge_that_refuses_a_few_times_and_then_nothing_proves_nothing() {
        let mut answers = Answers::new(2, at(3));
        answers.look(&detail(0, 0, 0, true), at(0));
        answers.look(&detail(50, 3, 0, true), at(1));
        answers.look(&detail(250, 3, 0, true), at(6));
        answers.settle(false);
        assert_eq!(outcomes(&answers.news(false)).pop(), Some(("answer", Outcome::Unknown)));
        assert!(answers.all_taken());
    }

    #[test]
    fn an_edge_that_refused_once_a_second_accepts_when_it_is_quiet() {
        let mut answers = Answers::new(2, at(3));
        answers.look(&detail(0, 0, 0, true), at(0));
        for second in 1..=3 {
            answers.look(&detail(second, second, 0, true), at(second));
        }
        answers.look(&detail(99, 3, 0, true), at(8));
        assert!(answers.all_taken() && !answers.are_quiet());
    }

    #[test]
    fn refusals_to_the_end_fail_but_those_of_rtcp_do_not() {
        let mut answers = Answers::new(2, at(3));
        answers.look(&detail(0, 7, 7, true), at(0));
        answers.look(&detail(5, 8, 8, true), at(1));
        let news = answers.news(true);
        let expected =
            [("packets", Outcome::Ok), ("answer", Outcome::Failed), ("answer", Outcome::Ok)];
        assert_eq!(outcomes(&news), expected);
        assert!(news[1].what.contains("(1 refusal)"), "{news:?}");
    }

    #[test]
    fn without_packets_nothing_is_taken() {
        let mut answers = Answers::new(2, at(3));
        answers.look(&detail(4, 0, 0, true), at(0));
        answers.look(&detail(4, 0, 0, true), at(30));
        assert_eq!(outcomes(&answers.news(true)), [("answer", Outcome::Failed)]);
    }
}
