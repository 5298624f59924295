//! The daemon under a service manager: the socket, notifications, the watchdog.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a test may fail"
)]

mod daemon;

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use daemon::{Daemon, Encoder, Host, PATIENCE};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, mkfifo};

const START: &str = r#"{"op":"start","stream":"news"}"#;
const LIST: &str = r#"{"op":"list"}"#;

/// Starts dynrelayd with a listening socket, as a service manager does.
fn activated(host: &Host, socket: impl Into<OwnedFd>, how_many: usize) -> Daemon {
    let mut command = Command::new("sh");
    let hand_over = "exec 3<&0 </dev/null; LISTEN_PID=$$ exec \"$@\"";
    command.args(["-c", hand_over, "sh", env!("CARGO_BIN_EXE_dynrelayd"), "--config"]);
    command.arg(host.path("dynrelay.toml")).env("LISTEN_FDS", how_many.to_string());
    command.stdin(Stdio::from(socket.into()));
    host.start_by(command)
}

fn listen(at: &Path, mode: u32) -> UnixListener {
    let listener = UnixListener::bind(at).unwrap();
    fs::set_permissions(at, fs::Permissions::from_mode(mode)).unwrap();
    listener
}

#[test]
fn a_socket_from_the_manager_is_used_and_stays() {
    let host = Host::new();
    let _encoder = Encoder::to(host.arrives);
    let socket = listen(&host.path("control.sock"), 0o660);
    // Service managers set their sockets to non-blocking.
    socket.set_nonblocking(true).unwrap();
    let mut daemon = activated(&host, socket.try_clone().unwrap(), 1);
    assert_eq!(daemon.ask(START)["ok"]["edge"], "dss2", "who asks before it is up is served");
    daemon.await_state_of(1);
    for end in [Signal::SIGTERM, Signal::SIGKILL] {
        daemon.signal(end);
        daemon.wait();
        assert!(host.path("control.sock").exists(), "after {end}");
        // The caller asks while no daemon runs, and the next daemon answers.
        let waits = daemon.connect();
        daemon = activated(&host, socket.try_clone().unwrap(), 1);
        drop(waits);
        assert_eq!(daemon.ask(LIST)["ok"]["relays"].as_array().unwrap().len(), 1, "{end}");
    }
    assert!(!host.path("control.sock.lock").exists(), "who made no socket locks none");
}

#[test]
fn a_socket_by_another_path_to_the_same_folder_fits() {
    let host = Host::new();
    std::os::unix::fs::symlink(host.folder.path(), host.path("link")).unwrap();
    let socket = listen(&host.path("link").join("control.sock"), 0o660);
    activated(&host, socket, 1).log.wait_for("dynrelayd is up");
}

#[test]
fn a_socket_that_does_not_match_is_rejected_with_the_reason() {
    let refused = |configured: &str, socket: OwnedFd, how_many, host: &Host, why: &str| {
        host.configure("");
        host.set("[daemon]\n", &format!("[daemon]\n{configured}\n"));
        let mut daemon = activated(host, socket, how_many);
        daemon.log.wait_for(why);
        assert_eq!(daemon.wait().code(), Some(1), "{why}");
    };
    let host = Host::new();
    let elsewhere = listen(&host.path("other.sock"), 0o660);
    refused("", elsewhere.into(), 1, &host, "let ListenStream= and socket agree");
    let own = |mode| {
        OwnedFd::from({
            let _ = fs::remove_file(host.path("control.sock"));
            listen(&host.path("control.sock"), mode)
        })
    };
    refused("", own(0o666), 1, &host, "has the mode 666");
    refused("", own(0o600), 1, &host, "has the mode 600");
    refused("", own(0o660), 2, &host, "hands over 2 sockets");
    refused("socket_group = \"daemon\"", own(0o660), 1, &host, "let SocketGroup= and socket_group");
    let gone = own(0o660);
    fs::remove_file(host.path("control.sock")).unwrap();
    refused("", gone, 1, &host, "which is gone");
    let (connection, _other) = UnixStream::pair().unwrap();
    refused("", connection.into(), 1, &host, "set Accept=no");
    let datagrams = UnixDatagram::unbound().unwrap();
    refused("", datagrams.into(), 1, &host, "can't be used");
    let file = fs::File::open(host.path("dynrelay.toml")).unwrap();
    refused("", file.into(), 1, &host, "can't be used");
}

