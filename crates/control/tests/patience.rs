//! A hanging daemon cannot hold a client for longer than its patience.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use control::{Client, ClientError, LineError, Pong, Request};
use socket2::{Domain, SockAddr, Socket, Type};

/// The path of a socket for one test. It is removed after the test.
struct Path(PathBuf);

impl Path {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("control-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

const PATIENCE: Option<Duration> = Some(Duration::from_millis(200));

fn ping(path: &Path) -> Result<Pong, ClientError> {
    Client::connect(&path.0, PATIENCE)?.ask(&Request::Ping)
}

fn is_timeout(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
}

#[test]
fn a_full_backlog_does_not_hold_the_client() {
    let path = Path::new();
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&SockAddr::unix(&path.0).unwrap()).unwrap();
    listener.listen(0).unwrap();
    let _queued = UnixStream::connect(&path.0).unwrap();
    match ping(&path) {
        Err(ClientError::Unreachable { source, .. }) => assert!(is_timeout(&source), "{source}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_silent_daemon_does_not_hold_the_client() {
    let path = Path::new();
    let _listener = UnixListener::bind(&path.0).unwrap();
    match ping(&path) {
        Err(ClientError::NoAnswer(LineError::Io(error))) => assert!(is_timeout(&error), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_daemon_that_trickles_does_not_hold_the_client() {
    let path = Path::new();
    let listener = UnixListener::bind(&path.0).unwrap();
    let daemon = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Each byte comes within the patience, but the line never ends.
        while stream.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    match ping(&path) {
        Err(ClientError::NoAnswer(LineError::Io(error))) => assert!(is_timeout(&error), "{error}"),
        other => panic!("{other:?}"),
    }
    daemon.join().unwrap();
}

#[test]
fn patience_is_for_each_answer() {
    let path = Path::new();
    let listener = UnixListener::bind(&path.0).unwrap();
    let daemon = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while lines.next().is_some() {
            stream.write_all(b"{\"ok\":{\"version\":\"1\",\"pid\":1,\"uptime\":0}}\n").unwrap();
        }
    });
    let mut client = Client::connect(&path.0, Some(Duration::MAX)).unwrap();
    for _ in 0..3 {
        assert_eq!(client.ask::<Pong>(&Request::Ping).unwrap().pid, 1);
    }
    drop(client);
    daemon.join().unwrap();
}
