//! Takes over the terminal, and restores it afterwards.

use std::io::{self, IsTerminal, Write};

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use crate::text::width;

/// Switches to a screen without history, cursor and line wrap (xterm control sequences, which all
/// current terminals support).
const OPEN: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const CLOSE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// The size of a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// A terminal that shows a picture instead of lines. Dropping it restores the terminal.
pub(crate) struct Screen<'a> {
    out: &'a mut dyn Write,
    /// The settings of the terminal before.
    before: Option<Termios>,
    open: bool,
}

impl<'a> Screen<'a> {
    /// Takes over the terminal that `out` writes to.
    pub(crate) fn open(out: &'a mut dyn Write) -> io::Result<Self> {
        let before = io::stdin().is_terminal().then(|| tcgetattr(io::stdin())).transpose()?;
        let mut screen = Self { out, before, open: false };
        screen.reopen()?;
        Ok(screen)
    }

    /// Takes over the terminal again, after [`Screen::close`] or after another program used it.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        if let Some(before) = &self.before {
            // Turns echo off, and passes on keys without a newline.
            let mut silent = before.clone();
            silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON);
            tcsetattr(io::stdin(), SetArg::TCSANOW, &silent)?;
        }
        if !std::mem::replace(&mut self.open, true) {
            self.out.write_all(OPEN.as_bytes())?;
        }
        self.out.flush()
    }

    /// Restores the terminal.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.open) {
            self.out.write_all(CLOSE.as_bytes())?;
            self.out.flush()?;
        }
        if let Some(before) = &self.before {
            tcsetattr(io::stdin(), SetArg::TCSANOW, before)?;
        }
        Ok(())
    }

    /// Draws a picture over the last one, on a screen of this size. It overwrites each line and
    /// erases the rest of it, so nothing flickers. A line that fills the screen's width has no
    /// rest: erasing would remove its last letter, because the cursor stays there.
    pub(crate) fn draw(&mut self, lines: &[String], size: Size) -> io::Result<()> {
        let mut picture = "\x1b[H".to_owned();
        for (number, line) in lines.iter().enumerate() {
            picture.push_str(if number > 0 { "\r\n" } else { "" });
            picture.push_str(line);
            picture.push_str(if width(line) < size.width { "\x1b[K" } else { "" });
        }
        if lines.len() < size.height {
            picture.push_str(if lines.is_empty() { "\x1b[J" } else { "\r\n\x1b[J" });
        }
        self.out.write_all(picture.as_bytes())?;
        self.out.flush()
    }

    /// The size of the terminal on standard output.
    pub(crate) fn size() -> Size {
        let (width, height) = terminal_size::terminal_size_of(io::stdout())
            .map_or((80, 24), |(width, height)| (width.0.into(), height.0.into()));
        Size { width, height }
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        // Errors are ignored: there is nobody to report them to.
        let _ = self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminal_is_restored() {
        let mut out = Vec::new();
        let mut screen = Screen::open(&mut out).unwrap();
        let size = Size { width: 80, height: 24 };
        screen.draw(&["one".into(), "two".into()], size).unwrap();
        screen.close().unwrap();
        screen.reopen().unwrap();
        screen.reopen().unwrap();
        drop(screen);
        let written = String::from_utf8(out).unwrap();
        let picture = "\x1b[Hone\x1b[K\r\ntwo\x1b[K\r\n\x1b[J";
        assert_eq!(written, format!("{OPEN}{picture}{CLOSE}{OPEN}{CLOSE}"));
    }
    #[test]
    fn a_full_line_is_not_erased() {
        let mut out = Vec::new();
        let mut screen = Screen::open(&mut out).unwrap();
        let lines = ["\x1b[1mfour\x1b[0m".into(), "four".into()];
        screen.draw(&lines, Size { width: 4, height: 2 }).unwrap();
        drop(screen);
        let written = String::from_utf8(out).unwrap();
        assert_eq!(written, format!("{OPEN}\x1b[H\x1b[1mfour\x1b[0m\r\nfour{CLOSE}"));
    }
}