/// The service manager's end of notifications.
struct Manager(UnixDatagram);

impl Manager {
    fn of(host: &Host) -> Self {
        let socket = UnixDatagram::bind(host.path("notify.sock")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    fn start(&self, host: &Host, patience: Option<Duration>) -> Daemon {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dynrelayd"));
        command.arg("--config").arg(host.path("dynrelay.toml"));
        command.env("NOTIFY_SOCKET", host.path("notify.sock"));
        if let Some(patience) = patience {
            command.env("WATCHDOG_USEC", patience.as_micros().to_string());
        }
        host.start_by(command)
    }

    /// The next notification, if one comes in time.
    fn next(&self) -> Option<String> {
        let mut message = [0; 4096];
        let length = self.0.recv(&mut message).ok()?;
        Some(String::from_utf8(message[..length].to_vec()).unwrap())
    }

    /// Reads until a notification that contains this.
    fn wait_for(&self, what: &str) -> String {
        loop {
            let message = self.next().unwrap_or_else(|| panic!("{what} was not told"));
            if message.contains(what) {
                return message;
            }
        }
    }
}

#[test]
fn the_manager_learns_of_each_step() {
    let host = Host::new();
    let manager = Manager::of(&host);
    let daemon = manager.start(&host, None);
    let first = manager.next().unwrap();
    assert!(first.contains("READY=1"), "{first}");
    manager.wait_for("STATUS=relays: 0, streams: 1, edges: 1");
    daemon.ask(START);
    manager.wait_for("STATUS=relays: 1, streams: 1, edges: 1");
    daemon.signal(Signal::SIGHUP);
    assert!(manager.wait_for("RELOADING=1").contains("MONOTONIC_USEC="));
    manager.wait_for("READY=1");
    host.set("[daemon]", "[deamon]");
    daemon.signal(Signal::SIGHUP);
    manager.wait_for("RELOADING=1");
    manager.wait_for("READY=1");
    daemon.signal(Signal::SIGTERM);
    manager.wait_for("STOPPING=1");
}

#[test]
fn only_the_thread_that_decides_feeds_the_watchdog() {
    let host = Host::new();
    let manager = Manager::of(&host);
    let daemon = manager.start(&host, Some(Duration::from_millis(200)));
    // Nothing is relayed, asked or due: only the watchdog wakes the daemon.
    for _ in 0..5 {
        manager.wait_for("WATCHDOG=1");
    }
    let supervisor = Pid::from_raw(i32::try_from(daemon.child.id()).unwrap());
    ptrace::seize(supervisor, ptrace::Options::empty()).unwrap();
    ptrace::interrupt(supervisor).unwrap();
    waitpid(supervisor, Some(WaitPidFlag::__WALL)).unwrap();
    // The main thread hangs, and the others go on. Earlier notifications may still be read.
    manager.0.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let signs = std::iter::from_fn(|| manager.next()).take(10).count();
    ptrace::detach(supervisor, Signal::SIGKILL).unwrap();
    assert!(signs < 10, "it is given a fifth of a second");
}

#[test]
fn a_pipe_in_place_of_the_configuration_stops_nothing() {
    let host = Host::new();
    let manager = Manager::of(&host);
    let daemon = manager.start(&host, None);
    manager.wait_for("READY=1");
    fs::remove_file(host.path("dynrelay.toml")).unwrap();
    mkfifo(&host.path("dynrelay.toml"), Mode::S_IRWXU).unwrap();
    let answer = daemon.ask(r#"{"op":"reload"}"#).to_string();
    assert!(answer.contains("not a file"), "{answer}");
}

#[test]
fn without_a_watchdog_there_is_no_sign_of_life() {
    let host = Host::new();
    let manager = Manager::of(&host);
    let daemon = manager.start(&host, None);
    manager.wait_for("STATUS=");
    daemon.ask(LIST);
    manager.0.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    assert_eq!(manager.next(), None);
}
