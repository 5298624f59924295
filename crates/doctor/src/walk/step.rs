//! The steps of a walk, told as they are taken.

use std::time::Instant;

use serde::Serialize;

model::words! {
    /// The subject of a step, in the order of a walk.
    pub enum Stage {
        /// The SDP files of the stream and the edge.
        Files = "files",
        /// Whether the stream arrives at this host.
        Source = "source",
        /// Whether the edge's RTSP server answers.
        Edge = "edge",
        /// Whether the daemon relays the stream.
        Relay = "relay",
        /// Whether packets are sent to the edge.
        Packets = "packets",
        /// Whether the edge accepts them.
        Answer = "answer",
        /// Whether the relay goes on after the walk.
        End = "end",
    }
}

model::words! {
    /// How a step ended.
    pub enum Outcome {
        /// All is well.
        Ok = "ok",
        /// Something is wrong.
        Failed = "failed",
        /// It can't be told.
        Unknown = "unknown",
    }
}

/// A step that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its subject.
    pub step: Stage,
    /// How it ended.
    pub outcome: Outcome,
    /// The result, in words.
    pub what: String,
    /// The advice; may be empty.
    pub advice: String,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// A message of a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A step was taken.
    Step(Step),
    /// Something that a person can do while the walk waits.
    Hint(String),
}

/// A step failed and was told: the walk ends there.
pub(super) struct Stuck;

/// Tells the steps, with the time that each took.
pub(super) struct Steps<'a> {
    tell: &'a mut dyn FnMut(News),
    since: Instant,
    failed: bool,
}

impl<'a> Steps<'a> {
    pub(super) fn new(tell: &'a mut dyn FnMut(News)) -> Self {
        Self { tell, since: Instant::now(), failed: false }
    }

    /// Whether no step failed.
    pub(super) fn are_well(&self) -> bool {
        !self.failed
    }

    /// Tells a step that was taken since the one before, and what to do about it.
    pub(super) fn tell(&mut self, step: Stage, outcome: Outcome, what: String, advice: &str) {
        let ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since = Instant::now();
        self.failed |= outcome == Outcome::Failed;
        (self.tell)(News::Step(Step { step, outcome, what, advice: advice.to_owned(), ms }));
    }

    /// Tells a step that failed.
    pub(super) fn fail(&mut self, step: Stage, what: String, advice: &str) -> Stuck {
        self.tell(step, Outcome::Failed, what, advice);
        Stuck
    }

    /// Tells what a person can do meanwhile.
    pub(super) fn hint(&mut self, text: String) {
        (self.tell)(News::Hint(text));
    }
}
