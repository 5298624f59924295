//! The waiting starts, and the limit for new relays.

use std::time::{Duration, Instant};

use catalog::Limits;
use control::{ErrorCode, Refused};

use super::edge_cache::Question;
use super::edge_choice::Wish;
use super::input::{CallId, RelayId};
use super::network_limit::NetworkLimit;
use super::open_failures::OpenFailures;
use super::rate_limit::RateLimit;

/// The time that a start may wait for edges and pulls. relay.cgi waits for two seconds.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How many starts may wait for the source of one stream. A dead camera must not take the places of
/// other viewers.
const CROWD: usize = 10;

/// A viewer's start.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) call: CallId,
    pub(crate) wish: Wish,
    deadline: Instant,
    /// Whether it has taken its share of `starts_per_second`.
    admitted: bool,
}

/// The event that a start waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WaitsFor {
    /// An edge's answer to any of these questions.
    Edges(Vec<Question>),
    /// The first packet of its pull, or the pull's failure.
    Pull,
    /// The sockets of its relay.
    Opened(RelayId),
}

/// The waiting starts, and the limit for new relays.
#[derive(Debug)]
pub(crate) struct Starts {
    waiting: Vec<(Start, WaitsFor)>,
    pub(crate) rate: RateLimit,
    networks: NetworkLimit,
    pub(crate) failures: OpenFailures,
}

impl Start {
    /// A start that has just been asked for.
    pub(crate) fn new(call: CallId, wish: Wish, now: Instant) -> Self {
        Self { call, wish, deadline: now + PATIENCE, admitted: false }
    }
}

impl Starts {
    /// No starts yet.
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self {
            waiting: Vec::new(),
            rate: RateLimit::new(per_second, now),
            networks: NetworkLimit::default(),
            failures: OpenFailures::default(),
        }
    }

    /// Whether as many starts as may wait for this stream's source do so.
    pub(crate) fn is_crowded(&self, stream: &str) -> bool {
        let waits =
            |(start, on): &&(Start, WaitsFor)| *on == WaitsFor::Pull && start.wish.stream == stream;
        self.waiting.iter().filter(waits).count() >= CROWD
    }

    /// Lets a start wait.
    pub(crate) fn wait(&mut self, start: Start, waits_for: WaitsFor) {
        self.waiting.push((start, waits_for));
    }

    /// Removes the starts that these events resume.
    pub(crate) fn take(&mut self, resumes: impl Fn(&Wish, &WaitsFor) -> bool) -> Vec<Start> {
        let resumed = self.waiting.extract_if(.., |(start, on)| resumes(&start.wish, on));
        resumed.map(|(start, _)| start).collect()
    }

    /// Removes the starts whose time is up.
    pub(crate) fn take_late(&mut self, now: Instant) -> Vec<(Start, WaitsFor)> {
        self.waiting.extract_if(.., |(start, _)| start.deadline <= now).collect()
    }

    /// Whether a start waits for this question's answer.
    pub(crate) fn want(&self, question: &Question) -> bool {
        let mut all = self.waiting.iter();
        all.any(|(_, on)| matches!(on, WaitsFor::Edges(all) if all.contains(question)))
    }

    /// Whether a start of this stream waits.
    pub(crate) fn has_stream(&self, stream: &str) -> bool {
        self.waiting.iter().any(|(start, _)| start.wish.stream == stream)
    }

    /// The time at which the next start's time is up.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.waiting.iter().map(|(start, _)| start.deadline).min()
    }

    /// Refuses a relay beyond the limits. A start takes its share of the rate once, however often
    /// it is resumed.
    pub(crate) fn admit(
        &mut self,
        start: &mut Start,
        relays: usize,
        limits: &Limits,
        now: Instant,
    ) -> Result<(), Refused> {
        let (stream, most) = (&start.wish.stream, limits.relays);
        if relays >= most {
            let message = format!(
                "{stream}: {most} relays run already, as many as `relays` in [limits] allows"
            );
            return Err(Refused::new(ErrorCode::Limit, message));
        }
        if start.admitted {
            return Ok(());
        }
        let refuse = |limit: &str, wait: Duration| {
            let wait = wait.as_secs_f64();
            let message = format!(
                "{stream}: more starts than {limit} in [limits] allows; try again in {wait:.1} s"
            );
            Refused::new(ErrorCode::Limit, message)
        };
        if let Some(client) = start.wish.client {
            let taken = self.networks.take(client, limits.starts_per_network, now);
            taken.map_err(|wait| refuse("starts_per_network", wait))?;
        }
        self.rate.take(now).map_err(|wait| refuse("starts_per_second", wait))?;
        start.admitted = true;
        Ok(())
    }

    /// Gives back what a start took whose relay could not be opened.
    pub(crate) fn give_back(&mut self, start: &Start) {
        if start.admitted {
            self.rate.give_back();
            start.wish.client.into_iter().for_each(|client| self.networks.give_back(client));
        }
    }

    /// The waiting starts that are admitted.
    #[cfg(test)]
    pub(crate) fn admitted(&self) -> std::collections::HashSet<CallId> {
        let admitted = self.waiting.iter().filter(|(start, _)| start.admitted);
        admitted.map(|(start, _)| start.call).collect()
    }
}
