//! The steps of a walk, told as they are taken.

use std::io;
use std::time::Instant;

use serde::Serialize;

use crate::color::Color;
use crate::context::Context;
use crate::text::wrapped;
use crate::wording::silence;
use crate::{json, text};

/// The columns before a step's words.
const INDENT: usize = 19;

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// As it should.
    Ok,
    /// Not as it should.
    Failed,
    /// It can't be told.
    Unknown,
}

#[derive(Serialize)]
struct Step {
    step: &'static str,
    outcome: Outcome,
    what: String,
    advice: String,
    ms: u64,
}

/// The steps so far.
pub(super) struct Steps<'w, 'o> {
    context: &'w mut Context<'o>,
    stream: String,
    edge: String,
    taken: Vec<Step>,
    since: Instant,
    /// Standard output can't be written to any more.
    broken: Option<io::Error>,
}

/// The walk for programs.
#[derive(Serialize)]
struct Shape<'a> {
    stream: &'a str,
    edge: &'a str,
    ok: bool,
    steps: &'a [Step],
}

impl<'w, 'o> Steps<'w, 'o> {
    pub(super) fn new(context: &'w mut Context<'o>, stream: &str, edge: &str) -> Self {
        let (stream, edge) = (stream.to_owned(), edge.to_owned());
        Self { context, stream, edge, taken: Vec::new(), since: Instant::now(), broken: None }
    }

    /// Says what is walked through.
    pub(super) fn title(&mut self) -> io::Result<()> {
        if self.context.json {
            return Ok(());
        }
        let title = format!("{} to {}", self.stream, self.edge);
        self.context.heading(&title, Color::Bold)?;
        self.context.out.flush()
    }

    /// Tells a step that was taken since the one before, and what to do about it.
    pub(super) fn tell(
        &mut self,
        step: &'static str,
        outcome: Outcome,
        what: String,
        advice: &str,
    ) {
        let ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since = Instant::now();
        let step = Step { step, outcome, what, advice: advice.to_owned(), ms };
        if !self.context.json && self.broken.is_none() {
            self.broken = print(self.context, &step).err();
        }
        self.taken.push(step);
    }

    /// Tells people something that is no step.
    pub(super) fn note(&mut self, text: &str) {
        if self.context.json || self.broken.is_some() {
            return;
        }
        let lines = wrapped(text, self.context.width.saturating_sub(INDENT));
        let said = lines
            .iter()
            .try_for_each(|line| self.context.say(&format!("{:INDENT$}{line}", "")))
            .and_then(|()| self.context.out.flush());
        self.broken = said.err();
    }

    /// Ends the walk; whether no step failed.
    pub(super) fn end(self) -> io::Result<bool> {
        let ok = !self.taken.iter().any(|step| step.outcome == Outcome::Failed);
        if let Some(error) = self.broken {
            return Err(error);
        }
        if self.context.json {
            let shape = Shape { stream: &self.stream, edge: &self.edge, ok, steps: &self.taken };
            json::line(self.context.out, &serde_json::to_string(&shape)?)?;
        }
        Ok(ok)
    }
}

/// `✓ ok      source  video H264 arrives, from 10.9.0.2:41000 (12ms)`
fn print(context: &mut Context<'_>, step: &Step) -> io::Result<()> {
    let (mark, word, color) = match step.outcome {
        Outcome::Ok => ("✓", "ok", Color::Green),
        Outcome::Failed => ("✗", "failed", Color::Red),
        Outcome::Unknown => ("?", "unknown", Color::Yellow),
    };
    let width = context.width.saturating_sub(INDENT);
    let what = text::plain(&format!("{} ({})", step.what, silence(step.ms)));
    let mut lines = wrapped(&what, width);
    let advice = wrapped(&text::plain(&step.advice), width.saturating_sub(3));
    let arrow = std::iter::once("-> ").chain(std::iter::repeat("   "));
    lines.extend(arrow.zip(advice).map(|(arrow, line)| format!("{arrow}{line}")));
    let mut head =
        format!("{} {:<8}", color.on(&format!("{mark} {word:<7}"), context.colors), step.step);
    for line in lines {
        writeln!(context.out, "{head} {line}")?;
        head = " ".repeat(INDENT - 1);
    }
    context.out.flush()
}
