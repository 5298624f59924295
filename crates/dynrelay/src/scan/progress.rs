//! A line at the terminal while a scan listens.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use ::scan::Heard;

use crate::wording::count;

/// Redrawn in its place; on standard error, so that it doesn't mix with the answer.
#[derive(Debug)]
pub(crate) struct Progress {
    wanted: bool,
    until: Option<Instant>,
}

impl Progress {
    /// Listening goes on for `time` from now. Nothing is shown if that is not `wanted`.
    pub(crate) fn new(wanted: bool, time: Duration) -> Self {
        Self { wanted, until: Instant::now().checked_add(time) }
    }

    /// How much longer it goes on.
    pub(crate) fn left(&self) -> Duration {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        left.unwrap_or(Duration::MAX)
    }

    /// Draws the line.
    pub(crate) fn show(&self, err: &mut dyn Write, heard: &[Heard]) -> io::Result<()> {
        if !self.wanted {
            return Ok(());
        }
        let line = line(heard, self.left());
        write!(err, "\r{line}\x1b[K")?;
        err.flush()
    }

    /// Takes the line away.
    pub(crate) fn clear(&self, err: &mut dyn Write) -> io::Result<()> {
        if self.wanted {
            write!(err, "\r\x1b[K")?;
            err.flush()?;
        }
        Ok(())
    }
}

fn line(heard: &[Heard], left: Duration) -> String {
    let active = heard.iter().filter(|heard| heard.is_active()).count();
    let left = left.as_millis().div_ceil(1000);
    format!("Listening: {active} of {} active, {left} s left", count(heard.len(), "media"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_drawn_over_and_taken_away() {
        let mut err = Vec::new();
        let progress = Progress::new(true, Duration::from_secs(3600));
        progress.show(&mut err, &[Heard::default(), Heard::default()]).unwrap();
        progress.clear(&mut err).unwrap();
        let drawn = "\rListening: 0 of 2 medias active, 3600 s left\x1b[K\r\x1b[K";
        assert_eq!(String::from_utf8(err).unwrap(), drawn);
    }

    #[test]
    fn without_a_terminal_there_is_none() {
        let mut err = Vec::new();
        let progress = Progress::new(false, Duration::from_secs(5));
        progress.show(&mut err, &[]).unwrap();
        progress.clear(&mut err).unwrap();
        assert!(err.is_empty());
    }
}
