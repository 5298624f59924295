//! Shows on a terminal how much of a log has been read.

use std::io::{self, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

use crate::{progress, text};
use wording::size;

/// The time between two redraws.
const EVERY: Duration = Duration::from_millis(250);

/// Passes on what it reads, and shows the progress.
pub(super) struct Progress<'a, R> {
    input: R,
    name: &'a str,
    /// 0 if it is unknown.
    length: u64,
    read: u64,
    began: Instant,
    /// The time of the next redraw; none without a terminal.
    next: Option<Instant>,
    line: progress::Progress<'a>,
}

impl<'a, R: Read> Progress<'a, R> {
    /// Reads `input`, with this name and this length in bytes.
    pub(super) fn of(
        input: R,
        length: u64,
        name: &'a str,
        err: &'a mut (dyn Write + Send),
    ) -> Self {
        let began = Instant::now();
        let wanted = io::stderr().is_terminal();
        let line = progress::Progress::new(wanted, err);
        Self { input, name, length, read: 0, began, next: wanted.then_some(began + EVERY), line }
    }

    fn draw(&mut self) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = size(self.read.saturating_mul(1000) / millis);
        let far = match self.length {
            0 => size(self.read),
            length => format!("{} %", self.read.saturating_mul(100) / length),
        };
        let name: String = text::plain(self.name).chars().take(40).collect();
        self.line.show(&format!("{name}: {far}, {rate}/s"));
    }
}

impl<R: Read> Read for Progress<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.read += count as u64;
        if let Some(next) = self.next
            && Instant::now() >= next
        {
            self.next = Some(Instant::now() + EVERY);
            self.draw();
        }
        Ok(count)
    }
}
