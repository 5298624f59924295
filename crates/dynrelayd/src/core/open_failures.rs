//! Relays that could not be opened lately.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use control::Refused;

use super::input::RelayName;

/// For how long a failure is the answer to further starts of the same relay.
const REMEMBERED: Duration = Duration::from_secs(5);
/// How often failures of one relay are logged.
const LOGGED: Duration = Duration::from_secs(60);

/// The failures of the last minute, by relay.
#[derive(Debug, Default)]
pub(crate) struct OpenFailures(BTreeMap<RelayName, Failure>);

#[derive(Debug)]
struct Failure {
    refused: Refused,
    until: Instant,
    logged: Instant,
    /// Starts that failed since the last log entry.
    more: u64,
}

impl OpenFailures {
    /// The answer to a start of this relay, if it failed in the last seconds.
    pub(crate) fn answer(&mut self, name: &RelayName, now: Instant) -> Option<Refused> {
        let failure = self.0.get_mut(name).filter(|failure| now < failure.until)?;
        failure.more += 1;
        Some(failure.refused.clone())
    }

    /// Records a failure. Returns how many starts the log entry stands for; none: it is not due.
    pub(crate) fn record(
        &mut self,
        name: &RelayName,
        refused: Refused,
        now: Instant,
    ) -> Option<u64> {
        let until = now + REMEMBERED;
        let new = || Failure { refused: refused.clone(), until, logged: now, more: 0 };
        let Some(failure) = self.0.get_mut(name) else {
            self.0.retain(|_, failure| now < failure.logged + LOGGED);
            self.0.insert(name.clone(), new());
            return Some(1);
        };
        let more = failure.more + 1;
        if now < failure.logged + LOGGED {
            *failure = Failure { logged: failure.logged, more, ..new() };
            return None;
        }
        *failure = new();
        Some(more)
    }

    /// The relay opened.
    pub(crate) fn forget(&mut self, name: &RelayName) {
        self.0.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use control::ErrorCode;

    use super::*;

    #[test]
    fn a_failure_answers_for_some_seconds_and_is_logged_once_a_minute() {
        let name = RelayName { stream: "news".into(), edge: "dss2".into() };
        let (mut failures, begin) = (OpenFailures::default(), Instant::now());
        let refused = || Refused::new(ErrorCode::Internal, "no such interface");
        let after = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(failures.answer(&name, begin), None);
        assert_eq!(failures.record(&name, refused(), begin), Some(1));
        assert_eq!(failures.answer(&name, after(4)), Some(refused()));
        assert_eq!(failures.answer(&name, after(5)), None);
        assert_eq!(failures.record(&name, refused(), after(5)), None);
        assert_eq!(failures.record(&name, refused(), after(61)), Some(3));
        failures.forget(&name);
        assert_eq!(failures.answer(&name, after(62)), None);
    }
}
