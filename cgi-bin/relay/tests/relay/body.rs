//! An unread request body must not cost the answer.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::thread;

use crate::daemon::fresh_path;
use crate::reply::Reply;
use crate::run::{command, reply};

const POST: [(&str, &[u8]); 2] = [("REQUEST_METHOD", b"POST"), ("CONTENT_LENGTH", b"16777216")];

/// Runs relay.cgi with one socket for both ways, as Apache's mod_cgid does. The kernel resets such
/// a socket if it is closed with unread data.
fn on_a_socket() -> (UnixStream, Child) {
    let (server, program) = UnixStream::pair().unwrap();
    server.set_nonblocking(true).unwrap();
    while (&server).write(&[b'x'; 4096]).is_ok() {}
    server.set_nonblocking(false).unwrap();
    let mut command = command(&fresh_path(), &POST);
    command.stdin(OwnedFd::from(program.try_clone().unwrap())).stdout(OwnedFd::from(program));
    let child = command.spawn().unwrap();
    (server, child)
}

fn is_answered(mut server: UnixStream, mut child: Child) {
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).unwrap();
    assert_eq!(Reply::parse(&answer).unwrap().status, 405);
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_answer_is_not_lost_to_a_body_that_stalls() {
    let (server, child) = on_a_socket();
    is_answered(server, child);
}

#[test]
fn an_answer_is_not_lost_to_a_body_without_end() {
    let (server, child) = on_a_socket();
    let mut body = server.try_clone().unwrap();
    let writer = thread::spawn(move || while body.write_all(&[b'x'; 65_536]).is_ok() {});
    is_answered(server, child);
    writer.join().unwrap();
}

#[test]
fn a_body_that_never_comes_is_not_waited_for() {
    let (silent, _keep) = std::io::pipe().unwrap();
    let output = command(&fresh_path(), &POST).stdin(silent).output().unwrap();
    assert_eq!(reply(&output).status, 405);
    let (silent, _keep) = UnixStream::pair().unwrap();
    let output = command(&fresh_path(), &POST).stdin(OwnedFd::from(silent)).output().unwrap();
    assert_eq!(reply(&output).status, 405);
}

#[test]
fn a_body_that_comes_is_read() {
    let mut child = command(&fresh_path(), &POST).stdin(Stdio::piped()).spawn().unwrap();
    let mut body = child.stdin.take().unwrap();
    body.write_all(&vec![b'x'; 512 * 1024]).unwrap();
    drop(body);
    assert_eq!(reply(&child.wait_with_output().unwrap()).status, 405);
}
