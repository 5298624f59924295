//! Why an RTSP server does not send.

use std::net::SocketAddr;
use std::time::Duration;

use crate::reader::ReadError;

/// Why a source can't be pulled, or no longer. It repeats nothing from the server except a line of
/// its offer, without passwords.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not an RTSP URL.
    #[error("that is not an RTSP URL")]
    NoUrl,
    /// The host's name has no address.
    #[error("{host} can't be resolved: {why}")]
    Unresolved {
        /// The name.
        host: String,
        /// The system's reason.
        why: String,
    },
    /// There is no connection.
    #[error("no connection to {address}: {why}")]
    Unreachable {
        /// The address that was tried last.
        address: SocketAddr,
        /// The system's reason.
        why: String,
    },
    /// The connection broke, or the server closed it.
    #[error("it hung up{}", why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    HungUp {
        /// The system's reason; `None` if the server closed the connection.
        why: Option<String>,
    },
    /// A request was not answered in time.
    #[error("{method} is not answered within {} s", patience.as_secs_f32())]
    NoAnswer {
        /// The request.
        method: &'static str,
        /// How long the answer was awaited.
        patience: Duration,
    },
    /// The server answers, but does not play in time.
    #[error("it does not play within {} s", .0.as_secs())]
    NotPlaying(Duration),
    /// The server reads no requests.
    #[error("it does not read its requests")]
    NotReading,
    /// A request was refused.
    #[error("{method} is refused: {code} {}", meaning(*code))]
    Refused {
        /// The request.
        method: &'static str,
        /// The RTSP status.
        code: u16,
    },
    /// The server wants a login, and `source` has none.
    #[error("it wants a user and a password (401), and the source names none")]
    WantsPassword,
    /// The server refuses the login.
    #[error("it refuses the user or the password (401)")]
    WrongPassword,
    /// The server wants an authentication that is not known here.
    #[error("it wants an authentication other than Basic or Digest (401)")]
    StrangeAuthentication,
    /// The server redirects to another host, or in circles.
    #[error("it redirects ({code}) {}", if *elsewhere {
        "to another host: put the right URL into the source, if you trust it"
    } else {
        "again and again, or to no RTSP URL"
    })]
    Redirects {
        /// The RTSP status.
        code: u16,
        /// To another host.
        elsewhere: bool,
    },
    /// The server receives the stream from this host.
    #[error(
        "it is at {server}, which has the stream from here: its packets would go round for \
         ever; name the server that has it first"
    )]
    FedByUs {
        /// The server's address.
        server: SocketAddr,
    },
    /// The server sends invalid bytes.
    #[error("it sends invalid data: {0}")]
    Unreadable(#[from] ReadError),
    /// The answer lacks a required part.
    #[error("its answer to {method} {what}")]
    BadAnswer {
        /// The request.
        method: &'static str,
        /// The fault of the answer.
        what: &'static str,
    },
    /// The offer, the server's SDP, can't be used.
    #[error("line {line} of its offer ({text}) can't be used: {what}")]
    BadOffer {
        /// The line, counted from 1.
        line: usize,
        /// The line's text in quotes, cleaned and cut.
        text: String,
        /// Its fault.
        what: String,
    },
    /// The offer lacks a media of the stream's own SDP file.
    #[error(
        "it has no {media}, which the stream's SDP file has as media {number}{}",
        nearest.as_ref().map(|nearest| format!(": {nearest}")).unwrap_or_default()
    )]
    Unfit {
        /// The wanted media, counted from 1.
        number: usize,
        /// That media, from the stream's own file.
        media: String,
        /// The offered media that comes nearest, with its line.
        nearest: Option<String>,
    },
    /// The server plays, and no packet came.
    #[error("it plays, and no packet comes over {transport} in {} s", patience.as_secs())]
    NoPackets {
        /// The transport that was agreed upon.
        transport: crate::Transport,
        /// How long packets were awaited.
        patience: Duration,
    },
    /// Neither transport works.
    #[error("over UDP: {udp}; over TCP: {tcp}")]
    NoTransport {
        /// The failure over UDP.
        udp: Box<Error>,
        /// The failure over TCP.
        tcp: Box<Error>,
    },
    /// Packets stopped.
    #[error("no packet came for {} s", .0.as_secs())]
    Silent(Duration),
    /// The server ended the session.
    #[error("it has ended the session")]
    SessionOver,
    /// This host failed.
    #[error("{step}: {why}")]
    Local {
        /// The step that failed.
        step: &'static str,
        /// The system's reason.
        why: String,
    },
    /// The thread that pulls has panicked.
    #[error("pulling failed inside dynrelayd: please report it, with the log")]
    Panicked,
}

/// The kind of fault, for viewers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The source is there and refuses the stream.
    Refuses,
    /// The source can't be reached, or sends nothing.
    Silent,
}

impl Error {
    /// Whether the source refuses, or sends nothing.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoUrl
            | Self::Refused { .. }
            | Self::WantsPassword
            | Self::WrongPassword
            | Self::StrangeAuthentication
            | Self::Redirects { .. }
            | Self::FedByUs { .. }
            | Self::Unreadable(_)
            | Self::BadAnswer { .. }
            | Self::BadOffer { .. }
            | Self::Unfit { .. } => Fault::Refuses,
            Self::NoTransport { tcp, .. } => tcp.fault(),
            _ => Fault::Silent,
        }
    }

    /// A failure of this host in a step.
    pub(crate) fn local(step: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |error| Self::Local { step, why: error.to_string() }
    }
}

/// The meaning of a status, in our own words.
fn meaning(code: u16) -> &'static str {
    match code {
        400 => "(bad request)",
        403 => "(forbidden)",
        404 => "(no such stream)",
        405 | 501 => "(it doesn't know that request)",
        453 => "(not enough bandwidth)",
        454 => "(no such session)",
        455 => "(not in this state)",
        459 => "(only media by media)",
        460 => "(only for all media at once)",
        461 => "(not by that transport)",
        462 => "(it can't reach this host)",
        500 => "(an error of its own)",
        503 => "(not at the moment)",
        505 => "(not that version of RTSP)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_and_says_what_to_do() {
        let errors = [
            Error::HungUp { why: None },
            Error::Refused { method: "DESCRIBE", code: 404 },
            Error::Refused { method: "PLAY", code: 299 },
            Error::Redirects { code: 302, elsewhere: true },
            Error::WrongPassword,
            Error::NoAnswer { method: "PLAY", patience: Duration::from_secs(10) },
        ];
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "it hung up",
                "DESCRIBE is refused: 404 (no such stream)",
                "PLAY is refused: 299 ",
                "it redirects (302) to another host: put the right URL into the source, if you \
                 trust it",
                "it refuses the user or the password (401)",
                "PLAY is not answered within 10 s",
            ]
        );
        assert_eq!(Error::WrongPassword.fault(), Fault::Refuses);
        assert_eq!(Error::HungUp { why: None }.fault(), Fault::Silent);
    }
}
