//! Turns one request into its answer.

use std::io::ErrorKind::PermissionDenied;
use std::io::Write;

use cgi::http::{HeaderName, HeaderValue, StatusCode, header};
use cgi::{Environment, Response, guard, set};
use control::{ClientError, ErrorCode, RelayShow};
use playlist::escape;

use crate::daemon::Daemon;
use crate::html::Site;
use crate::metrics::{self, Dialect};
use crate::wanted::Wanted;
use crate::{overview, relay};

/// Stops pages of other sites from reading the answer.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Answers a request. If the daemon does not answer, `log` receives the reason too.
pub(crate) fn answer(
    environment: &Environment,
    daemon: &mut impl Daemon,
    log: &mut impl Write,
) -> Response {
    let mut response = match environment.method.as_slice() {
        b"GET" | b"HEAD" => respond(environment, daemon, log),
        _ => {
            let mut response = cgi::text_response(405, "Ask with GET or HEAD.\n");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
    };
    guard(&mut response);
    set(&mut response, RESOURCE_POLICY, "same-origin");
    response
}

fn respond(environment: &Environment, daemon: &mut impl Daemon, log: &mut impl Write) -> Response {
    let site = Site::new(environment);
    let mut down = |error: ClientError| {
        // A missing log is no error.
        let _ = writeln!(log, "status.cgi: {}", plain(&error));
        error
    };
    match Wanted::read(environment) {
        Wanted::Overview => match daemon.overview().map_err(&mut down) {
            Ok(seen) => overview::page(&seen, &site),
            Err(error) => unavailable(&site, &error),
        },
        Wanted::Relay(stream, edge) => match known(daemon.show(&stream, &edge)).map_err(down) {
            Ok(show) => relay::page(&stream, &edge, &show, &site),
            Err(error) => unavailable(&site, &error),
        },
        Wanted::Metrics => {
            let dialect = Dialect::of(&environment.accept);
            metrics::response(daemon.overview().map_err(down).as_ref(), dialect)
        }
        Wanted::Json => match daemon.relays().map_err(down) {
            Ok(relays) => json(StatusCode::OK, &serde_json::json!({ "relays": relays.relays })),
            Err(error) => json(
                StatusCode::SERVICE_UNAVAILABLE,
                &serde_json::json!({ "error": { "message": plain(&error) } }),
            ),
        },
        Wanted::Asset(asset) => asset.response(),
        Wanted::Nothing => {
            let why = "“All relays”, above, leads to every page.";
            site.trouble(StatusCode::NOT_FOUND, "There is no such page.", why)
        }
    }
}

/// An unknown stream or edge is no fault of the daemon: there is no such relay.
fn known(show: Result<RelayShow, ClientError>) -> Result<RelayShow, ClientError> {
    match show {
        Err(ClientError::Refused(refused))
            if matches!(refused.code, ErrorCode::UnknownStream | ErrorCode::NoEdge) =>
        {
            Ok(RelayShow::default())
        }
        show => show,
    }
}

fn unavailable(site: &Site, error: &ClientError) -> Response {
    let what = match error {
        ClientError::Unreachable { .. } => "dynrelayd can't be reached.",
        _ => "dynrelayd gives no valid answer.",
    };
    let advice = match error {
        ClientError::Unreachable { source, .. } if source.kind() == PermissionDenied => {
            "The web server's user may not open the socket: <code>sudo dynrelay check</code> says why."
        }
        _ => {
            "<code>systemctl status dynrelayd</code> says more. When it starts again, the relays that \
             ran go on."
        }
    };
    let why = format!("{}. {advice}", escape(plain(error).trim_end_matches('.')));
    let mut response = site.trouble(StatusCode::SERVICE_UNAVAILABLE, what, &why);
    set(&mut response, header::RETRY_AFTER, "5");
    response
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    let body = format!("{value}\n").into_bytes();
    cgi::binary_response(status, "application/json", body)
}

/// An error on one line.
fn plain(error: &ClientError) -> String {
    error.to_string().replace(char::is_control, " ")
}
