//! Whether a stream comes that has to be pulled first, and what a viewer is told meanwhile.

use std::io;
use std::time::Instant;

use control::{ErrorCode, Refused};
use rtsp::{Fault, State};

use crate::core::supervisor::{Answer, Supervisor};

impl Supervisor {
    /// Whether a stream's packets come, as far as that is for us to see to; if it is pulled and none
    /// came yet, it is waited for. A source that just failed, and will be tried again, is an error.
    pub(crate) fn comes(&mut self, stream: &str, now: Instant) -> Answer<bool> {
        if self.catalog.stream(stream).is_none_or(|stream| stream.source.is_none()) {
            return Ok(true);
        }
        if self.pulls.of(stream).is_none() {
            self.admit(stream, now)?;
            self.pull(stream).map_err(|error| {
                let message = format!("{stream} can't be pulled: {error}");
                Refused::new(ErrorCode::Internal, message)
            })?;
        }
        let running = self.pulls.of(stream).map(|running| (&running.state, &running.fault));
        match running {
            Some((State::Playing { .. }, _)) => Ok(true),
            Some((State::Waiting { why, .. }, _)) => {
                let refused = refusal(stream, why);
                self.keep_pulling(stream, now);
                Err(refused)
            }
            _ => Ok(false),
        }
    }

    /// Sees to it that a stream is pulled, if it is to be.
    fn pull(&mut self, stream: &str) -> io::Result<()> {
        let stream = self.catalog.stream(stream);
        match stream.and_then(|stream| Some((stream, stream.source.as_ref()?))) {
            Some((stream, source)) => self.pulls.need(stream, source),
            None => Ok(()),
        }
    }

    /// What to tell a viewer who has waited long enough for a stream that is being pulled; none if
    /// it wasn't that.
    pub(crate) fn source_is_late(&mut self, stream: &str, now: Instant) -> Option<Refused> {
        let running = self.pulls.of(stream)?;
        let refused = match (&running.state, &running.fault) {
            (State::Playing { .. }, _) => return None,
            (_, Some(why)) => refusal(stream, why),
            _ => {
                let message = format!(
                    "{stream} is being pulled from its source: try again in a \
                    moment"
                );
                Refused::new(ErrorCode::SourceStarting, message)
            }
        };
        self.keep_pulling(stream, now);
        Some(refused)
    }

    /// The next try of a viewer shall find it coming. A relay keeps it coming itself, and no longer
    /// than it runs.
    fn keep_pulling(&mut self, stream: &str, now: Instant) {
        if !self.relays.values().any(|relay| relay.stream == stream) {
            self.pulls.keep(stream, now);
        }
    }
}

fn refusal(stream: &str, why: &rtsp::Error) -> Refused {
    let code = match why.fault() {
        Fault::Refuses => ErrorCode::SourceRefuses,
        Fault::Silent => ErrorCode::SourceUnreachable,
    };
    Refused::new(code, format!("the source of {stream} sends nothing: {why}"))
}
