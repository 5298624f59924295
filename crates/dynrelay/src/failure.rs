//! Why a command was not done, and the exit code that says so.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use catalog::ConfigError;
use control::ClientError;

use crate::context::Context;
use crate::{json, text};

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The daemon refused, or gave no answer.
    #[error(transparent)]
    Daemon(#[from] ClientError),
    /// A file is not what it should be.
    #[error(transparent)]
    File(#[from] catalog::Problem),
    /// What was looked at is not as it should be, and that was printed.
    #[error("not all is as it should be")]
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
        /// The name that was meant, perhaps.
        hint: String,
    },
    /// The data plane of a scan did not start.
    #[error("can't listen: {0}")]
    Listening(#[from] forward::StartError),
    /// A stream is not active, and that was printed.
    #[error("a stream is not active")]
    NotActive,
    /// It can't be done with what is there; this says why, and what to do.
    #[error("{0}")]
    Unfit(String),
    /// Words that are each right do not go together.
    #[error("{0}")]
    Usage(String),
    /// The answer could not be written.
    #[error("the answer can't be written: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// Tells people and programs, and gives the exit code: 1 refused or failed, 2 usage,
    /// 3 daemon not reachable. A reader that has gone away (`| head`) is no failure.
    pub(crate) fn report(&self, context: &mut Context<'_>) -> ExitCode {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return ExitCode::SUCCESS;
            }
            Self::Unsound | Self::NotActive => return ExitCode::from(self.code()),
            _ => {}
        }
        // Nobody is left to be told when these two fail.
        if context.json {
            let _ = json::line(context.out, &self.for_programs());
            let _ = context.out.flush();
        }
        let line = text::plain(&format!("dynrelay: {self}{}", self.advice()));
        let _ = writeln!(context.err, "{line}");
        ExitCode::from(self.code())
    }

    fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Daemon(ClientError::Unreachable { .. } | ClientError::NoAnswer(_)) => 3,
            _ => 1,
        }
    }

    /// The daemon's own words for a refusal, and codes of the same kind for the rest.
    fn for_programs(&self) -> String {
        let code = match self {
            Self::Daemon(ClientError::Refused(refused)) => refused.code.to_string(),
            Self::Daemon(ClientError::Garbled(_)) => "garbled".to_owned(),
            Self::Daemon(_) => "unreachable".to_owned(),
            Self::Usage(_) => "usage".to_owned(),
            _ => "failed".to_owned(),
        };
        serde_json::json!({ "error": { "code": code, "message": self.to_string() } }).to_string()
    }

    /// What to do about it.
    fn advice(&self) -> &'static str {
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
    use crate::fake::Fake;

    fn told(failure: &Failure, json: bool) -> (ExitCode, String, String) {
        let mut fake = if json { Fake::default().for_programs() } else { Fake::default() };
        let code = failure.report(&mut fake.context());
        (code, fake.out(), fake.err())
    }

    fn refused() -> Failure {
        let refused = Refused::new(ErrorCode::NoConsent, "dss2 has\nno \x1bnews.sdp");
        Failure::Daemon(refused.into())
    }

    #[test]
    fn a_refusal_is_one_line() {
        let (code, out, err) = told(&refused(), false);
        assert_eq!(code, ExitCode::from(1));
        assert_eq!((out.as_str(), err.as_str()), ("", "dynrelay: dss2 has no news.sdp\n"));
    }

    #[test]
    fn programs_get_the_code() {
        let (_, out, _) = told(&refused(), true);
        let told: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(told["error"]["code"], "no-consent");
    }

    #[test]
    fn a_daemon_that_is_not_there_is_3_and_usage_2() {
        let source = io::ErrorKind::NotFound.into();
        let away = ClientError::Unreachable { path: "/run/x".into(), source };
        let (code, _, err) = told(&Failure::Daemon(away), false);
        assert_eq!(code, ExitCode::from(3));
        assert!(err.contains("/run/x") && err.contains("is dynrelayd running"), "{err}");
        let mute = ClientError::NoAnswer(LineError::Io(io::ErrorKind::TimedOut.into()));
        assert_eq!(told(&Failure::Daemon(mute), false).0, ExitCode::from(3));
        assert_eq!(told(&Failure::Usage("x".into()), false).0, ExitCode::from(2));
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let gone = Failure::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(told(&gone, true), (ExitCode::SUCCESS, String::new(), String::new()));
    }
}
