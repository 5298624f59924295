//! The relay that a command is about.

use clap::Args;

use crate::failure::Failure;

/// A stream, and perhaps an edge. `STREAM/EDGE` is a relay's name everywhere else.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct RelayArg {
    /// The stream's name, or STREAM/EDGE in one word
    stream: String,
    /// The edge's name
    edge: Option<String>,
}

impl RelayArg {
    /// The stream, and the edge if one was named.
    pub(crate) fn parts(&self) -> Result<(String, Option<String>), Failure> {
        let (stream, edge) = match (self.stream.split_once('/'), &self.edge) {
            (Some((stream, edge)), None) => (stream, Some(edge)),
            (None, edge) => (self.stream.as_str(), edge.as_deref()),
            (Some((_, in_one)), Some(edge)) => {
                return Err(Failure::Usage(format!("one edge at a time: {in_one} or {edge}?")));
            }
        };
        if stream.is_empty() || edge.is_some_and(str::is_empty) {
            return Err(Failure::Usage("a relay is written STREAM/EDGE, such as news/dss2".into()));
        }
        Ok((stream.to_owned(), edge.map(str::to_owned)))
    }
}

#[cfg(test)]
impl RelayArg {
    /// Parses these words as if the user had typed them.
    pub(crate) fn typed(words: &[&str]) -> Self {
        let word = |at: usize| words.get(at).map(|word| (*word).to_owned());
        Self { stream: word(0).unwrap_or_default(), edge: word(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_words_or_one() {
        let parts = |words: &[&str]| RelayArg::typed(words).parts();
        assert_eq!(parts(&["news"]).unwrap(), ("news".into(), None));
        for words in [&["news", "dss2"][..], &["news/dss2"]] {
            assert_eq!(parts(words).unwrap(), ("news".into(), Some("dss2".into())));
        }
        for words in [&["news/dss2", "dss3"][..], &["news/"], &["/dss2"], &[""], &["news", ""]] {
            assert!(matches!(parts(words), Err(Failure::Usage(_))), "{words:?}");
        }
    }
}
