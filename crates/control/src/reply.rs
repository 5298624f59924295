//! What the daemon answers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An answer: `{"ok":…}` with what was asked for, or `{"error":…}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply<T> {
    /// It was done; this is what came of it.
    Ok(T),
    /// It was not done.
    Error(Refused),
}

/// Why the daemon did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// For programs.
    pub code: ErrorCode,
    /// For people: what happened, to which stream, and what to do.
    pub message: String,
}

impl Refused {
    /// A refusal with its message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// The request is not one, or a name in it can't be a name.
    BadRequest,
    /// The catalogue has no such stream (or no such relay to stop).
    UnknownStream,
    /// No edge has agreed to take this stream.
    NoConsent,
    /// The edge, or each that could serve, does not answer.
    EdgeUnreachable,
    /// The catalogue has no such edge, or none at all.
    NoEdge,
    /// The source that the stream is pulled from is there, and doesn't give it.
    SourceRefuses,
    /// The source that the stream is pulled from can't be reached, or brings nothing.
    SourceUnreachable,
    /// The stream is being pulled, and nothing has come yet; the same request may soon succeed.
    SourceStarting,
    /// A limit is reached; the same request may succeed later.
    Limit,
    /// The caller may not do this.
    Forbidden,
    /// The daemon's own fault, or its machine's.
    Internal,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadRequest => "bad-request",
            Self::UnknownStream => "unknown-stream",
            Self::NoConsent => "no-consent",
            Self::EdgeUnreachable => "edge-unreachable",
            Self::NoEdge => "no-edge",
            Self::SourceRefuses => "source-refuses",
            Self::SourceUnreachable => "source-unreachable",
            Self::SourceStarting => "source-starting",
            Self::Limit => "limit",
            Self::Forbidden => "forbidden",
            Self::Internal => "internal",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_written_as_the_design_says() {
        let reply: Reply<()> =
            Reply::Error(Refused::new(ErrorCode::NoConsent, "dss2 has no news.sdp (RTSP 404)"));
        assert_eq!(
            serde_json::to_string(&reply).unwrap(),
            r#"{"error":{"code":"no-consent","message":"dss2 has no news.sdp (RTSP 404)"}}"#
        );
        assert_eq!(serde_json::to_string(&Reply::Ok(1)).unwrap(), r#"{"ok":1}"#);
    }
}
