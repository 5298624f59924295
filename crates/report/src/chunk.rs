//! Cuts a log into chunks of whole lines.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};

/// The longest line, in bytes, including its end.
pub(crate) const MAX_LINE: usize = 1 << 20;

/// Successive whole lines.
#[derive(Debug)]
pub(crate) struct Chunk<'a> {
    /// The chunks of a log are numbered from 0.
    pub(crate) number: u64,
    text: &'a [u8],
    /// Whether a line follows that is too long. It is skipped.
    pub(crate) is_before_too_long: bool,
}

impl<'a> Chunk<'a> {
    /// Its lines without their ends. Empty lines are among them, so that lines can be counted.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &'a [u8]> {
        let (text, mut start) = (self.text, 0);
        // The last line of a log may lack its end.
        let rest = (!text.is_empty() && !text.ends_with(b"\n")).then_some(text.len());
        memchr_iter(b'\n', text).chain(rest).map(move |end| {
            let line = &text[start..end];
            start = end + 1;
            line.strip_suffix(b"\r").unwrap_or(line)
        })
    }
}

/// Reads a log chunk by chunk.
pub(crate) struct Chunks<R> {
    input: R,
    /// How many bytes are read at a time.
    step: usize,
    /// The beginning of an unfinished line.
    rest: Vec<u8>,
    /// Whether that line is too long.
    skipping: bool,
    ended: bool,
    next: u64,
}

impl<R: Read> Chunks<R> {
    pub(crate) fn of(input: R, step: usize) -> Self {
        Self { input, step, rest: Vec::new(), skipping: false, ended: false, next: 0 }
    }

    /// Reads the next chunk into a buffer of [`MAX_LINE`] bytes; none at the end and after an error.
    pub(crate) fn read<'a>(&mut self, buffer: &'a mut [u8]) -> io::Result<Option<Chunk<'a>>> {
        let mut filled = self.rest.len();
        buffer[..filled].copy_from_slice(&self.rest);
        self.rest.clear();
        while !self.ended {
            let until = buffer.len().min(filled + self.step);
            let count = match self.input.read(&mut buffer[filled..until]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                count => count.inspect_err(|_| self.ended = true)?,
            };
            if count == 0 {
                self.ended = true;
                return Ok((filled > 0).then(|| self.chunk(&buffer[..filled])));
            }
            let end = filled + count;
            if let Some(last) = memrchr(b'\n', &buffer[filled..end]) {
                let cut = filled + last + 1;
                self.rest.extend_from_slice(&buffer[cut..end]);
                let mut text = &buffer[..cut];
                if std::mem::take(&mut self.skipping) {
                    let first = memchr(b'\n', text).map_or(cut, |end| end + 1);
                    text = &text[first..];
                }
                return Ok(Some(self.chunk(text)));
            }
            filled = if self.skipping { 0 } else { end };
            if filled == buffer.len() {
                self.skipping = true;
                return Ok(Some(Chunk { is_before_too_long: true, ..self.chunk(b"") }));
            }
        }
        Ok(None)
    }

    fn chunk<'a>(&mut self, text: &'a [u8]) -> Chunk<'a> {
        let number = self.next;
        self.next += 1;
        Chunk { number, text, is_before_too_long: false }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads `step` bytes at a time. Returns the lines, with none for one that is too long.
    fn lines(input: &[u8], step: usize) -> Vec<Option<Vec<u8>>> {
        let mut chunks = Chunks::of(input, step);
        let mut buffer = vec![0; MAX_LINE];
        let mut lines = Vec::new();
        for number in 0.. {
            let Some(chunk) = chunks.read(&mut buffer).unwrap() else { break };
            assert_eq!(chunk.number, number);
            lines.extend(chunk.lines().map(|line| Some(line.to_vec())));
            lines.extend(chunk.is_before_too_long.then_some(None));
        }
        lines
    }

    #[test]
    fn lines_may_end_in_three_ways() {
        let some = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(lines(b"a\r\n\nbc", 2), [some("a"), some(""), some("bc")]);
        assert!(lines(b"", 1).is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_counts_once() {
        let mut text = vec![b'x'; 3 * MAX_LINE];
        text.extend(b"\nafter\n");
        text.extend(vec![b'y'; MAX_LINE - 1]);
        text.extend(b"\n");
        text.extend(vec![b'z'; MAX_LINE]);
        for step in [MAX_LINE / 3, MAX_LINE] {
            let found = lines(&text, step);
            assert_eq!(found.len(), 4);
            assert_eq!(found[1], Some(b"after".to_vec()));
            assert!(found[0].is_none() && found[2].is_some() && found[3].is_none());
        }
    }

    proptest! {
        #[test]
        fn the_step_makes_no_difference(text in "[ab\n]{0,200}", step in 1_usize..20) {
            let mut wanted: Vec<_> =
                text.split('\n').map(|line| Some(line.as_bytes().to_vec())).collect();
            if text.is_empty() || text.ends_with('\n') {
                wanted.pop();
            }
            prop_assert_eq!(lines(text.as_bytes(), step), wanted);
        }
    }
}
