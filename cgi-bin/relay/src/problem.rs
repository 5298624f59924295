//! Errors, in words for viewers.

use cgi::Response;
use cgi::http::{HeaderValue, StatusCode, header};
use control::{ClientError, ErrorCode};
use playlist::Format;

/// An error. The viewer learns this much and no more. The daemon's message about edges and files
/// goes to the web server's error log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Neither GET nor HEAD.
    Method,
    /// Text that cannot be a stream's name.
    BadName,
    /// An unknown `format=`.
    UnknownFormat,
    /// The catalogue has no such stream.
    UnknownStream,
    /// No edge has agreed to take the stream.
    NoConsent,
    /// The edge does not answer.
    EdgeUnreachable,
    /// There is no edge.
    NoEdge,
    /// The stream's source refuses it.
    SourceRefuses,
    /// The stream's source does not answer.
    SourceUnreachable,
    /// The daemon is pulling the stream.
    SourceStarting,
    /// A limit of the daemon is reached.
    Limit,
    /// The daemon does not run, does not answer in time, or fails.
    Unavailable,
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        let ClientError::Refused(refused) = error else { return Self::Unavailable };
        match refused.code {
            ErrorCode::BadRequest => Self::BadName,
            ErrorCode::UnknownStream => Self::UnknownStream,
            ErrorCode::NoConsent => Self::NoConsent,
            ErrorCode::EdgeUnreachable => Self::EdgeUnreachable,
            ErrorCode::NoEdge => Self::NoEdge,
            ErrorCode::SourceRefuses => Self::SourceRefuses,
            ErrorCode::SourceUnreachable => Self::SourceUnreachable,
            ErrorCode::SourceStarting => Self::SourceStarting,
            ErrorCode::Limit => Self::Limit,
            // The daemon refuses the web server, and the viewer can do nothing about it.
            ErrorCode::Forbidden | ErrorCode::Internal => Self::Unavailable,
        }
    }
}

impl Problem {
    /// The response for this error.
    pub(crate) fn response(self) -> Response {
        let unknown_format = format!("The format can be {} or redirect.", formats(""));
        let unknown_stream = format!(
            "There is no stream of that name here. A document has a stream's name with one of these \
             endings: {} or .redirect.",
            formats(".")
        );
        let (status, text) = match self {
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "Ask for a stream with GET or HEAD."),
            Self::BadName => (
                StatusCode::BAD_REQUEST,
                "A stream's name is made of 1 to 64 letters, digits, dots, underscores and hyphens, \
                 and does not begin with a dot.",
            ),
            Self::UnknownFormat => (StatusCode::BAD_REQUEST, unknown_format.as_str()),
            Self::UnknownStream => (StatusCode::NOT_FOUND, unknown_stream.as_str()),
            Self::NoConsent => {
                (StatusCode::FORBIDDEN, "No streaming server has agreed to show this stream.")
            }
            Self::EdgeUnreachable => (
                StatusCode::BAD_GATEWAY,
                "The streaming server that shows this stream does not answer. Try again later.",
            ),
            Self::NoEdge => (
                StatusCode::BAD_GATEWAY,
                "There is no streaming server that could show this stream.",
            ),
            Self::SourceRefuses => (
                StatusCode::BAD_GATEWAY,
                "The server that this stream comes from refuses it. Try again later.",
            ),
            Self::SourceUnreachable => (
                StatusCode::BAD_GATEWAY,
                "The server that this stream comes from does not send it. Try again later.",
            ),
            Self::SourceStarting => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The stream is being fetched from its source. Try again in a moment.",
            ),
            Self::Limit => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many streams are being started. Try again in a few seconds.",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Streams can't be started at the moment. Try again later.",
            ),
        };
        let mut response = cgi::text_response(status, format!("{text}\n"));
        let (name, value) = match self {
            Self::Method => (header::ALLOW, "GET, HEAD"),
            Self::SourceStarting => (header::RETRY_AFTER, "2"),
            Self::Limit => (header::RETRY_AFTER, "5"),
            Self::Unavailable => (header::RETRY_AFTER, "30"),
            _ => return response,
        };
        response.headers_mut().insert(name, HeaderValue::from_static(value));
        response
    }
}

/// All formats of documents, each after `prefix`.
fn formats(prefix: &str) -> String {
    Format::ALL.map(|format| format!("{prefix}{}", format.extension())).join(", ")
}
