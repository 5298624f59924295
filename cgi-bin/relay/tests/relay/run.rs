//! Runs relay.cgi with an environment.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::reply::Reply;

/// relay.cgi with a method, the socket and these variables in its environment, and nothing else.
pub(crate) fn command(socket: &Path, variables: &[(&str, &[u8])]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relay-cgi"));
    command.env_clear().env("REQUEST_METHOD", "GET").env("DYNRELAY_SOCKET", socket);
    for (name, value) in variables {
        command.env(name, OsStr::from_bytes(value));
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs relay.cgi and parses its answer. Fails if the answer is invalid or the program fails.
pub(crate) fn request(socket: &Path, variables: &[(&str, &[u8])]) -> Reply {
    reply(&command(socket, variables).output().unwrap())
}

pub(crate) fn reply(output: &Output) -> Reply {
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {log}", output.status);
    assert!(!log.contains("panicked"), "{log}");
    Reply::parse(&output.stdout)
        .unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&output.stdout)))
}
