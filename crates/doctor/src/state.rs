//! Whether the daemon can write the state file.

use std::fs;
use std::io;
use std::path::Path;

use catalog::Daemon;
use nix::unistd::{User, geteuid};

use crate::daemon::Process;
use crate::daemon::Running;
use crate::files::Written;
use crate::finding::{Finding, Subject};
use crate::visitor::Visitor;

const ABOUT: Subject = Subject::State;

/// The daemon's user in the systemd unit.
const USER: &str = "dynrelay";

/// The user who would write the file.
#[derive(Debug)]
struct Writer {
    user: User,
    /// Whether that is the daemon's user; otherwise it is the caller.
    known: bool,
}

/// Reasons why the daemon can't keep its relays. It replaces the file by a new one, so it must be able
/// to write into the folder. Ignores access control lists.
pub(crate) fn findings(
    daemon: &Daemon,
    written: &Written,
    running: Option<&Running>,
) -> Vec<Finding> {
    let found = finding(&daemon.state, writer(running).as_ref());
    found.map(|finding| finding.at(written.place("daemon", "state"))).into_iter().collect()
}

/// The daemon's user; else the unit's user, if it exists; else the caller.
fn writer(running: Option<&Running>) -> Option<Writer> {
    let process = running.and_then(|running| Process::of(running.pong.pid));
    let its = process.and_then(|process| User::from_uid(process.user()?).ok()?);
    let known = its.or_else(|| User::from_name(USER).ok().flatten());
    let asking = || User::from_uid(geteuid()).ok().flatten();
    match known {
        Some(user) => Some(Writer { user, known: true }),
        None => asking().map(|user| Writer { user, known: false }),
    }
}

fn finding(state: &Path, writer: Option<&Writer>) -> Option<Finding> {
    const LOST: &str = "open relays will not go on after a restart";
    if state.is_relative() {
        let what = format!("the path of the state file {} is relative", state.display());
        let advice = "write an absolute path, such as /var/lib/dynrelay/state.json: the daemon may \
                      start in any folder";
        return Some(ABOUT.warning(what, advice));
    }
    let folder = state.parent()?;
    let shown = folder.display();
    match fs::metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let what = format!("there is no folder {shown} for the state file yet, so {LOST}");
            let advice = "the systemd unit creates it (StateDirectory); without systemd, create it and \
                          give it to the daemon's user";
            Some(ABOUT.warning(what, advice))
        }
        Err(error) => {
            let what = format!("{shown} can't be looked at: {error}");
            let advice = "check as root, or as the daemon's user, to see more";
            Some(ABOUT.unknown(what, advice))
        }
        Ok(metadata) if !metadata.is_dir() => {
            let what = format!("{shown} is not a folder, so {LOST}");
            Some(ABOUT.warning(what, "set another path"))
        }
        Ok(metadata) => {
            // Creating a file in a folder needs the permissions to write and to pass.
            let may = |writer: &&Writer| Visitor::user(&writer.user).may(&metadata, 0o3);
            let Writer { user, known } = writer.filter(|writer| !may(writer))?;
            let name = &user.name;
            if !known {
                let what = format!(
                    "the user {name} may not write into {shown}; the daemon's user, and whether that \
                     user may, is unknown"
                );
                let advice = "check as root while it runs, or as its user";
                return Some(ABOUT.unknown(what, advice));
            }
            let what = format!("the user {name} may not write into {shown}, so {LOST}");
            let advice = format!("`chown {name} {shown}`, if the daemon runs as {name}");
            Some(ABOUT.warning(what, advice))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use nix::unistd::{Gid, Uid};

    use super::*;
    use crate::finding::Severity;

    fn what(state: &Path, writer: Option<&Writer>) -> Option<String> {
        finding(state, writer).map(|finding| finding.what)
    }

    #[test]
    fn a_missing_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let missing = what(&folder.path().join("lib/state.json"), None).unwrap();
        assert!(missing.contains("there is no folder"), "{missing}");
        assert_eq!(what(&folder.path().join("state.json"), None), None);
        assert!(what(Path::new("state.json"), None).unwrap().contains("is relative"));
        assert!(what(Path::new("/dev/null/state.json"), None).unwrap().contains("/dev/null"));
    }

    #[test]
    fn a_folder_that_the_user_may_not_write_to_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.json");
        let owner = fs::metadata(folder.path()).unwrap();
        let user = |uid, gid| {
            let user = User {
                uid: Uid::from_raw(uid),
                gid: Gid::from_raw(gid),
                name: "dynrelay-of-this-test".into(),
                ..User::from_uid(geteuid()).unwrap().unwrap()
            };
            Writer { user, known: true }
        };
        let (nobody, member) = (user(4_000_000, 4_000_000), user(4_000_000, owner.gid()));
        let mode =
            |mode| fs::set_permissions(state.parent().unwrap(), fs::Permissions::from_mode(mode));
        mode(0o750).unwrap();
        let kept_out = what(&state, Some(&nobody)).unwrap();
        assert!(kept_out.contains("dynrelay-of-this-test may not write"), "{kept_out}");
        let asking = Writer { known: false, ..user(4_000_000, 4_000_000) };
        let unknown = finding(&state, Some(&asking)).unwrap();
        assert_eq!(unknown.severity, Severity::Unknown);
        assert!(!unknown.advice.contains("chown"), "who asks need not own it: {unknown:?}");
        assert!(what(&state, Some(&member)).is_some());
        mode(0o770).unwrap();
        assert_eq!(what(&state, Some(&member)), None);
        mode(0o700).unwrap();
        assert_eq!(what(&state, Some(&user(owner.uid(), 4_000_000))), None);
    }
}
