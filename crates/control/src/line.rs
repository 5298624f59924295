//! Reads one line of the protocol, with a limit.

use std::io::{self, BufRead, Read};

/// The longest request that the daemon accepts, in bytes, with its newline.
pub const MAX_REQUEST: u64 = 64 * 1024;

/// The longest answer a client accepts: a list of some ten thousand relays, with their flows.
pub const MAX_ANSWER: u64 = 64 * 1024 * 1024;

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The other side sent more bytes than this without a newline.
    #[error("a line may have at most {0} bytes")]
    TooLong(u64),
    /// The other side hung up in the middle of a line.
    #[error("the line was cut off")]
    CutOff,
    /// The line is not UTF-8.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// The socket failed, or the deadline passed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads one line of at most `longest` bytes, without its newline; `None` at the end of the input.
pub fn read_line(from: &mut impl BufRead, longest: u64) -> Result<Option<String>, LineError> {
    let mut bytes = Vec::new();
    from.take(longest).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.pop() != Some(b'\n') {
        // The popped byte counts: the line was full, or the input ended early.
        let full = u64::try_from(bytes.len()).is_ok_and(|read| read + 1 >= longest);
        return Err(if full { LineError::TooLong(longest) } else { LineError::CutOff });
    }
    String::from_utf8(bytes).map(Some).map_err(|_| LineError::NotUtf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_one_by_one() {
        let mut input = &b"{}\n\n{\"a\":1}\n"[..];
        assert_eq!(read_line(&mut input, MAX_REQUEST).unwrap().as_deref(), Some("{}"));
        assert_eq!(read_line(&mut input, MAX_REQUEST).unwrap().as_deref(), Some(""));
        assert_eq!(read_line(&mut input, MAX_REQUEST).unwrap().as_deref(), Some("{\"a\":1}"));
        assert!(read_line(&mut input, MAX_REQUEST).unwrap().is_none());
    }

    #[test]
    fn invalid_lines_are_refused() {
        let long = vec![b'x'; 70_000];
        assert!(matches!(read_line(&mut &long[..], MAX_REQUEST), Err(LineError::TooLong(_))));
        assert!(matches!(read_line(&mut &b"half"[..], 5), Err(LineError::CutOff)));
        assert!(matches!(read_line(&mut &b"\xff\n"[..], 5), Err(LineError::NotUtf8)));
    }
}
