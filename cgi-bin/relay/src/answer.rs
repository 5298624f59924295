//! Turns one request into its answer.

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use cgi::http::{StatusCode, header};
use cgi::{Environment, Response, Socket, guard, set};
use control::{ClientError, Request, Started, StreamList};
use playlist::{BadUrl, Entry};

use crate::page;
use crate::problem::Problem;
use crate::wanted::{Form, Wanted, is_quicktime};

/// The time that the daemon may take, with connecting. A viewer gets an answer within two seconds.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1900);

/// A daemon that relay.cgi can ask once.
pub(crate) trait Daemon {
    /// Relays a stream for the viewer at this address.
    fn start(&mut self, stream: &str, client: Option<IpAddr>) -> Result<Started, ClientError>;
    /// Lists a page of the streams that match; with `listen`, says which of them are on air.
    fn streams(
        &mut self,
        listen: bool,
        page: usize,
        search: &str,
    ) -> Result<StreamList, ClientError>;
}

impl Daemon for Socket<'_> {
    fn start(&mut self, stream: &str, client: Option<IpAddr>) -> Result<Started, ClientError> {
        self.ask(&Request::Start { stream: stream.to_owned(), edge: None, client })
    }

    fn streams(
        &mut self,
        listen: bool,
        page: usize,
        search: &str,
    ) -> Result<StreamList, ClientError> {
        self.ask(&Request::Streams { listen, page: Some(page), search: search.to_owned() })
    }
}

/// Answers a request. `log` receives what is not for viewers, at most one line.
pub(crate) fn answer(
    environment: &Environment,
    daemon: &mut impl Daemon,
    log: &mut impl Write,
) -> Response {
    let mut response = respond(environment, daemon).unwrap_or_else(|failure| {
        failure.tell(log);
        failure.problem.response()
    });
    guard(&mut response);
    response
}

fn respond(environment: &Environment, daemon: &mut impl Daemon) -> Result<Response, Failure> {
    if !matches!(environment.method.as_slice(), b"GET" | b"HEAD") {
        return Err(Problem::Method.into());
    }
    let (stream, form) = match Wanted::read(environment)? {
        Wanted::Stream(stream, form) => (stream, form),
        // A HEAD of the page uses what the daemon already knows.
        Wanted::List { page, search } => {
            let streams = daemon.streams(!environment.is_head(), page, &search)?;
            return Ok(page::list(&streams, &search, &environment.script));
        }
        Wanted::Style => return Ok(page::STYLE.response()),
    };
    if environment.is_head() {
        let known = daemon.streams(false, 1, &stream)?.streams;
        return match known.iter().any(|known| known.name == stream) {
            true => Ok(send(&stream, form, None)),
            false => Err(Problem::UnknownStream.into()),
        };
    }
    let started = daemon.start(&stream, environment.client)?;
    let title = started.title.as_deref().unwrap_or(&stream);
    let mut entry = Entry::new(&started.url, title)?;
    if let Some(audio) = &started.audio {
        entry = entry.with_audio(audio, is_quicktime(environment))?;
    }
    Ok(send(&stream, form, Some(&entry)))
}

/// The response that sends a player to `entry`. Without an entry, nothing was started: the response
/// has the same headers, except the target of a redirection.
fn send(stream: &str, form: Form, entry: Option<&Entry>) -> Response {
    match form {
        Form::Redirect => {
            let url = entry.map(|entry| format!("{}\n", entry.url())).unwrap_or_default();
            let mut response = cgi::text_response(StatusCode::FOUND, url);
            if let Some(entry) = entry {
                set(&mut response, header::LOCATION, entry.url());
            }
            response
        }
        Form::Document(format) => {
            let body = entry.map(|entry| entry.document(format)).unwrap_or_default();
            let mut response = cgi::binary_response(200, format.content_type(), body.into_bytes());
            // For `?stream=`, gives players that look at the file name the right one.
            let name = format!("inline; filename=\"{stream}.{}\"", format.extension());
            set(&mut response, header::CONTENT_DISPOSITION, &name);
            response
        }
    }
}

/// An error for the viewer, and its cause for the administrator.
struct Failure {
    problem: Problem,
    cause: Option<String>,
}

impl Failure {
    /// Writes the cause to the log. A missing log is no error.
    fn tell(&self, log: &mut impl Write) {
        if let Some(cause) = &self.cause {
            let _ = writeln!(log, "relay.cgi: {}", cause.replace(char::is_control, " "));
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem, cause: None }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let cause = error.to_string();
        match Problem::from(error) {
            // These are mistakes of the viewer.
            problem @ (Problem::BadName | Problem::UnknownStream) => problem.into(),
            problem => Self { problem, cause: Some(cause) },
        }
    }
}

impl From<BadUrl> for Failure {
    fn from(error: BadUrl) -> Self {
        Self { problem: Problem::Unavailable, cause: Some(error.to_string()) }
    }
}
