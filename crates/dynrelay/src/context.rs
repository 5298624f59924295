//! Everything outside that a command may use. Tests pass in a fake.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use control::{Client, ClientError, ErrorCode, Refused, Request, StreamList};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::color::Color;
use crate::event_stream::{self, Listener};
use crate::failure::Failure;
use crate::table::Table;
use crate::{json, suggest, text};

/// The context of one command.
pub(crate) struct Context<'a> {
    /// Standard output.
    pub(crate) out: &'a mut dyn Write,
    /// Standard error.
    pub(crate) err: &'a mut (dyn Write + Send),
    /// The daemon.
    pub(crate) daemon: &'a mut (dyn Ask + Send),
    /// Whether to print JSON for programs.
    pub(crate) json: bool,
    /// Whether standard output shows colors.
    pub(crate) colors: bool,
    /// Whether standard error is a terminal that can show progress.
    pub(crate) progress: bool,
    /// Whether standard output is a terminal that can be redrawn.
    pub(crate) terminal: bool,
    /// The width of standard output, in columns.
    pub(crate) width: usize,
    /// Seconds since 1970.
    pub(crate) now: u64,
    /// Whether the reader of standard output has gone.
    pub(crate) reader_left: fn() -> bool,
}

impl Context<'_> {
    /// Asks the daemon. With `--json`, prints the answer unchanged and returns `None`.
    pub(crate) fn ask<T: DeserializeOwned>(
        &mut self,
        request: &Request,
    ) -> Result<Option<T>, Failure> {
        let answer = match self.daemon.ask(request) {
            Err(ClientError::Refused(refused)) => {
                let refused = with_hint(self.daemon, request, refused);
                return Err(Failure::Daemon(refused.into()));
            }
            answer => answer?,
        };
        if self.json {
            json::line(self.out, answer.get())?;
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(answer.get()).map_err(ClientError::Garbled)?))
    }

    /// Asks the daemon, and prints nothing.
    pub(crate) fn query<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T, Failure> {
        let answer = self.daemon.ask(request)?;
        Ok(serde_json::from_str(answer.get()).map_err(ClientError::Garbled)?)
    }

    /// Prints a line for people, without the control characters it may hold.
    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{}", text::plain(line))
    }

    /// Prints a coloured line for people.
    pub(crate) fn heading(&mut self, line: &str, color: Color) -> io::Result<()> {
        writeln!(self.out, "{}", color.on(&text::plain(line), self.colors))
    }

    /// Prints a table for people.
    pub(crate) fn print(&mut self, table: &Table) -> io::Result<()> {
        table
            .lines(self.width, self.colors)
            .iter()
            .try_for_each(|line| writeln!(self.out, "{line}"))
    }
}

/// A daemon, or a fake of it.
pub(crate) trait Ask {
    /// Asks, and returns the answer unparsed.
    fn ask(&mut self, request: &Request) -> Result<Box<RawValue>, ClientError>;

    /// Passes the daemon's events to `tell` from now on, across restarts of the daemon.
    fn follow(&mut self, tell: Listener) -> Result<(), ClientError>;
}

/// The daemon, reached through its socket.
pub(crate) struct Daemon {
    /// The socket's path.
    pub(crate) socket: PathBuf,
}

impl Ask for Daemon {
    fn ask(&mut self, request: &Request) -> Result<Box<RawValue>, ClientError> {
        Client::connect(&self.socket, Some(patience(request)))?.ask(request)
    }

    fn follow(&mut self, tell: Listener) -> Result<(), ClientError> {
        event_stream::follow(self.socket.clone(), tell)
    }
}

/// An environment variable that this command reads.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Variable(&'static str);

impl Variable {
    pub(crate) const SOCKET: Self = Self("DYNRELAY_SOCKET");
    pub(crate) const NO_COLOR: Self = Self("NO_COLOR");
    pub(crate) const TERM: Self = Self("TERM");
    pub(crate) const ALL: [Self; 3] = [Self::SOCKET, Self::NO_COLOR, Self::TERM];

    /// Its value, if it is set and not empty.
    pub(crate) fn get(self) -> Option<OsString> {
        env::var_os(self.0).filter(|value| !value.is_empty())
    }
}

/// The daemon's socket where no option names one: $DYNRELAY_SOCKET, else the usual path.
pub(crate) fn default_socket() -> PathBuf {
    Variable::SOCKET.get().unwrap_or_else(|| control::DEFAULT_SOCKET.into()).into()
}

/// How long an answer may take. A reload reads every file before it answers, and a scan listens.
fn patience(request: &Request) -> Duration {
    match request {
        Request::Reload => Duration::from_secs(15),
        Request::Scan { millis, .. } => {
            Duration::from_secs(5).saturating_add(Duration::from_millis(*millis))
        }
        _ => Duration::from_secs(5),
    }
}

/// Adds a suggestion to the daemon's refusal of an unknown name, if there is a similar one.
fn with_hint(daemon: &mut dyn Ask, request: &Request, mut refused: Refused) -> Refused {
    let (stream, edge) = match request {
        Request::Start { stream, edge, .. } | Request::Show { stream, edge } => {
            (stream.as_str(), edge.as_deref())
        }
        Request::Stop { stream, edge } => (stream.as_str(), Some(edge.as_str())),
        _ => return refused,
    };
    let typed = match (refused.code, edge) {
        (ErrorCode::UnknownStream, _) => stream,
        (ErrorCode::NoEdge, Some(edge)) => edge,
        _ => return refused,
    };
    // Without the daemon's names there is no suggestion.
    let answer = daemon.ask(&Request::streams(false));
    let Some(StreamList { streams, .. }) =
        answer.ok().and_then(|answer| serde_json::from_str(answer.get()).ok())
    else {
        return refused;
    };
    let names = streams.iter().flat_map(|one| match refused.code {
        ErrorCode::NoEdge => one.edges.as_slice(),
        _ => std::slice::from_ref(&one.name),
    });
    refused.message += &suggest::hint(typed, names.map(String::as_str));
    refused
}
