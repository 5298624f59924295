//! Writes the answer, and discards the request's body.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cgi_response::Response;
use cgi_response::http::{HeaderName, HeaderValue, header};
use socket2::SockRef;

use crate::Environment;

/// The limits for reading a body: bytes, and time.
const DRAIN: u64 = 1 << 20;
const DRAIN_TIME: Duration = Duration::from_millis(500);

/// Answers the request in `environment`. If the web server has hung up, the answer is lost.
pub fn serve(environment: &Environment, response: &Response) {
    if print(response, environment.is_head(), &mut io::stdout()).is_ok() && environment.has_body {
        drain();
    }
}

/// Sets a header. Leaves it out if its value is not allowed in a header.
pub fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Adds headers: caches keep no answer unless it says otherwise, and browsers trust its type.
pub fn guard(response: &mut Response) {
    if !response.headers().contains_key(header::CACHE_CONTROL) {
        set(response, header::CACHE_CONTROL, "no-store");
    }
    set(response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
}

/// Writes a response in one piece (RFC 3875 section 6). With `head` it leaves out the body and its
/// length, which is unknown because nothing was started.
pub fn print(response: &Response, head: bool, out: &mut impl Write) -> io::Result<()> {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("Status: {} {reason}\n", status.as_str()).into_bytes();
    for (name, value) in response.headers() {
        if !(head && name == header::CONTENT_LENGTH) {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.push(b'\n');
        }
    }
    bytes.push(b'\n');
    if !head {
        bytes.extend_from_slice(response.body());
    }
    out.write_all(&bytes)?;
    out.flush()
}

/// Reads the rest of the request, within limits.
///
/// Apache's mod_cgid uses one socket for both ways. If unread data is left in it at the end, the
/// kernel resets it and the answer is lost. So at a limit this shuts the socket for reading and
/// then reads what has arrived. A pipe needs none of this.
fn drain() {
    let (done, finished) = mpsc::channel();
    let reader = thread::Builder::new().spawn(move || {
        let mut stdin = io::stdin().lock();
        let _ = io::copy(&mut stdin.by_ref().take(DRAIN), &mut io::sink());
        if shut() {
            let _ = io::copy(&mut stdin, &mut io::sink());
        }
        let _ = done.send(());
    });
    if reader.is_ok() && finished.recv_timeout(DRAIN_TIME).is_err() && shut() {
        let _ = finished.recv_timeout(DRAIN_TIME);
    }
}

/// Shuts standard input for reading. True if it is a socket.
fn shut() -> bool {
    SockRef::from(&io::stdin()).shutdown(Shutdown::Read).is_ok()
}
