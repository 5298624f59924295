//! What the daemon answers.

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

model::words! {
    /// The kinds of refusal.
    pub enum ErrorCode {
        /// The request is not one, or a name in it can't be a name.
        BadRequest = "bad-request",
        /// The catalogue has no such stream (or no such relay to stop).
        UnknownStream = "unknown-stream",
        /// No edge has agreed to take this stream.
        NoConsent = "no-consent",
        /// The edge, or each that could serve, does not answer.
        EdgeUnreachable = "edge-unreachable",
        /// The catalogue has no such edge, or none at all.
        NoEdge = "no-edge",
        /// The source that the stream is pulled from is there, and doesn't give it.
        SourceRefuses = "source-refuses",
        /// The source that the stream is pulled from can't be reached, or brings nothing.
        SourceUnreachable = "source-unreachable",
        /// The stream is being pulled, and nothing has come yet; the same request may soon succeed.
        SourceStarting = "source-starting",
        /// A limit is reached; the same request may succeed later.
        Limit = "limit",
        /// The caller may not do this.
        Forbidden = "forbidden",
        /// The daemon's own fault, or its machine's.
        Internal = "internal",
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
