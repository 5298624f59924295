//! The daemon itself: whether it answers, and whether it has what it needs.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use catalog::{Catalog, Source, Stream};
use control::{ClientError, Pong};

use super::finding::{About, Finding};
use super::process::Process;
use super::running::Running;
use crate::wording::{age, grouped};

const ABOUT: About = About::Daemon;
/// Files that a daemon has open with no relay, roughly: epoll, timers, logs.
const OWN_FILES: usize = 64;
/// How far a clock may be off before it is said, in seconds.
const CLOCK_TOLERANCE: u64 = 60;

/// What is wrong with the daemon behind `socket`, or that none answers.
pub(super) fn findings(
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
        Some(io::ErrorKind::NotFound) => Finding::warning(
            ABOUT,
            format!("dynrelayd does not run: there is no {shown}"),
            "`systemctl start dynrelayd`, then check again: what only it knows was not looked at",
        ),
        Some(io::ErrorKind::ConnectionRefused) => Finding::warning(
            ABOUT,
            format!("dynrelayd does not run: nobody listens at {shown}, which was left behind"),
            "`systemctl start dynrelayd`, then check again: what only it knows was not looked at",
        ),
        Some(io::ErrorKind::PermissionDenied) => Finding::unknown(
            ABOUT,
            format!("dynrelayd can't be asked: {error}"),
            "check as root, or as a member of the socket's group, to see more",
        ),
        _ => Finding::error(
            ABOUT,
            error.to_string(),
            "see its log: `journalctl -u dynrelayd`; `systemctl restart dynrelayd` takes the \
             relays up again",
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
        Finding::warning(ABOUT, what, "`systemctl restart dynrelayd`: relays go on after it")
    })
}

/// A clock that was set back spoils ages, and the order of the log.
fn clock(running: &Running, now: u64) -> Option<Finding> {
    let latest = running.relays.iter().map(|detail| detail.relay.since).max()?;
    (latest > now + CLOCK_TOLERANCE).then(|| {
        let ahead = age(latest - now);
        let what = format!(
            "a relay changed its state {ahead} in the future: this host's clock was set back"
        );
        Finding::warning(
            ABOUT,
            what,
            "keep the clock right by NTP; times in `list` and in logs \
            are off",
        )
    })
}

fn hidden(Pong { pid, .. }: &Pong) -> Finding {
    let what = format!(
        "dynrelayd's process {pid} can't be seen from here, nor its limits and its network"
    );
    Finding::unknown(ABOUT, what, "check as root, on the host or in the container it runs in")
}

fn elsewhere(process: &Process) -> Option<Finding> {
    match process.shares_our_network() {
        Some(true) => None,
        Some(false) => Some(Finding::warning(
            ABOUT,
            "dynrelayd runs in another network namespace, and what is said here of interfaces, \
             groups, reception and firewall is about this one",
            "check from inside: `nsenter --net --target $(pidof dynrelayd) dynrelay check`",
        )),
        None => Some(Finding::unknown(
            ABOUT,
            "can't see whether dynrelayd uses the network that was looked at here",
            "check as root to see more",
        )),
    }
}

/// The most files that it needs at a time: a socket for each source and each flow, and one for each
/// connection to it.
fn needed(catalog: &Catalog) -> u64 {
    let limits = &catalog.config().limits;
    let routes = catalog.streams().flat_map(Stream::routes);
    let mut flows: Vec<usize> = routes.map(|route| route.paths().count()).collect();
    flows.sort_unstable_by(|one, other| other.cmp(one));
    let outputs: usize = flows.iter().take(limits.relays).sum();
    let routes = catalog.streams().flat_map(Stream::routes);
    let sources: HashSet<&Source> =
        routes.flat_map(|route| route.paths().map(|path| &path.source)).collect();
    let all = outputs + sources.len() + limits.connections + OWN_FILES;
    u64::try_from(all).unwrap_or(u64::MAX)
}

fn files(needed: u64, limit: Option<u64>) -> Option<Finding> {
    let Some(limit) = limit else {
        let what = "can't see how many files dynrelayd may have open";
        return Some(Finding::unknown(ABOUT, what, "check as root to see more"));
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
        Finding::warning(ABOUT, what, advice)
    })
}

#[cfg(test)]
mod tests {
    use control::LineError;

    use super::*;
    use crate::check::finding::Severity;

    #[test]
    fn a_daemon_that_is_not_there_is_told_from_one_that_hangs() {
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
    fn too_few_files() {
        assert_eq!(files(100, Some(1024)), None);
        let few = files(5000, Some(1024)).unwrap();
        assert!(few.what.contains("1,024") && few.advice.contains("LimitNOFILE=5000"), "{few:?}");
        assert_eq!(files(100, None).unwrap().severity, Severity::Unknown);
    }

    #[test]
    fn another_version() {
        let pong = |version: &str| -> Pong {
            let pong = serde_json::json!({ "version": version, "pid": 1, "uptime": 60 });
            serde_json::from_value(pong).unwrap()
        };
        assert_eq!(version(&pong(env!("CARGO_PKG_VERSION"))), None);
        assert!(version(&pong("0.0.9")).unwrap().what.contains("0.0.9"));
    }
}
