//! A line at the terminal while something takes its time.

use std::io::{self, Write};

/// Does something that takes a while, and says meanwhile what it is.
pub(super) fn during<T>(
    what: &str,
    err: &mut dyn Write,
    work: impl FnOnce() -> T,
) -> io::Result<T> {
    write!(err, "{what} …")?;
    err.flush()?;
    let done = work();
    write!(err, "\r\x1b[K")?;
    err.flush()?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_gone_when_it_is_done() {
        let mut err = Vec::new();
        assert_eq!(during("Waiting", &mut err, || 7).unwrap(), 7);
        assert_eq!(String::from_utf8(err).unwrap(), "Waiting …\r\x1b[K");
    }
}
