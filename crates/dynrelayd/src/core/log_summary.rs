//! Sums up repeated events, so that many callers cannot flood the log.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use control::{ErrorCode, Refused, Started};

use super::effect::Effect;
use super::log_event::LogEvent;

/// The time for which equal starts are counted before they are logged.
const WINDOW: Duration = Duration::from_secs(60);
/// The number of kinds of starts that one window distinguishes. Further clients are not logged.
const MOST: usize = 1024;
/// The time from a relay's start to the first log entry about its refusals.
const FIRST: Duration = Duration::from_secs(60);
/// Refusals that do not end are logged ever more rarely, at last once in this time.
const RAREST: Duration = Duration::from_secs(3600);

/// The starts of the last minute. The first of a kind is logged at once. Those that follow in the
/// same minute share one entry with their number.
#[derive(Debug, Default)]
pub(crate) struct LogSummary {
    /// The number of each kind after the first.
    more: BTreeMap<Kind, u64>,
    ends: Option<Instant>,
}

/// Starts with the same kind share a log entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    /// None if the stream is unknown.
    stream: Option<String>,
    outcome: Outcome,
    client: Option<IpAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The edge, or the origin itself.
    Sent(Option<String>),
    Refused(ErrorCode),
}

impl LogSummary {
    /// Notes the answer to a viewer's start.
    pub(crate) fn note(
        &mut self,
        stream: &str,
        client: Option<IpAddr>,
        answer: &Result<Started, Refused>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let kind = Kind::of(stream, client, answer);
        let known = self.more.contains_key(&kind);
        let kind =
            if known || self.more.len() < MOST { kind } else { Kind { client: None, ..kind } };
        self.ends.get_or_insert(now + WINDOW);
        if let Some(more) = self.more.get_mut(&kind) {
            *more += 1;
            return;
        }
        let why = answer.as_ref().err().map(|refused| refused.message.clone());
        // Only the first rejected client of a kind is named.
        let client = if why.is_some() { client } else { kind.client };
        effects.push(Effect::Log(Kind { client, ..kind.clone() }.entry(1, why)));
        self.more.insert(kind, 0);
    }

    /// The end of the window.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.ends
    }

    /// Logs the window if it is over.
    pub(crate) fn poll(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.ends.is_some_and(|ends| ends <= now) {
            self.close(effects);
        }
    }

    /// Logs everything that was counted.
    pub(crate) fn close(&mut self, effects: &mut Vec<Effect>) {
        self.ends = None;
        let counted = std::mem::take(&mut self.more).into_iter().filter(|(_, more)| *more > 0);
        effects.extend(counted.map(|(kind, more)| Effect::Log(kind.entry(more, None))));
    }
}

impl Kind {
    fn of(stream: &str, client: Option<IpAddr>, answer: &Result<Started, Refused>) -> Self {
        match answer {
            Ok(Started { edge, .. }) => {
                let outcome = Outcome::Sent(edge.clone());
                Self { stream: Some(stream.to_owned()), outcome, client }
            }
            Err(refused) => {
                // An unknown name may be anything.
                let known = refused.code != ErrorCode::UnknownStream;
                let stream = known.then(|| stream.to_owned());
                Self { stream, outcome: Outcome::Refused(refused.code), client: None }
            }
        }
    }

    fn entry(self, count: u64, why: Option<String>) -> LogEvent {
        let Self { stream, outcome, client } = self;
        match outcome {
            Outcome::Sent(edge) => {
                LogEvent::Start { stream: stream.unwrap_or_default(), edge, client, count }
            }
            Outcome::Refused(code) => LogEvent::TurnedAway { stream, code, client, count, why },
        }
    }
}

/// The refusals of one relay that were logged.
#[derive(Debug)]
pub(crate) struct RefusalSummary {
    logged: u64,
    next: Instant,
    pause: Duration,
}

impl RefusalSummary {
    /// No starts yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self { logged: 0, next: now + FIRST, pause: FIRST }
    }

    /// Skips the first `total` refusals, from before the edge accepted.
    pub(crate) fn forgive(&mut self, total: u64) {
        self.logged = self.logged.max(total);
    }

    /// How many of `total` refusals to log now.
    pub(crate) fn due(&mut self, total: u64, now: Instant) -> Option<u64> {
        if now < self.next {
            return None;
        }
        let count = total.saturating_sub(self.logged);
        self.logged = total;
        self.pause = if count == 0 { FIRST } else { (self.pause * 2).min(RAREST) };
        self.next = now + self.pause;
        (count > 0).then_some(count)
    }
}

/// The forged ICMP errors of one relay, as far as they were logged.
#[derive(Debug, Default)]
pub(crate) struct ForgedSummary {
    logged: u64,
    next: Option<Instant>,
    offender: Option<IpAddr>,
}

