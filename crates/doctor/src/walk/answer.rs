//! Whether an edge accepts the packets of a relay: the daemon's answer, flow by flow.

use control::{FlowStatus, RelayDetail};
use model::{Acceptance, FlowKind};
use wording::count;

use super::step::{Outcome, Stage};
use crate::refusals::PORT;

/// The knowledge about one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// No packet was sent yet.
    Unsent,
    /// Packets are sent, and the daemon does not know yet whether the edge takes them.
    Early,
    /// The edge refuses them.
    Refused,
    /// The edge takes them.
    Accepted,
    /// The edge does not refuse them, and never refused anything: packets may get lost on the way.
    Silent,
    /// The edge does not refuse them, nor a packet to a closed port at this time.
    Doubtful,
}

/// An outcome, what was found, and what to do.
type Found = (Outcome, String, &'static str);

#[derive(Debug)]
struct Flow {
    status: FlowStatus,
    /// Packets and refusals at the first look: the relay may have run before.
    first: (u64, u64),
    answer: Answer,
    told_sent: bool,
    told: bool,
}

/// The flows of a relay.
#[derive(Debug, Default)]
pub(super) struct Answers {
    flows: Vec<Flow>,
}

impl Answers {
    /// Takes in the relay's status. Where the daemon calls a flow accepted because nothing is
    /// refused, `can_refuse` is asked once whether the edge refuses a packet to a closed port now.
    pub(super) fn look(&mut self, detail: &RelayDetail, can_refuse: impl FnOnce() -> bool) {
        // A relay that a reload changed has other flows.
        if self.flows.len() != detail.flows.len() {
            self.flows = detail.flows.iter().map(Flow::new).collect();
        }
        let reported = detail.relay.viewers.is_some_and(|viewers| viewers > 0);
        for (flow, status) in self.flows.iter_mut().zip(&detail.flows) {
            flow.look(status);
        }
        let flows = self.flows.iter_mut();
        let mut unproved = flows.filter(|flow| flow.is_unproved() && !reported).peekable();
        // An edge that can't refuse is as silent as one that accepts.
        if unproved.peek().is_some() && !can_refuse() {
            let doubt = if detail.answers { Answer::Doubtful } else { Answer::Silent };
            unproved.for_each(|flow| flow.answer = doubt);
        }
    }

    fn rtp(&self) -> impl Iterator<Item = &Flow> {
        self.flows.iter().filter(|flow| flow.is_rtp())
    }

    /// Whether no more can be learned of any RTP flow.
    pub(super) fn are_settled(&self) -> bool {
        !self.flows.is_empty() && self.rtp().all(Flow::is_settled)
    }

    /// Whether the edge refuses an RTP flow now.
    pub(super) fn is_refused(&self) -> bool {
        self.rtp().any(|flow| flow.answer == Answer::Refused)
    }

    /// The steps that are new since the last call; at the end (`over`) also those of all other flows.
    pub(super) fn news(&mut self, over: bool) -> Vec<(Stage, Found)> {
        self.flows.iter_mut().flat_map(|flow| flow.news(over)).collect()
    }
}

impl Flow {
    fn new(status: &FlowStatus) -> Self {
        let first = (status.packets, status.refusals);
        let (status, answer) = (status.clone(), Answer::Unsent);
        Self { status, first, answer, told_sent: false, told: false }
    }

    fn is_rtp(&self) -> bool {
        self.status.kind == FlowKind::Rtp
    }

    /// Whether it is called accepted, and that was not told yet.
    fn is_unproved(&self) -> bool {
        self.is_rtp() && self.answer == Answer::Accepted && !self.told
    }

    fn is_settled(&self) -> bool {
        matches!(self.answer, Answer::Accepted | Answer::Silent | Answer::Doubtful)
    }

    fn look(&mut self, status: &FlowStatus) {
        self.status = status.clone();
        // A reported answer does not change.
        if !self.told {
            self.answer = match status.acceptance {
                Acceptance::Accepted => Answer::Accepted,
                Acceptance::Refused => Answer::Refused,
                Acceptance::Unknown if status.packets > self.first.0 => Answer::Early,
                Acceptance::Unknown => Answer::Unsent,
            };
        }
    }

    fn news(&mut self, over: bool) -> Vec<(Stage, Found)> {
        let mut news = Vec::new();
        let sent = self.is_rtp() && self.answer != Answer::Unsent;
        if sent && !std::mem::replace(&mut self.told_sent, true) {
            let what = format!("{} is sent to {}", self.status.media, self.status.to);
            news.push((Stage::Packets, (Outcome::Ok, what, "")));
        }
        if (self.is_settled() || over) && !std::mem::replace(&mut self.told, true) {
            news.extend(self.conclusion().map(|found| (Stage::Answer, found)));
        }
        news
    }

    /// The answer in words; of RTCP only that it is refused.
    fn conclusion(&self) -> Option<Found> {
        let FlowStatus { media, to, refusals, .. } = &self.status;
        Some(match self.answer {
            Answer::Refused if !self.is_rtp() => {
                (Outcome::Ok, format!("{media}'s RTCP is refused at {to}, which does no harm"), "")
            }
            _ if !self.is_rtp() => return None,
            Answer::Accepted => (Outcome::Ok, format!("{media} is accepted at {to}"), ""),
            Answer::Refused => {
                let refusals = count(refusals.saturating_sub(self.first.1), "refusal");
                (
                    Outcome::Failed,
                    format!("{media} is refused at {to} ({refusals})"),
                    "if nobody watches there, this is right: open a player and check again; if \
                     somebody does, the edge's own file names another port",
                )
            }
            Answer::Silent => (
                Outcome::Unknown,
                format!("{media} is not refused at {to}, but this edge never refused anything"),
                "the edge accepts it, or packets or ICMP errors get lost on the way: `tcpdump -n \
                 udp` on the edge shows which; see `dynrelay check`",
            ),
            Answer::Doubtful => (
                Outcome::Unknown,
                format!(
                    "{media} is not refused at {to}, but neither is a packet to port {PORT}, \
                     where nobody listens: that proves nothing"
                ),
                "something limits or drops the edge's ICMP errors: `dynrelay check` says more; on \
                 the edge, `ss -uln` shows whether it listens",
            ),
            Answer::Early => (
                Outcome::Unknown,
                format!("{media} was sent to {to}, but not long enough to tell"),
                "wait longer: --wait 30s",
            ),
            Answer::Unsent => (
                Outcome::Failed,
                format!("no packet of {media} was sent to {to}"),
                "nothing arrives from the encoder: `dynrelay scan`",
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Acceptance::{Accepted, Refused, Unknown};

    /// A relay of one media: packets so far, and whether the edge takes its RTP and RTCP.
    fn detail(packets: u64, rtp: Acceptance, rtcp: Acceptance) -> RelayDetail {
        let flow = |kind: FlowKind, acceptance: Acceptance| {
            serde_json::json!({
                "media": "video H264", "kind": kind, "from": "239.1.2.3:5004",
                "to": "198.51.100.7:6970", "via": "192.0.2.1:40000", "gate": "open",
                "acceptance": acceptance, "packets": packets, "bytes": 1, "refusals": packets,
                "drops": 0, "gaps": 0, "ssrc_changes": 0,
            })
        };
        serde_json::from_value(serde_json::json!({
            "stream": "news", "edge": "dss2", "state": "starting", "since": 1, "started": 1,
            "packets": packets, "bytes": 1, "rate": 1, "refusals": packets,
            "address": "198.51.100.7", "answers": true,
            "flows": [flow(FlowKind::Rtp, rtp), flow(FlowKind::Rtcp, rtcp)],
        }))
        .unwrap()
    }

    fn outcomes(answers: &mut Answers, over: bool) -> Vec<(Stage, Outcome)> {
        answers.news(over).iter().map(|(step, found)| (*step, found.0)).collect()
    }

    const SENT: (Stage, Outcome) = (Stage::Packets, Outcome::Ok);

    #[test]
    fn a_flow_is_accepted_when_the_daemon_says_so_and_the_edge_can_refuse() {
        let mut answers = Answers::default();
        answers.look(&detail(0, Unknown, Unknown), || panic!());
        assert_eq!(outcomes(&mut answers, false), []);
        answers.look(&detail(5, Refused, Unknown), || panic!());
        assert!(answers.is_refused());
        assert_eq!(outcomes(&mut answers, false), [SENT]);
        answers.look(&detail(9, Accepted, Unknown), || true);
        assert!(answers.are_settled() && !answers.is_refused());
        assert_eq!(outcomes(&mut answers, false), [(Stage::Answer, Outcome::Ok)]);
        answers.look(&detail(9, Accepted, Unknown), || panic!("it was told"));
        assert_eq!(outcomes(&mut answers, true), []);
    }

    #[test]
    fn an_edge_that_does_not_refuse_a_closed_port_proves_nothing() {
        for answers_at_all in [true, false] {
            let mut answers = Answers::default();
            let detail = RelayDetail { answers: answers_at_all, ..detail(5, Accepted, Unknown) };
            answers.look(&detail, || false);
            let expected = [SENT, (Stage::Answer, Outcome::Unknown)];
            assert_eq!(outcomes(&mut answers, false), expected);
            assert!(answers.are_settled());
        }
    }

    #[test]
    fn an_edge_that_reports_viewers_needs_no_other_proof() {
        let mut answers = Answers::default();
        let mut watched = detail(5, Accepted, Accepted);
        watched.relay.viewers = Some(1);
        answers.look(&watched, || panic!());
        assert_eq!(outcomes(&mut answers, false), [SENT, (Stage::Answer, Outcome::Ok)]);
    }

    #[test]
    fn at_the_end_refused_rtp_fails_and_refused_rtcp_does_not() {
        let mut answers = Answers::default();
        answers.look(&detail(7, Unknown, Unknown), || panic!());
        answers.look(&detail(8, Refused, Refused), || panic!());
        let news = answers.news(true);
        assert!(news[1].1.1.contains("(1 refusal)"), "{news:?}");
        let outcomes: Vec<_> = news.iter().map(|(step, found)| (*step, found.0)).collect();
        assert_eq!(
            outcomes,
            [SENT, (Stage::Answer, Outcome::Failed), (Stage::Answer, Outcome::Ok)]
        );
    }

    #[test]
    fn without_packets_the_answer_fails() {
        let mut answers = Answers::default();
        answers.look(&detail(4, Unknown, Unknown), || panic!());
        answers.look(&detail(4, Unknown, Unknown), || panic!());
        assert_eq!(outcomes(&mut answers, true), [(Stage::Answer, Outcome::Failed)]);
        let mut answers = Answers::default();
        answers.look(&detail(4, Unknown, Unknown), || panic!());
        answers.look(&detail(5, Unknown, Unknown), || panic!());
        assert_eq!(outcomes(&mut answers, true), [SENT, (Stage::Answer, Outcome::Unknown)]);
    }
}
