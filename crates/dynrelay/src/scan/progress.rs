//! How far a scan has come.

use std::io::Write;
use std::time::{Duration, Instant};

use control::ScanResult;

use crate::progress;

/// The time that is left, and a line about it at the terminal.
pub(crate) struct Progress<'a> {
    line: progress::Progress<'a>,
    until: Option<Instant>,
}

impl<'a> Progress<'a> {
    /// The scan lasts for `time` from now. The line is shown only if `wanted`.
    pub(crate) fn new(wanted: bool, time: Duration, err: &'a mut (dyn Write + Send)) -> Self {
        let line = progress::Progress::new(wanted, err);
        Self { line, until: Instant::now().checked_add(time) }
    }

    /// The time that is left.
    pub(crate) fn left(&self) -> Duration {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        left.unwrap_or(Duration::MAX)
    }

    /// Draws the line.
    pub(crate) fn show(&mut self, results: &[ScanResult]) {
        self.line.show(&line(results, self.left()));
    }
}

fn line(results: &[ScanResult], left: Duration) -> String {
    let active = results.iter().filter(|result| result.is_active()).count();
    let left = left.as_millis().div_ceil(1000);
    format!("Listening: {active} of {} media active, {left} s left", results.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_counts_active_media() {
        let results = [ScanResult::default(), ScanResult::default()];
        let line = line(&results, Duration::from_millis(3_599_100));
        assert_eq!(line, "Listening: 0 of 2 media active, 3600 s left");
    }
}
