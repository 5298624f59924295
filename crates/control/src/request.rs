//! What can be asked of the daemon.

use std::net::IpAddr;
use std::ops::Not;

use serde::{Deserialize, Serialize};

/// How much is said of what is wrong with a request, in characters.
const LONGEST_QUOTE: usize = 200;

/// A request, told apart by its `op`. Fields that nobody knows are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Request {
    /// A viewer is on the way: relay this stream, and say where to watch it.
    Start {
        /// The stream's name.
        stream: String,
        /// The edge, where the caller insists on one; else the daemon chooses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        edge: Option<String>,
        /// The viewer's address, which the choice of an edge goes by.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<IpAddr>,
    },
    /// Close a relay now.
    Stop {
        /// The stream's name.
        stream: String,
        /// The edge's name.
        edge: String,
    },
    /// Every relay that is not closed, in short.
    List {
        /// The recently closed ones too, with their reasons.
        #[serde(default)]
        all: bool,
        /// With how fast each went over the last minutes, in coarse steps.
        #[serde(default, skip_serializing_if = "<&bool as Not>::not")]
        rates: bool,
    },
    /// One stream's relays with their flows, the recently closed ones included.
    Show {
        /// The stream's name.
        stream: String,
        /// One edge only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        edge: Option<String>,
    },
    /// What the catalogue holds.
    Streams {
        /// Listens to the streams of which it isn't known whether they are on air, for about a
        /// second.
        #[serde(default, skip_serializing_if = "<&bool as Not>::not")]
        listen: bool,
    },
    /// Listens to streams for so long, and tells what was heard of each media: the streams of
    /// these that arrive by themselves, and that the catalogue has. Without a time, only which
    /// these are.
    Scan {
        /// The streams' names.
        streams: Vec<String>,
        /// How long.
        #[serde(default)]
        millis: u64,
        /// Ends as soon as every media is known to be active.
        #[serde(default, skip_serializing_if = "<&bool as Not>::not")]
        quick: bool,
    },
    /// Is anybody there?
    Ping,
    /// Read the configuration and the streams folder again.
    Reload,
    /// Keep the connection: answer as [`Request::Ping`], and then send an [`Event`] for each change
    /// of a relay's state. None that comes after the answer is missed.
    ///
    /// [`Event`]: crate::Event
    Events,
}

/// Why a line is no request.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Not JSON, or not the shape of a request.
    #[error("not a request: {}", plain(.0))]
    Shape(#[from] serde_json::Error),
    /// The caller speaks a later protocol.
    #[error("protocol version {0} is not known here: use 1")]
    Version(u64),
}

/// The error on one line, and no longer than one: it may quote what was sent.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let printable = |letter: char| if letter.is_ascii_graphic() { letter } else { ' ' };
    text.chars().map(printable).take(LONGEST_QUOTE).collect()
}

impl Request {
    /// Reads a request from one line.
    pub fn parse(line: &str) -> Result<Self, ParseError> {
        #[derive(Deserialize)]
        struct Version {
            v: Option<u64>,
        }
        match serde_json::from_str::<Version>(line)?.v {
            None | Some(1) => Ok(serde_json::from_str(line)?),
            Some(other) => Err(ParseError::Version(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_designs_requests_are_read() {
        let start =
            Request::parse(r#"{"op":"start","stream":"news","client":"203.0.113.9","x":1}"#);
        assert_eq!(
            start.unwrap(),
            Request::Start {
                stream: "news".into(),
                edge: None,
                client: Some("203.0.113.9".parse().unwrap()),
            }
        );
        assert_eq!(Request::parse(r#"{"op":"ping","v":1}"#).unwrap(), Request::Ping);
        let list = Request::List { all: false, rates: false };
        assert_eq!(Request::parse(r#"{"op":"list"}"#).unwrap(), list);
        let streams = Request::Streams { listen: false };
        assert_eq!(Request::parse(r#"{"op":"streams"}"#).unwrap(), streams);
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        for line in ["", "[]", "{}", "null", r#"{"op":"fly"}"#, r#"{"op":"start"}"#] {
            assert!(matches!(Request::parse(line), Err(ParseError::Shape(_))), "{line}");
        }
        let later = Request::parse(r#"{"op":"ping","v":2}"#);
        assert!(matches!(later, Err(ParseError::Version(2))));
        let odd = format!("{{\"op\":\"\\u001b[2J\u{202e}\\n{}\"}}", "x".repeat(60_000));
        let said = Request::parse(&odd).unwrap_err().to_string();
        assert!(said.len() < 300 && said.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let deep = "[".repeat(60_000);
        assert!(Request::parse(&deep).is_err());
    }
}
