//! The control socket: whether the web server will get through to it.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use catalog::Daemon;
use nix::unistd::{Gid, Group};

use super::config::Written;
use super::finding::{About, Finding};

const ABOUT: About = About::Socket;

/// What keeps the group in `[daemon] socket_group` from opening the socket. Access lists and
/// further groups of the web server's user are not looked at.
pub(super) fn findings(daemon: &Daemon, written: &Written) -> Vec<Finding> {
    let socket = &daemon.socket;
    let place = written.place("daemon", "socket");
    let mut findings = Vec::new();
    if socket.is_relative() {
        let what = format!("the socket's path {} is relative", socket.display());
        let advice = "write a path from /, such as /run/dynrelay/control.sock; nobody else \
                      would look for it where the daemon happens to start";
        findings.push(Finding::error(ABOUT, what, advice).at(place.clone()));
        return findings;
    }
    let group = match &daemon.socket_group {
        None => {
            findings.push(nobody_named().at(place.clone()));
            None
        }
        Some(name) => {
            let found = found(name);
            let place = written.place("daemon", "socket_group");
            findings.extend(found.as_ref().err().map(|finding| finding.clone().at(place)));
            found.ok()
        }
    };
    let others = group.as_ref().zip(daemon.socket_group.as_deref());
    findings.extend(folders(socket, others).into_iter().map(|one| one.at(place.clone())));
    findings.extend(existing(socket, others).map(|one| one.at(place)));
    findings
}

fn nobody_named() -> Finding {
    let what = "[daemon] socket_group is not set, so that only the daemon's own group may open \
                the socket";
    let advice = "set it to the web server's group, unless the web server's user is a member of \
                  the daemon's";
    Finding::warning(ABOUT, what, advice)
}

fn found(name: &str) -> Result<Gid, Finding> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => {
            let what = format!("there is no group {name} on this host");
            let advice = "name the web server's group: www-data, apache, nginx or http, say";
            Err(Finding::error(ABOUT, what, advice))
        }
        Err(error) => {
            let what = format!("the group {name} can't be looked up: {error}");
            Err(Finding::warning(ABOUT, what, "see that the system's user database works"))
        }
    }
}

/// Every folder on the way to the socket must be there, and let the group through.
fn folders(socket: &Path, group: Option<(&Gid, &str)>) -> Vec<Finding> {
    let mut ancestors: Vec<&Path> = socket.ancestors().skip(1).collect();
    ancestors.reverse();
    let mut findings = Vec::new();
    for folder in ancestors {
        let shown = folder.display();
        match fs::metadata(folder) {
            Ok(metadata) if !metadata.is_dir() => {
                let what = format!("{shown} is no folder, so no socket can be made in it");
                findings.push(Finding::error(ABOUT, what, "name another path"));
                break;
            }
            Ok(metadata) => {
                if let Some((gid, name)) = group.filter(|(gid, _)| !may(&metadata, **gid, 0o1)) {
                    let what = format!("{shown} does not let the group {name} ({gid}) through");
                    let advice = format!("`chmod o+x {shown}`, or `chgrp {name}` and `chmod g+x`");
                    findings.push(Finding::error(ABOUT, what, advice));
                }
            }
            Err(error) => {
                findings.push(unseen(folder, &error));
                break;
            }
        }
    }
    findings
}

fn unseen(folder: &Path, error: &io::Error) -> Finding {
    let shown = folder.display();
    if error.kind() == io::ErrorKind::NotFound {
        let what = format!("there is no folder {shown} for the socket yet");
        let advice = "the systemd unit makes it at the start (RuntimeDirectory); without that, \
                      make it, and give it to the daemon's user";
        return Finding::warning(ABOUT, what, advice);
    }
    let what = format!("{shown} can't be looked at: {error}");
    Finding::warning(ABOUT, what, "check as root, or as the daemon's user, to see more")
}

/// What is already at the socket's path.
fn existing(socket: &Path, group: Option<(&Gid, &str)>) -> Option<Finding> {
    let shown = socket.display();
    let metadata = fs::metadata(socket).ok()?;
    if !metadata.file_type().is_socket() {
        let what = format!("{shown} is there and is no socket");
        return Some(Finding::error(ABOUT, what, "move it away, or name another path"));
    }
    if metadata.mode() & 0o002 != 0 {
        let what = format!("everybody on this host may open {shown}, and so start relays");
        return Some(Finding::warning(ABOUT, what, "restart dynrelayd: it makes its socket 0660"));
    }
    let (gid, name) = group?;
    if may(&metadata, *gid, 0o2) {
        return None;
    }
    let (owner, mode) = (metadata.gid(), metadata.mode() & 0o777);
    let what = format!(
        "the group {name} ({gid}) may not open {shown}: its group is {owner}, mode {mode:o}"
    );
    let advice = "restart dynrelayd, which sets both; its user must be a member of that group";
    Some(Finding::error(ABOUT, what, advice))
}

/// Whether a member of the group, who is not the owner, has the right (1 to pass, 2 to write).
fn may(metadata: &Metadata, gid: Gid, right: u32) -> bool {
    let shift = if metadata.gid() == gid.as_raw() { 3 } else { 0 };
    metadata.mode() & (right << shift) != 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A group that owns nothing in these tests.
    const NOBODYS: Gid = Gid::from_raw(u32::MAX - 7);

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn whats(findings: Vec<Finding>) -> Vec<String> {
        findings.into_iter().map(|finding| finding.what).collect()
    }

    fn written() -> Written {
        Written::read(Path::new("/nonexistent"))
    }

    #[test]
    fn a_group_that_is_not_there() {
        let socket_group = Some("no-such-group".to_owned());
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control.sock");
        let daemon = Daemon { socket_group, socket, ..Daemon::default() };
        assert_eq!(
            whats(findings(&daemon, &written())),
            ["there is no group no-such-group on this host"]
        );
    }

    #[test]
    fn a_relative_path() {
        let daemon = Daemon { socket: "x.sock".into(), ..Daemon::default() };
        assert_eq!(whats(findings(&daemon, &written())), ["the socket's path x.sock is relative"]);
    }

    #[test]
    fn a_folder_that_keeps_the_group_out_or_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let group = Some((&NOBODYS, "web"));
        let socket = folder.path().join("control.sock");
        let shown = folder.path().display();
        mode(folder.path(), 0o755);
        assert_eq!(whats(folders(&socket, group)), [""; 0]);
        mode(folder.path(), 0o750);
        let kept_out = format!("{shown} does not let the group web ({NOBODYS}) through");
        assert_eq!(whats(folders(&socket, group)), [kept_out]);
        let missing = format!("there is no folder {shown}/run for the socket yet");
        assert_eq!(whats(folders(&folder.path().join("run/x.sock"), None)), [missing]);
    }

    #[test]
    fn a_socket_that_is_there_already() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let group = Some((&NOBODYS, "web"));
        assert_eq!(existing(&path, group), None);
        let _listener = UnixListener::bind(&path).unwrap();
        let what = |group| existing(&path, group).map(|finding| finding.what);
        mode(&path, 0o660);
        assert!(what(group).unwrap().contains("the group web"), "{:?}", what(group));
        let own = Gid::from_raw(fs::metadata(&path).unwrap().gid());
        assert_eq!(what(Some((&own, "own"))), None);
        mode(&path, 0o666);
        assert!(what(group).unwrap().contains("everybody"), "{:?}", what(group));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(existing(&file, None).unwrap().what.contains("is no socket"));
    }
}
