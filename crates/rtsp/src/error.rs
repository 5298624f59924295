//! Why a pull brings nothing.

use std::net::SocketAddr;
use std::time::Duration;

use crate::reader::ReadError;

/// Why a source could not be pulled, or no longer. It repeats nothing that the server has sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The host's name could not be resolved.
    #[error("{host} can't be resolved: {why}")]
    Unresolved {
        /// The name.
        host: String,
        /// What the system said.
        why: String,
    },
    /// There is no connection.
    #[error("no connection to {address}: {why}")]
    Unreachable {
        /// Where to.
        address: SocketAddr,
        /// What the system said.
        why: String,
    },
    /// The connection broke, or the server closed it.
    #[error("it hung up{}", why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    HungUp {
        /// What the system said; none if the server closed the connection in peace.
        why: Option<String>,
    },
    /// A request was not answered in time.
    #[error("{method} is not answered within {} s", patience.as_secs())]
    NoAnswer {
        /// The request.
        method: &'static str,
        /// How long that was awaited.
        patience: Duration,
    },
    /// It answered this and that, and never came to the point.
    #[error("it does not play within {} s", .0.as_secs())]
    Dawdles(Duration),
    /// It doesn't read what it is sent.
    #[error("it does not read what it is sent")]
    Stuck,
    /// A request was refused.
    #[error("{method} is refused: {code} {}", meaning(*code))]
    Refused {
        /// The request.
        method: &'static str,
        /// The RTSP status.
        code: u16,
    },
    /// It wants a user and a password, and there are none in `source`.
    #[error("it wants a user and a password (401), and the source names none")]
    WantsPassword,
    /// It doesn't take the user and the password.
    #[error("it refuses the user or the password (401)")]
    WrongPassword,
    /// It wants to be convinced in a way that isn't known here.
    #[error("it wants an authentication other than Basic or Digest (401)")]
    StrangeAuthentication,
    /// It sends whoever asks to another host, or round in circles.
    #[error("it redirects ({code}) {}", if *elsewhere {
        "to another host: put the right URL into the source, if you trust it"
    } else {
        "again and again, or to what is no RTSP URL"
    })]
    Redirects {
        /// The RTSP status.
        code: u16,
        /// To another host.
        elsewhere: bool,
    },
    /// It is sent the stream by this host.
    #[error(
        "it is at {server}, which has the stream from here: its packets would go round for \
         ever; name the server that has it first"
    )]
    FedByUs {
        /// Its address, now known.
        server: SocketAddr,
    },
    /// It sends what is no RTSP, or too much of it.
    #[error("it sends what can't be read: {0}")]
    Unreadable(#[from] ReadError),
    /// The answer lacks what it must have.
    #[error("its answer to {method} {what}")]
    BadAnswer {
        /// The request.
        method: &'static str,
        /// What is wrong with the answer.
        what: &'static str,
    },
    /// What it describes isn't SDP.
    #[error("its description can't be read as SDP (line {line})")]
    BadDescription {
        /// The line, counted from 1.
        line: usize,
    },
    /// What it describes isn't what the stream's own SDP file says.
    #[error("it has no {media}, which the stream's SDP file has as media {number}")]
    Unfit {
        /// The media that lacks, counted from 1.
        number: usize,
        /// That media, from the stream's own file.
        media: String,
    },
    /// It can't, or doesn't want to, send over UDP.
    #[error("it does not send over UDP (461)")]
    RefusesUdp,
    /// Everything was agreed upon, and nothing came.
    #[error("it plays, and no packet comes over {transport} in {} s", patience.as_secs())]
    BringsNothing {
        /// How packets should have come.
        transport: crate::Transport,
        /// How long that was awaited.
        patience: Duration,
    },
    /// No packet came any more.
    #[error("no packet came for {} s", .0.as_secs())]
    Silent(Duration),
    /// It has ended what was set up.
    #[error("it has ended the session")]
    SessionOver,
    /// This host can't.
    #[error("{step}: {why}")]
    Local {
        /// What failed.
        step: &'static str,
        /// What the system said.
        why: String,
    },
    /// The thread that pulls has panicked.
    #[error("pulling failed inside dynrelayd: please report it, with the log")]
    Panicked,
}

/// Whose fault it is, as far as a viewer can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The source is there and doesn't give the stream.
    Refuses,
    /// The source can't be reached, or brings nothing.
    Silent,
}

impl Error {
    /// Whether the source refuses, or is just not there.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Refused { .. }
            | Self::WantsPassword
            | Self::WrongPassword
            | Self::StrangeAuthentication
            | Self::Redirects { .. }
            | Self::FedByUs { .. }
            | Self::Unreadable(_)
            | Self::BadAnswer { .. }
            | Self::BadDescription { .. }
            | Self::Unfit { .. }
            | Self::RefusesUdp => Fault::Refuses,
            _ => Fault::Silent,
        }
    }

    /// Something that this host can't do.
    pub(crate) fn local(step: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |error| Self::Local { step, why: error.to_string() }
    }
}

/// What a status means, in our own words.
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
        460 => "(only for all medias at once)",
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
            Error::Unfit { number: 2, media: "audio MPA/90000 pt 14".into() },
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
                "it has no audio MPA/90000 pt 14, which the stream's SDP file has as media 2",
            ]
        );
        assert_eq!(Error::WrongPassword.fault(), Fault::Refuses);
        assert_eq!(Error::HungUp { why: None }.fault(), Fault::Silent);
    }
}
