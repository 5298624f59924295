//! The web server's side: the answer goes out, and the body that nobody wants comes in.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cgi_response::Response;
use cgi_response::http::{HeaderName, HeaderValue, header};
use socket2::SockRef;

use crate::Environment;

/// How much of a body is read, in bytes, and for how long.
const DRAIN: u64 = 1 << 20;
const DRAIN_TIME: Duration = Duration::from_millis(500);

/// Answers the request that `environment` holds. If the web server hung up there is nobody left to
/// tell.
pub fn serve(environment: &Environment, response: &Response) {
    if print(response, environment.is_head(), &mut io::stdout()).is_ok() && environment.has_body {
        drain();
    }
}

/// Sets a header. A value that can't be in one, such as a line's end, leaves it out.
pub fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Says that an answer is nothing to keep, unless it says otherwise, and no other than it says it
/// is.
pub fn guard(response: &mut Response) {
    if !response.headers().contains_key(header::CACHE_CONTROL) {
        set(response, header::CACHE_CONTROL, "no-store");
    }
    set(response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
}

/// Writes a response as RFC 3875 section 6 has it, in one piece. `head` leaves out the body, and
/// its length, which is not known when nothing was started.
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

/// Reads what the web server still sends, within bounds.
///
/// Apache's mod_cgid hands over one socket for both ways: if anything unread is left in it at the
/// end, the kernel resets it and the answer in it is lost. So where bounds are reached the socket
/// is shut for reading, and what had come by then is read. A pipe needs no such care.
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

/// Shuts standard input, if it is a socket. Whether it is.
fn shut() -> bool {
    SockRef::from(&io::stdin()).shutdown(Shutdown::Read).is_ok()
}
