//! The lines of a log, however long it is.

use std::io::{self, Read};

use memchr::memchr_iter;

/// What is read at a time, and the longest line.
const BUFFER: usize = 1 << 20;

/// A line without its end; none if it is longer than any line may be.
pub(crate) type Line<'a> = Option<&'a [u8]>;

/// Hands over each line. Empty ones too, so that they can be counted.
pub(crate) fn for_each(input: &mut dyn Read, mut take: impl FnMut(Line<'_>)) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    // The beginning of a line that goes on.
    let mut held = 0;
    let mut skipping = false;
    loop {
        let count = match input.read(&mut buffer[held..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        if count == 0 {
            if held > 0 {
                take(Some(bare(&buffer[..held])));
            }
            return Ok(());
        }
        let filled = held + count;
        let mut start = 0;
        for newline in memchr_iter(b'\n', &buffer[held..filled]) {
            let end = held + newline;
            if !std::mem::take(&mut skipping) {
                take(Some(bare(&buffer[start..end])));
            }
            start = end + 1;
        }
        if skipping {
            start = filled;
        }
        buffer.copy_within(start..filled, 0);
        held = filled - start;
        if held == buffer.len() {
            take(None);
            (skipping, held) = (true, 0);
        }
    }
}

/// The line without the carriage return that some end in.
fn bare(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let take = self.1.min(buffer.len());
            (&mut self.0).take(take as u64).read(buffer)
        }
    }

    fn lines(input: &[u8], step: usize) -> Vec<Option<Vec<u8>>> {
        let mut lines = Vec::new();
        for_each(&mut Slow(input, step), |line| lines.push(line.map(<[u8]>::to_vec))).unwrap();
        lines
    }

    #[test]
    fn ends_of_lines() {
        let some = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(lines(b"a\r\n\nbc", 2), [some("a"), some(""), some("bc")]);
        assert!(lines(b"", 1).is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_is_one_line() {
        let mut text = vec![b'x'; 3 * BUFFER];
        text.extend(b"\nafter\n");
        text.extend(vec![b'y'; BUFFER]);
        let found = lines(&text, BUFFER / 3);
        assert_eq!(found, [None, Some(b"after".to_vec()), None]);
    }

    proptest! {
        #[test]
        fn they_are_those_of_the_text(text in "[ab\n]{0,200}", step in 1_usize..20) {
            let mut wanted: Vec<_> =
                text.split('\n').map(|line| Some(line.as_bytes().to_vec())).collect();
            if text.is_empty() || text.ends_with('\n') {
                wanted.pop();
            }
            prop_assert_eq!(lines(text.as_bytes(), step), wanted);
        }
    }
}
