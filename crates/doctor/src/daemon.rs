//! The running daemon: its answers, its process, and its limits.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use catalog::{Catalog, Source, Stream};
use control::{Client, ClientError, Pong, RelayDetail, RelayList, RelayShow, Request};
use model::State;
use nix::unistd::Uid;
use wording::{age, grouped};

use crate::finding::{Finding, Subject};

/// The time that the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most relayed streams whose flows are examined one by one.
const MOST_STREAMS: usize = 256;

/// A daemon that answered.
#[derive(Debug)]
pub(crate) struct Running {
    /// Its version and process.
    pub(crate) pong: Pong,
    /// Its relays, with the recently closed ones.
    pub(crate) relays: Vec<RelayDetail>,
}

impl Running {
    /// Asks the daemon behind a socket.
    pub(crate) fn ask(socket: &Path) -> Result<Self, ClientError> {
        let mut daemon = Client::connect(socket, Some(PATIENCE))?;
        let pong = daemon.ask(&Request::Ping)?;
        let RelayList { relays, .. } = daemon.ask(&Request::List { all: true, rates: false })?;
        let streams: BTreeSet<String> = relays.into_iter().map(|relay| relay.stream).collect();
        let mut running = Self { pong, relays: Vec::new() };
        for stream in streams.into_iter().take(MOST_STREAMS) {
            let RelayShow { relays, .. } = daemon.ask(&Request::Show { stream, edge: None })?;
            running.relays.extend(relays);
        }
        Ok(running)
    }

    /// The open relays.
    pub(crate) fn open(&self) -> impl Iterator<Item = &RelayDetail> {
        self.relays.iter().filter(|detail| detail.relay.state != State::Closed)
    }
}

/// The bit of CAP_NET_ADMIN, which allows a receive buffer of any size.
const NET_ADMIN: u64 = 1 << 12;

/// A dynrelayd process of this host.
#[derive(Debug)]
pub(crate) struct Process {
    folder: PathBuf,
}

impl Process {
    /// The daemon's process, by the number that it reports. None if that is another program here,
    /// because the daemon runs in another process namespace, or if other users' processes are hidden.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let name = fs::read_to_string(folder.join("comm")).ok()?;
        (name.trim() == "dynrelayd").then_some(Self { folder })
    }

    /// Its user.
    pub(crate) fn user(&self) -> Option<Uid> {
        Some(Uid::from_raw(fs::metadata(&self.folder).ok()?.uid()))
    }

    /// The number of files that it may open.
    pub(crate) fn file_limit(&self) -> Option<u64> {
        open_files(&fs::read_to_string(self.folder.join("limits")).ok()?)
    }

    /// Whether its buffers may be larger than net.core.rmem_max.
    pub(crate) fn is_net_admin(&self) -> Option<bool> {
        let status = fs::read_to_string(self.folder.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
        Some(u64::from_str_radix(line.trim(), 16).ok()? & NET_ADMIN != 0)
    }

    /// Whether it uses the network namespace of this check.
    pub(crate) fn shares_our_network(&self) -> Option<bool> {
        let its = fs::read_link(self.folder.join("ns/net")).ok()?;
        Some(its == fs::read_link("/proc/self/ns/net").ok()?)
    }
}

/// The soft limit in /proc/PID/limits.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

const ABOUT: Subject = Subject::Daemon;
/// About the number of files that a daemon opens without relays: epoll, timers, logs.
const OWN_FILES: usize = 64;
/// The clock's error that is still tolerated, in seconds.
const CLOCK_TOLERANCE: u64 = 60;

/// The faults of the daemon at `socket`, or that none answers.
pub(crate) fn findings(
    catalog: &Catalog,
    socket: &Path,
    running: Result<&Running, &ClientError>,
    now: u64,
) -> Vec<Finding> {
    let running = match running {
        Ok(running) => running,
        Err(error) => return vec![silent(socket, error)],
    };
    let process = Process::of(running.pong.pid);
    let mut findings: Vec<Finding> = version(&running.pong).into_iter().collect();
    findings.extend(clock(running, now));
    match process {
        Some(process) => {
            findings.extend(elsewhere(&process));
            findings.extend(files(needed(catalog), process.file_limit()));
        }
        None => findings.push(hidden(&running.pong)),
    }
    findings
}

fn silent(socket: &Path, error: &ClientError) -> Finding {
    let shown = socket.display();
    let kind = match error {
        ClientError::Unreachable { source, .. } => Some(source.kind()),
        _ => None,
    };
    match kind {
        Some(io::ErrorKind::NotFound) => ABOUT.warning(
            format!("dynrelayd does not run: there is no {shown}"),
            "`systemctl start dynrelayd`, then check again: some checks need the daemon",
        ),
        Some(io::ErrorKind::ConnectionRefused) => ABOUT.warning(
            format!("dynrelayd does not run: {shown} is left over from an earlier one"),
            "`systemctl start dynrelayd`, then check again: some checks need the daemon",
        ),
        Some(io::ErrorKind::PermissionDenied) => ABOUT.unknown(
            format!("dynrelayd can't be asked: {error}"),
            "check as root, or as a member of the socket's group, to see more",
        ),
        _ => ABOUT.error(
            error.to_string(),
            "see its log: `journalctl -u dynrelayd`; `systemctl restart dynrelayd` \
             resumes the relays",
        ),
    }
}

