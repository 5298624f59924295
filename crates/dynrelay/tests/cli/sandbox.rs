//! A folder for each test, with a fake daemon, and the command itself.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread::JoinHandle;

/// A temporary folder.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
}

/// The result of a command.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and creates its folders.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("control.sock")
    }

    /// Starts a daemon that takes one caller and answers each request in turn. It returns the
    /// requests.
    pub(crate) fn daemon(&self, answers: &[&str]) -> JoinHandle<String> {
        let listener = UnixListener::bind(self.socket()).unwrap();
        let answers: Vec<String> = answers.iter().map(|answer| format!("{answer}\n")).collect();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut requests = String::new();
            let mut lines = BufReader::new(&stream);
            for answer in answers {
                lines.read_line(&mut requests).unwrap();
                (&stream).write_all(answer.as_bytes()).unwrap();
            }
            requests
        })
    }

    /// Starts an edge's RTSP server that gives every request the same answer. Returns its address.
    pub(crate) fn rtsp(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A caller that only wants to see whether the server is there has gone already.
                let _ = BufReader::new(&stream).read_line(&mut String::new());
                let _ = (&stream).write_all(b"RTSP/1.0 200 OK\r\n\r\n");
            }
        });
        address
    }

    /// The command, with the daemon's socket in its environment.
    pub(crate) fn dynrelay(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dynrelay"));
        command.args(words).env("DYNRELAY_SOCKET", self.socket()).env_remove("NO_COLOR");
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        self.dynrelay(words).output().unwrap().into()
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
