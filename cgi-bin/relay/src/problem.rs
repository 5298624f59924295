//! Errors, in words for viewers.

use cgi::Response;
use cgi::http::{HeaderValue, StatusCode, header};
use control::{ClientError, ErrorCode};

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
    fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadName | Self::UnknownFormat => StatusCode::BAD_REQUEST,
            Self::UnknownStream => StatusCode::NOT_FOUND,
            Self::NoConsent => StatusCode::FORBIDDEN,
            Self::EdgeUnreachable
            | Self::NoEdge
            | Self::SourceRefuses
            | Self::SourceUnreachable => StatusCode::BAD_GATEWAY,
            Self::SourceStarting | Self::Limit | Self::Unavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Method => "Ask for a stream with GET or HEAD.\n",
            Self::BadName => {
                "A stream's name is made of 1 to 64 letters, digits, dots, underscores and hyphens, \
                 and does not begin with a dot.\n"
            }
            Self::UnknownFormat => "The format can be smil, qtl, ram, m3u, xspf or redirect.\n",
            Self::UnknownStream => "There is no stream of that name here.\n",
            Self::NoConsent => "No streaming server has agreed to show this stream.\n",
            Self::EdgeUnreachable => {
                "The streaming server that shows this stream does not answer. Try again later.\n"
            }
            Self::NoEdge => "There is no streaming server that could show this stream.\n",
            Self::SourceRefuses => {
                "The server that this stream comes from refuses it. Try again later.\n"
            }
            Self::SourceUnreachable => {
                "The server that this stream comes from does not send it. Try again later.\n"
            }
            Self::SourceStarting => {
                "The stream is being fetched from its source. Try again in a moment.\n"
            }
            Self::Limit => "Too many streams are being started. Try again in a few seconds.\n",
            Self::Unavailable => "Streams can't be started at the moment. Try again later.\n",
        }
    }

    /// The response for this error.
    pub(crate) fn response(self) -> Response {
        let mut response = cgi::text_response(self.status(), self.text());
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