fn version(Pong { version, pid, uptime, .. }: &Pong) -> Option<Finding> {
    let own = env!("CARGO_PKG_VERSION");
    (version != own).then(|| {
        let age = age(*uptime);
        let what = format!(
            "dynrelayd is version {version} (process {pid}, up {age}), and this command {own}"
        );
        ABOUT.warning(what, "`systemctl restart dynrelayd`: relays go on after it")
    })
}

/// After a clock was set back, ages and the order of the log are wrong.
fn clock(running: &Running, now: u64) -> Option<Finding> {
    let latest = running.relays.iter().map(|detail| detail.relay.since).max()?;
    (latest > now + CLOCK_TOLERANCE).then(|| {
        let ahead = age(latest - now);
        let what = format!(
            "a relay changed its state {ahead} in the future: this host's clock was set back"
        );
        ABOUT.warning(
            what,
            "keep the clock right by NTP; times in `list` and in logs \
            are wrong",
        )
    })
}

fn hidden(Pong { pid, .. }: &Pong) -> Finding {
    let what = format!(
        "dynrelayd's process {pid} can't be seen from here, nor its limits and its network"
    );
    ABOUT.unknown(what, "check as root, on the host or in the container it runs in")
}

fn elsewhere(process: &Process) -> Option<Finding> {
    match process.shares_our_network() {
        Some(true) => None,
        Some(false) => Some(ABOUT.warning(
            "dynrelayd runs in another network namespace; findings about interfaces, groups, \
             reception and firewall are about this one",
            "check from inside: `nsenter --net --target $(pidof dynrelayd) dynrelay check`",
        )),
        None => Some(ABOUT.unknown(
            "can't see whether dynrelayd uses this network namespace",
            "check as root to see more",
        )),
    }
}

/// The most files that the daemon needs: a socket for each source and each flow, and one for each
/// connection to it.
fn needed(catalog: &Catalog) -> u64 {
    let limits = &catalog.config().limits;
    let routes = catalog.streams().flat_map(Stream::routes);
    let mut flows: Vec<usize> = routes.map(|route| route.paths().count()).collect();
    flows.sort_unstable_by(|one, other| other.cmp(one));
    let outputs: usize = flows.iter().take(limits.relays).sum();
    let routes = catalog.streams().flat_map(Stream::routes);
    let sources: HashSet<&Source> =
        routes.flat_map(|route| route.paths().map(|path| &*path.source)).collect();
    let all = outputs + sources.len() + limits.connections + OWN_FILES;
    u64::try_from(all).unwrap_or(u64::MAX)
}

fn files(needed: u64, limit: Option<u64>) -> Option<Finding> {
    let Some(limit) = limit else {
        let what = "can't see how many files dynrelayd may have open";
        return Some(ABOUT.unknown(what, "check as root to see more"));
    };
    (limit < needed).then(|| {
        let (limit, needed) = (grouped(limit), grouped(needed));
        let what = format!(
            "dynrelayd may have {limit} files open, and needs {needed} when every stream is \
             relayed to every edge that takes it"
        );
        let advice = format!(
            "LimitNOFILE={} in its unit, or fewer `relays` in [limits]; then restart it",
            needed.replace(',', "")
        );
        ABOUT.warning(what, advice)
    })
}

#[cfg(test)]
mod tests {
    use control::LineError;

    use super::*;
    use crate::finding::Severity;

    #[test]
    fn a_missing_daemon_and_a_hanging_one_are_told_apart() {
        let severity = |error: ClientError| silent(Path::new("/run/x"), &error).severity;
        let away = |kind: io::ErrorKind| ClientError::Unreachable {
            path: "/run/x".into(),
            source: kind.into(),
        };
        assert_eq!(severity(away(io::ErrorKind::NotFound)), Severity::Warning);
        assert_eq!(severity(away(io::ErrorKind::ConnectionRefused)), Severity::Warning);
        assert_eq!(severity(away(io::ErrorKind::PermissionDenied)), Severity::Unknown);
        let mute = ClientError::NoAnswer(LineError::Io(io::ErrorKind::TimedOut.into()));
        assert_eq!(severity(mute), Severity::Error);
    }

    #[test]
    fn a_low_limit_of_files_is_found() {
        assert_eq!(files(100, Some(1024)), None);
        let few = files(5000, Some(1024)).unwrap();
        assert!(few.what.contains("1,024") && few.advice.contains("LimitNOFILE=5000"), "{few:?}");
        assert_eq!(files(100, None).unwrap().severity, Severity::Unknown);
    }

    #[test]
    fn another_version_is_found() {
        let pong = |version: &str| -> Pong {
            let pong = serde_json::json!({ "version": version, "pid": 1, "uptime": 60 });
            serde_json::from_value(pong).unwrap()
        };
        assert_eq!(version(&pong(env!("CARGO_PKG_VERSION"))), None);
        assert!(version(&pong("0.0.9")).unwrap().what.contains("0.0.9"));
    }
    #[test]
    fn the_limit_of_files_is_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
            Max processes             4096                 4096                 processes\n\
            Max open files            1024                 524288               files\n";
        assert_eq!(open_files(limits), Some(1024));
        assert_eq!(open_files("Max open files  unlimited unlimited files"), Some(u64::MAX));
        assert_eq!(open_files(""), None);
    }

    #[test]
    fn another_program_is_not_the_daemon() {
        assert!(Process::of(std::process::id()).is_none());
        let here = Process { folder: "/proc/self".into() };
        assert_eq!(here.user(), Some(nix::unistd::geteuid()));
        assert_eq!(here.shares_our_network(), Some(true));
        assert!(here.file_limit().unwrap() > 0 && here.is_net_admin().is_some());
    }
}