impl ForgedSummary {
    /// Notes who sent one.
    pub(crate) fn seen(&mut self, offender: Option<IpAddr>) {
        self.offender = offender.or(self.offender);
    }

    /// How many of `total` are to be logged now, and who sent the last one. Whatever is forged, that
    /// is once a minute at most.
    pub(crate) fn due(&mut self, total: u64, now: Instant) -> Option<(u64, IpAddr)> {
        let count = total.saturating_sub(self.logged);
        let offender = self.offender.filter(|_| count > 0)?;
        if self.next.is_some_and(|next| now < next) {
            return None;
        }
        (self.logged, self.next) = (total, Some(now + FIRST));
        Some((count, offender))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> Result<Started, Refused> {
        Ok(Started {
            url: String::new(),
            via: control::Via::Edge,
            edge: Some("dss2".to_owned()),
            state: None,
            title: None,
            audio: None,
        })
    }

    fn client(number: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(number.into()))
    }

    /// The count and the client of each entry.
    fn entries(effects: &[Effect]) -> Vec<(u64, Option<IpAddr>)> {
        let entry = |effect: &Effect| match effect {
            Effect::Log(
                LogEvent::Start { count, client, .. } | LogEvent::TurnedAway { count, client, .. },
            ) => (*count, *client),
            other => panic!("{other:?}"),
        };
        effects.iter().map(entry).collect()
    }

    #[test]
    fn each_viewer_is_an_entry_and_repeated_starts_are_another() {
        let (mut summary, mut log, now) = (LogSummary::default(), Vec::new(), Instant::now());
        for _ in 0..100 {
            summary.note("news", client(1), &sent(), now, &mut log);
            summary.note("news", client(2), &sent(), now, &mut log);
        }
        assert_eq!(summary.next_wake(), Some(now + WINDOW));
        summary.poll(now, &mut log);
        summary.poll(now + WINDOW, &mut log);
        assert_eq!(summary.next_wake(), None);
        let all = [(1, client(1)), (1, client(2)), (99, client(1)), (99, client(2))];
        assert_eq!(entries(&log), all);
    }

    #[test]
    fn a_crowd_that_is_turned_away_is_two_entries() {
        let (mut summary, mut log, now) = (LogSummary::default(), Vec::new(), Instant::now());
        for number in 0..10_000 {
            let refused = Err(Refused::new(ErrorCode::UnknownStream, "there is no such stream"));
            summary.note(&format!("x{number}"), client(number), &refused, now, &mut log);
        }
        summary.close(&mut log);
        assert_eq!(entries(&log), [(1, client(0)), (9999, None)]);
    }

    #[test]
    fn a_crowd_of_strangers_is_counted_to_the_last() {
        let (mut summary, mut log, now) = (LogSummary::default(), Vec::new(), Instant::now());
        for number in 0..100_000 {
            summary.note("news", client(number), &sent(), now, &mut log);
        }
        summary.close(&mut log);
        assert_eq!(log.len(), MOST + 2);
        assert_eq!(entries(&log).iter().map(|(count, _)| count).sum::<u64>(), 100_000);
    }

    #[test]
    fn forged_errors_are_logged_once_a_minute() {
        let (mut forged, began) = (ForgedSummary::default(), Instant::now());
        assert_eq!(forged.due(0, began), None);
        let logged: Vec<(u64, u64)> = (1..200)
            .filter_map(|at| {
                forged.seen(client(u32::try_from(at).unwrap()));
                let (count, offender) = forged.due(at * 100, began + Duration::from_secs(at))?;
                assert_eq!(Some(offender), client(u32::try_from(at).unwrap()));
                Some((at, count))
            })
            .collect();
        assert_eq!(logged, [(1, 100), (61, 6000), (121, 6000), (181, 6000)]);
    }

    #[test]
    fn refusals_that_go_on_are_logged_ever_more_rarely() {
        let began = Instant::now();
        let mut refusals = RefusalSummary::new(began);
        let logged: Vec<(u64, u64)> = (0..6 * 3600)
            .filter_map(|at| Some((at, refusals.due(at, began + Duration::from_secs(at))?)))
            .collect();
        assert_eq!(logged[..4], [(60, 60), (180, 120), (420, 240), (900, 480)]);
        assert!(logged.last().unwrap().1 == 3600 && logged.len() < 12, "{logged:?}");
        let mut refusals = RefusalSummary::new(began);
        let mut due = |total, after| refusals.due(total, began + Duration::from_secs(after));
        assert_eq!((due(5, 59), due(5, 60)), (None, Some(5)));
        assert_eq!((due(5, 600), due(6, 601), due(7, 660)), (None, None, Some(2)));
        let mut refusals = RefusalSummary::new(began);
        refusals.forgive(40);
        assert_eq!(refusals.due(40, began + FIRST), None);
        assert_eq!(refusals.due(43, began + FIRST * 2), Some(3));
    }
}
