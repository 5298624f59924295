//! The requests to the daemon.

use std::net::IpAddr;
use std::ops::Not;

use serde::{Deserialize, Serialize};

/// The longest description of a fault in a request, in characters.
const LONGEST_QUOTE: usize = 200;

/// A request, with `op` as its tag. Unknown fields are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Request {
    /// Relays this stream, because a viewer is about to come. The answer says where to watch it.
    Start {
        /// The stream's name.
        stream: String,
        /// The edge, if the caller requires one; otherwise the daemon chooses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        edge: Option<String>,
        /// The viewer's address; the daemon chooses the edge by it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<IpAddr>,
    },
    /// Closes a relay now.
    Stop {
        /// The stream's name.
        stream: String,
        /// The edge's name.
        edge: String,
    },
    /// Lists the open relays.
    List {
        /// Adds the recently closed relays, with their reasons.
        #[serde(default)]
        all: bool,
        /// Adds the rates of the last minutes, in coarse steps.
        #[serde(default, skip_serializing_if = "<&bool as Not>::not")]
        rates: bool,
    },
    /// Shows one stream's relays with their flows, and the recently closed ones.
    Show {
        /// The stream's name.
        stream: String,
        /// Shows only the relay to this edge.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        edge: Option<String>,
    },
    /// Lists the streams of the catalogue.
    Streams {
        /// Listens for about a second to streams that may be on air or not.
        #[serde(default, skip_serializing_if = "<&bool as Not>::not")]
        listen: bool,
        /// Lists only this page of 50 streams, from 1, with streams on air first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        page: Option<usize>,
        /// Of a page: text that the name or the title contains, in any case.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        search: String,
    },
    /// Listens to streams for this long, and answers what arrived of each media. Leaves out streams
    /// that are pulled or unknown. Without a time, answers only which streams are left.
    Scan {
        /// The streams' names.
        streams: Vec<String>,
        /// How long to listen.
        #[serde(default)]
        millis: u64,
        /// Ends as soon as every media is known to be active.
        #[serde(default, skip_serializing_if = "<&bool as Not>::not")]
        quick: bool,
    },
    /// Asks whether the daemon runs.
    Ping,
    /// Reads the configuration and the streams folder again.
    Reload,
    /// Answers like [`Request::Ping`] and keeps the connection. Then sends an [`Event`] for each
    /// change of a relay's state; none is missed after the answer.
    ///
    /// [`Event`]: crate::Event
    Events,
}

/// Why a line is not a request.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// It is not JSON, or does not have the fields of a request.
    #[error("not a request: {}", plain(.0))]
    Shape(#[from] serde_json::Error),
    /// It has a later version of the protocol.
    #[error("protocol version {0} is not known here: use 1")]
    Version(u64),
}

/// The error on one line of limited length, because it may quote the caller.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let printable = |letter: char| if letter.is_ascii_graphic() { letter } else { ' ' };
    text.chars().map(printable).take(LONGEST_QUOTE).collect()
}

impl Request {
    /// Asks for every stream of the catalogue.
    pub fn streams(listen: bool) -> Self {
        Self::Streams { listen, page: None, search: String::new() }
    }

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
    fn documented_requests_are_read() {
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
        let streams = Request::streams(false);
        assert_eq!(Request::parse(r#"{"op":"streams"}"#).unwrap(), streams);
    }

    #[test]
    fn an_invalid_request_is_an_error() {
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
