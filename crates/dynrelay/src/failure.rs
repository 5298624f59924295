//! Why a command was not done, and the exit code that says so.

use std::io;
use std::path::PathBuf;

use catalog::ConfigError;
use control::ClientError;

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The daemon refused, or gave no answer.
    #[error(transparent)]
    Daemon(#[from] ClientError),
    /// A file of the catalogue has a fault.
    #[error(transparent)]
    File(#[from] catalog::Problem),
    /// A check found errors, and printed them.
    #[error("check failed")]
    Unsound,
    /// The configuration can't be used.
    #[error("{}", .0.to_string().replace('\n', "; "))]
    Config(#[from] catalog::ConfigError),
    /// The catalogue has no stream of that name.
    #[error("there is no stream {name} in {}{hint}", folder.display())]
    NoStream {
        /// The name.
        name: String,
        /// The streams folder.
        folder: PathBuf,
        /// A suggestion, or nothing.
        hint: String,
    },
    /// The data plane of a scan did not start.
    #[error("can't listen: {0}")]
    Listening(#[from] forward::StartError),
    /// A stream is not active, and that was printed.
    #[error("a stream is not active")]
    NotActive,
    /// It can't be done; the text says why, and what to do.
    #[error("{0}")]
    Unfit(String),
    /// The words of the command line do not go together.
    #[error("{0}")]
    Usage(String),
    /// The answer could not be written.
    #[error("the answer can't be written: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// Whether there is nothing to tell: the command printed it, or the reader has gone away
    /// (`| head`), which is no failure.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(self, Self::Unsound | Self::NotActive) || self.has_no_reader()
    }

    fn has_no_reader(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The exit code: 0 nobody reads any more, 1 refused or failed, 2 usage, 3 daemon not reachable.
    pub(crate) fn code(&self) -> u8 {
        match self {
            _ if self.has_no_reader() => 0,
            Self::Usage(_) => 2,
            Self::Daemon(ClientError::Unreachable { .. } | ClientError::NoAnswer(_)) => 3,
            _ => 1,
        }
    }

    /// The failure as JSON, with the daemon's code of a refusal or a code of the same kind.
    pub(crate) fn for_programs(&self) -> String {
        let code = match self {
            Self::Daemon(ClientError::Refused(refused)) => refused.code.to_string(),
            Self::Daemon(ClientError::Garbled(_)) => "garbled".to_owned(),
            Self::Daemon(_) => "unreachable".to_owned(),
            Self::Usage(_) => "usage".to_owned(),
            _ => "failed".to_owned(),
        };
        serde_json::json!({ "error": { "code": code, "message": self.to_string() } }).to_string()
    }

    /// The advice.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::Daemon(ClientError::Unreachable { source, .. }) => match source.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    "; is dynrelayd running (`systemctl status dynrelayd`), and is this its \
                     [daemon] socket?"
                }
                io::ErrorKind::PermissionDenied => "; try as root, or join the socket's group",
                _ => "",
            },
            Self::Config(ConfigError::Unreadable { .. }) => "; name another with --config",
            Self::Daemon(ClientError::Garbled(_)) => {
                "; are dynrelay and dynrelayd of the same version?"
            }
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use control::{ErrorCode, LineError, Refused};

    use super::*;

    #[test]
    fn programs_get_the_daemons_code() {
        let refused = Refused::new(ErrorCode::NoConsent, "dss2 has no news.sdp");
        let json = Failure::Daemon(refused.into()).for_programs();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["error"]["code"], "no-consent");
    }

    #[test]
    fn a_daemon_that_is_not_there_is_3_and_usage_2() {
        let source = io::ErrorKind::NotFound.into();
        let away = ClientError::Unreachable { path: "/run/x".into(), source };
        let away = Failure::Daemon(away);
        assert_eq!(away.code(), 3);
        assert!(away.to_string().contains("/run/x"), "{away}");
        assert!(away.advice().contains("is dynrelayd running"), "{}", away.advice());
        let mute = ClientError::NoAnswer(LineError::Io(io::ErrorKind::TimedOut.into()));
        assert_eq!(Failure::Daemon(mute).code(), 3);
        assert_eq!(Failure::Usage("x".into()).code(), 2);
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let gone = Failure::Output(io::ErrorKind::BrokenPipe.into());
        assert!(gone.is_quiet() && gone.code() == 0);
    }
}
