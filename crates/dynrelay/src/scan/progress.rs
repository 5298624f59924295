//! How far a scan has come.

use std::io::Write;
use std::time::{Duration, Instant};

use ::scan::Heard;

use crate::progress;
use crate::wording::count;

/// The time that is left, and a line about it at the terminal.
pub(crate) struct Progress<'a> {
    line: progress::Progress<'a>,
    until: Option<Instant>,
}

impl<'a> Progress<'a> {
    /// Listening goes on for `time` from now. Nothing is shown if that is not `wanted`.
    pub(crate) fn new(wanted: bool, time: Duration, err: &'a mut (dyn Write + Send)) -> Self {
        let line = progress::Progress::new(wanted, err);
        Self { line, until: Instant::now().checked_add(time) }
    }

    /// How much longer it goes on.
    pub(crate) fn left(&self) -> Duration {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        left.unwrap_or(Duration::MAX)
    }

    /// Draws the line.
    pub(crate) fn show(&mut self, heard: &[Heard]) {
        self.line.show(&line(heard, self.left()));
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
    fn the_line_counts_active_media() {
        let heard = [Heard::default(), Heard::default()];
        let line = line(&heard, Duration::from_millis(3_599_100));
        assert_eq!(line, "Listening: 0 of 2 medias active, 3600 s left");
    }
}
