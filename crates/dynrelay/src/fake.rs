//! A fake context for tests. It gives prepared answers and remembers what it was asked.

use std::collections::VecDeque;

use control::{ClientError, Pong, Refused, Request};
use serde_json::value::RawValue;

use crate::context::{Ask, Context};
use crate::event_stream::{Listener, Told};
use crate::failure::Failure;

/// Noon on a Tuesday in 2024.
pub(crate) const NOW: u64 = 1_721_131_200;

/// A context that keeps what the command prints.
#[derive(Default)]
pub(crate) struct Fake {
    json: bool,
    colors: bool,
    daemon: Answers,
    out: Vec<u8>,
    err: Vec<u8>,
}

/// A daemon with prepared answers.
#[derive(Default)]
struct Answers {
    left: VecDeque<Result<String, Refused>>,
    happenings: Vec<Told>,
    asked: Vec<Request>,
}

impl Ask for Answers {
    fn ask(&mut self, request: &Request) -> Result<Box<RawValue>, ClientError> {
        self.asked.push(request.clone());
        match self.left.pop_front().expect("no answer was prepared") {
            Ok(json) => Ok(RawValue::from_string(json)?),
            Err(refused) => Err(refused.into()),
        }
    }

    fn follow(&mut self, mut tell: Listener) -> Result<(), ClientError> {
        assert!(self.happenings.drain(..).all(&mut tell));
        Ok(())
    }
}

impl Fake {
    /// Prepares this answer.
    pub(crate) fn answering(json: &str) -> Self {
        let mut fake = Self::default();
        fake.daemon.left.push_back(Ok(json.to_owned()));
        fake
    }

    /// Prepares these events, and then the end of the connection.
    pub(crate) fn following(happenings: Vec<Told>) -> Self {
        let mut fake = Self::default();
        fake.daemon.happenings = happenings;
        fake
    }

    /// Prepares this refusal.
    pub(crate) fn refusing(refused: Refused) -> Self {
        let mut fake = Self::default();
        fake.daemon.left.push_back(Err(refused));
        fake
    }

    /// Prepares one more answer.
    pub(crate) fn then(mut self, json: &str) -> Self {
        self.daemon.left.push_back(Ok(json.to_owned()));
        self
    }

    /// Makes the command print JSON.
    pub(crate) fn for_programs(self) -> Self {
        Self { json: true, ..self }
    }

    /// Makes standard output a terminal.
    pub(crate) fn in_color(self) -> Self {
        Self { colors: true, ..self }
    }

    /// The context for a command.
    pub(crate) fn context(&mut self) -> Context<'_> {
        Context {
            out: &mut self.out,
            err: &mut self.err,
            daemon: &mut self.daemon,
            json: self.json,
            colors: self.colors,
            progress: false,
            terminal: false,
            width: 80,
            now: NOW,
            reader_left: || false,
        }
    }

    /// Runs a command, and gives what it printed.
    pub(crate) fn run(
        &mut self,
        command: impl FnOnce(&mut Context<'_>) -> Result<(), Failure>,
    ) -> Result<String, Failure> {
        command(&mut self.context())?;
        Ok(self.out())
    }

    /// The requests to the daemon.
    pub(crate) fn asked(&self) -> &[Request] {
        &self.daemon.asked
    }

    /// The text on standard output.
    pub(crate) fn out(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }

    /// The text on standard error.
    pub(crate) fn err(&self) -> String {
        String::from_utf8(self.err.clone()).unwrap()
    }
}

/// A daemon's answer to `ping`.
pub(crate) fn pong(version: &str, pid: u32, uptime: u64) -> Pong {
    let json = serde_json::json!({ "version": version, "pid": pid, "uptime": uptime });
    serde_json::from_value(json).unwrap()
}
