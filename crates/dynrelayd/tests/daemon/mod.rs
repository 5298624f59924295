//! The real dynrelayd in a folder of its own, with a fake encoder and edge on loopback.

#![allow(dead_code, reason = "each test program uses its part of it")]

pub mod chance;
pub mod crowd;
pub mod process;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Longer than any event takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with a configuration, and the hosts around the daemon.
pub struct Host {
    pub folder: tempfile::TempDir,
    /// Where `news` arrives: RTP.
    pub arrives: u16,
    /// The edge: its RTSP port, which only accepts, and its UDP port for RTP while it is open.
    pub rtsp: TcpListener,
    pub edge: Option<UdpSocket>,
    pub edge_port: u16,
}

impl Host {
    /// A stream `news` that arrives by unicast, and an edge `dss2` that agreed to take it.
    pub fn new() -> Self {
        Self::in_folder(&std::env::temp_dir())
    }

    /// The same, with its folder in this one.
    pub fn in_folder(parent: &Path) -> Self {
        let free = || UdpSocket::bind("127.0.0.1:0").unwrap();
        let (source, source_rtcp, edge, edge_rtcp) = (free(), free(), free(), free());
        let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
        let host = Self {
            folder: tempfile::tempdir_in(parent).unwrap(),
            arrives: port(&source),
            rtsp: TcpListener::bind("127.0.0.1:0").unwrap(),
            edge_port: port(&edge),
            edge: Some(edge),
        };
        fs::create_dir(host.path("streams")).unwrap();
        host.write("streams/news.sdp", &sdp(host.arrives, port(&source_rtcp)));
        host.write("streams/news.dss2.sdp", &sdp(host.edge_port, port(&edge_rtcp)));
        host.configure("");
        host
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Writes dynrelay.toml, with more text at its end.
    pub fn configure(&self, more: &str) {
        let folder = self.folder.path().display();
        let rtsp = self.rtsp.local_addr().unwrap();
        self.write(
            "dynrelay.toml",
            &format!(
                r#"
[daemon]
socket = "{folder}/control.sock"
state = "{folder}/state.json"
workers = 1
[origin]
url = "rtsp://dss1.example.org"
local = ["192.0.2.0/24"]
[shutdown]
errors = 3
quiet = "300ms"
grace = "3s"
source_silence = "60s"
probe_interval = "100ms"
[[edge]]
name = "dss2"
address = "127.0.0.1"
url = "rtsp://{rtsp}"
{more}"#
            ),
        );
    }

    /// Changes a word of dynrelay.toml.
    pub fn set(&self, from: &str, to: &str) {
        let config = fs::read_to_string(self.path("dynrelay.toml")).unwrap();
        assert!(config.contains(from));
        self.write("dynrelay.toml", &config.replace(from, to));
    }

    pub fn start(&self) -> Daemon {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dynrelayd"));
        command.arg("--config").arg(self.path("dynrelay.toml"));
        self.start_by(command)
    }

    /// Starts the daemon by a command that replaces itself with dynrelayd.
    pub fn start_by(&self, mut command: Command) -> Daemon {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::read(child.stderr.take().unwrap());
        Daemon { child, log, socket: self.path("control.sock") }
    }

    /// Starts the daemon, and waits until it serves.
    pub fn run(&self) -> Daemon {
        let daemon = self.start();
        daemon.log.wait_for("dynrelayd is up");
        daemon
    }
}

fn sdp(rtp: u16, rtcp: u16) -> String {
    format!(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=The news\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=video {rtp} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=rtcp:{rtcp}\r\n"
    )
}

/// A running dynrelayd. Dropping this kills it.
pub struct Daemon {
    pub child: Child,
    pub log: Log,
    socket: PathBuf,
}

impl Daemon {
    /// Sends one request on a connection of its own.
    pub fn ask(&self, line: &str) -> Value {
        let answer = self.send(format!("{line}\n").as_bytes());
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{line}: {answer:?}: {error}"))
    }

    /// Sends bytes, and reads a line.
    pub fn send(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // The daemon may hang up before it has read everything.
        let _ = stream.write_all(bytes);
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        answer
    }

    pub fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Waits until the state file has this many relays.
    pub fn await_state_of(&self, relays: usize) {
        let begin = Instant::now();
        let state = self.socket.with_file_name("state.json");
        let held = || {
            // Until the daemon has written the file, a test's FIFO may be in its place.
            let file = state.is_file().then(|| fs::read_to_string(&state).ok()).flatten();
            let text = file.unwrap_or_default();
            let state: Value = serde_json::from_str(&text).unwrap_or_default();
            state["relays"].as_array().map_or(0, Vec::len)
        };
        while held() != relays {
            assert!(begin.elapsed() < PATIENCE, "{} relays are remembered", held());
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The log of a daemon so far.
#[derive(Clone)]
pub struct Log(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Log {
    fn read(from: impl std::io::Read + Send + 'static) -> Self {
        let log = Self(Arc::default());
        let ours = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                ours.0.0.lock().unwrap().push(line);
                ours.0.1.notify_all();
            }
        });
        log
    }

    /// Every line so far.
    pub fn lines(&self) -> Vec<String> {
        self.0.0.lock().unwrap().clone()
    }

    /// Waits for a line that contains all of these.
    pub fn wait_for(&self, words: &str) -> String {
        let begin = Instant::now();
        let mut lines = self.0.0.lock().unwrap();
        loop {
            if let Some(line) = lines.iter().find(|line| line.contains(words)) {
                return line.clone();
            }
            assert!(begin.elapsed() < PATIENCE, "no {words:?} in {lines:#?}");
            lines = self.0.1.wait_timeout(lines, Duration::from_millis(100)).unwrap().0;
        }
    }
}

/// An encoder that sends a numbered RTP packet every few milliseconds until it is dropped.
pub struct Encoder {
    stop: Arc<Mutex<bool>>,
}

impl Encoder {
    pub fn to(port: u16) -> Self {
        let stop = Arc::new(Mutex::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            for sequence in 0u16.. {
                if *stopped.lock().unwrap() {
                    return;
                }
                let [high, low] = sequence.to_be_bytes();
                let packet = [0x80, 96, high, low, 0, 0, 0, 0, 0, 0, 0, 1, 42];
                // The send is refused while nobody listens there.
                let _ = socket.send_to(&packet, ("127.0.0.1", port));
                thread::sleep(Duration::from_millis(5));
            }
        });
        Self { stop }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        *self.stop.lock().unwrap() = true;
    }
}
