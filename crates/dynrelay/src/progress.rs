//! A progress line on the terminal.

use std::io::Write;

/// A line on standard error that redraws itself. Dropping it removes the line.
///
/// Errors in drawing are ignored.
pub(crate) struct Progress<'a> {
    wanted: bool,
    err: &'a mut (dyn Write + Send),
    drawn: bool,
}

impl<'a> Progress<'a> {
    /// A line on `err`. It shows nothing unless `wanted`.
    pub(crate) fn new(wanted: bool, err: &'a mut (dyn Write + Send)) -> Self {
        Self { wanted, err, drawn: false }
    }

    /// Draws `line` over the last one.
    pub(crate) fn show(&mut self, line: &str) {
        if self.wanted {
            let _ = write!(self.err, "\r{line}\x1b[K");
            let _ = self.err.flush();
            self.drawn = true;
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.drawn {
            let _ = write!(self.err, "\r\x1b[K");
            let _ = self.err.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(wanted: bool) -> String {
        let mut err = Vec::new();
        let mut progress = Progress::new(wanted, &mut err);
        progress.show("one");
        progress.show("two");
        drop(progress);
        String::from_utf8(err).unwrap()
    }

    #[test]
    fn the_line_is_drawn_over_and_taken_away() {
        assert_eq!(shown(true), "\rone\x1b[K\rtwo\x1b[K\r\x1b[K");
    }

    #[test]
    fn without_a_terminal_nothing_is_drawn() {
        assert_eq!(shown(false), "");
    }
}
