//! What is wrong in a TOML file, and where.

use std::io;
use std::path::{Path, PathBuf};

/// A place in a TOML file that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct Fault {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted in characters from 1.
    pub column: usize,
    /// What is wrong, and what is allowed.
    pub what: String,
}

impl Fault {
    /// A fault at a byte of the text.
    pub(crate) fn at(text: &str, offset: usize, what: impl Into<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            what: what.into(),
        }
    }
}

/// Why dynrelay.toml can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{}: can't be read: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file says what isn't allowed. Displayed, each fault has a line of its own.
    #[error("{}", lines(file, faults))]
    Invalid {
        /// The file.
        file: PathBuf,
        /// All that is wrong in it, from the top down; at least one. What is no TOML is alone.
        faults: Vec<Fault>,
    },
}

fn lines(file: &Path, faults: &[Fault]) -> String {
    let lines: Vec<String> =
        faults.iter().map(|fault| format!("{}, {fault}", file.display())).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_one() {
        let position = |text, offset| {
            let Fault { line, column, .. } = Fault::at(text, offset, "");
            (line, column)
        };
        assert_eq!(position("", 0), (1, 1));
        assert_eq!(position("a\nbé = 1", 6), (2, 4));
        assert_eq!(position("a", 99), (1, 2));
    }

    #[test]
    fn each_fault_has_a_line() {
        let fault = |line| Fault { line, column: 1, what: "wrong".into() };
        let error = ConfigError::Invalid { file: "/x".into(), faults: vec![fault(2), fault(3)] };
        assert_eq!(error.to_string(), "/x, line 2, column 1: wrong\n/x, line 3, column 1: wrong");
    }
}
