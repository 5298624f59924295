//! The state file: whether the daemon will be able to write it.

use std::ffi::CString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use catalog::Daemon;
use nix::unistd::{Gid, Uid, User, geteuid, getgrouplist};

use super::config::Written;
use super::finding::{About, Finding};

const ABOUT: About = About::State;

/// The user that the systemd unit runs the daemon as.
const USER: &str = "dynrelay";

/// What keeps the daemon from remembering its relays. It replaces the file by a new one, so that
/// it must be able to write into the folder. Access lists are not looked at.
pub(super) fn findings(daemon: &Daemon, written: &Written) -> Vec<Finding> {
    let found = finding(&daemon.state, daemons_user().as_ref());
    found.map(|finding| finding.at(written.place("daemon", "state"))).into_iter().collect()
}

/// The unit's user if this host has one, else whoever asks.
fn daemons_user() -> Option<User> {
    let named = User::from_name(USER).ok().flatten();
    named.or_else(|| User::from_uid(geteuid()).ok().flatten())
}

fn finding(state: &Path, user: Option<&User>) -> Option<Finding> {
    const LOST: &str = "relays that run will not go on after a restart";
    if state.is_relative() {
        let what = format!("the path of the state file {} is relative", state.display());
        let advice = "write a path from /, such as /var/lib/dynrelay/state.json; the daemon may \
                      start anywhere";
        return Some(Finding::warning(ABOUT, what, advice));
    }
    let folder = state.parent()?;
    let shown = folder.display();
    match fs::metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let what = format!("there is no folder {shown} for the state file yet, so {LOST}");
            let advice = "the systemd unit makes it at the start (StateDirectory); without that, \
                          make it, and give it to the daemon's user";
            Some(Finding::warning(ABOUT, what, advice))
        }
        Err(error) => {
            let what = format!("{shown} can't be looked at: {error}");
            let advice = "check as root, or as the daemon's user, to see more";
            Some(Finding::warning(ABOUT, what, advice))
        }
        Ok(metadata) if !metadata.is_dir() => {
            let what = format!("{shown} is no folder, so {LOST}");
            Some(Finding::warning(ABOUT, what, "name another path"))
        }
        Ok(metadata) => {
            let user = user.filter(|user| !may_write(&metadata, user))?;
            let name = &user.name;
            let what = format!("the user {name} may not write into {shown}, so {LOST}");
            let advice = format!("`chown {name} {shown}`, if the daemon runs as {name}");
            Some(Finding::warning(ABOUT, what, advice))
        }
    }
}

/// Whether the user may make files in the folder: write and pass.
fn may_write(folder: &Metadata, user: &User) -> bool {
    let shift = if folder.uid() == user.uid.as_raw() {
        6
    } else if groups(user).contains(&Gid::from_raw(folder.gid())) {
        3
    } else {
        0
    };
    let rights = 0o3 << shift;
    user.uid == Uid::from_raw(0) || folder.mode() & rights == rights
}

/// The user's groups; its own alone if the others can't be found out.
fn groups(user: &User) -> Vec<Gid> {
    let name = CString::new(user.name.as_str()).ok();
    let all = name.and_then(|name| getgrouplist(&name, user.gid).ok());
    all.unwrap_or_else(|| vec![user.gid])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn what(state: &Path, user: Option<&User>) -> Option<String> {
        finding(state, user).map(|finding| finding.what)
    }

    #[test]
    fn a_folder_that_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let missing = what(&folder.path().join("lib/state.json"), None).unwrap();
        assert!(missing.contains("there is no folder"), "{missing}");
        assert_eq!(what(&folder.path().join("state.json"), None), None);
        assert!(what(Path::new("state.json"), None).unwrap().contains("is relative"));
        assert!(what(Path::new("/dev/null/state.json"), None).unwrap().contains("/dev/null"));
    }

    #[test]
    fn a_folder_that_the_user_may_not_write_into() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.json");
        let owner = fs::metadata(folder.path()).unwrap();
        let user = |uid, gid| User {
            uid: Uid::from_raw(uid),
            gid: Gid::from_raw(gid),
            name: "dynrelay-of-this-test".into(),
            ..User::from_uid(geteuid()).unwrap().unwrap()
        };
        let (nobody, member) = (user(4_000_000, 4_000_000), user(4_000_000, owner.gid()));
        let mode =
            |mode| fs::set_permissions(state.parent().unwrap(), fs::Permissions::from_mode(mode));
        mode(0o750).unwrap();
        let kept_out = what(&state, Some(&nobody)).unwrap();
        assert!(kept_out.contains("dynrelay-of-this-test may not write"), "{kept_out}");
        assert!(what(&state, Some(&member)).is_some());
        mode(0o770).unwrap();
        assert_eq!(what(&state, Some(&member)), None);
        mode(0o700).unwrap();
        assert_eq!(what(&state, Some(&user(owner.uid(), 4_000_000))), None);
    }
}
