//! Whether the web server can open the control socket.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use catalog::Daemon;
use nix::unistd::{Group, User};

use crate::files::Written;
use crate::finding::{Finding, Subject};
use crate::visitor::{Visitor, WEB_USER};

const ABOUT: Subject = Subject::Socket;

/// Reasons why the web server can't open the socket. Its user is `web_user`, if given. If that user does
/// not exist, the group in `[daemon] socket_group` is judged.
pub(crate) fn findings(daemon: &Daemon, written: &Written, web_user: Option<&str>) -> Vec<Finding> {
    let socket = &daemon.socket;
    let place = written.place("daemon", "socket");
    let mut findings = Vec::new();
    if socket.is_relative() {
        let what = format!("the socket's path {} is relative", socket.display());
        let advice = "write an absolute path, such as /run/dynrelay/control.sock: the daemon \
                      may start in any folder";
        findings.push(ABOUT.error(what, advice).at(place.clone()));
        return findings;
    }
    let group = match daemon.socket_group.as_deref().map(found) {
        None => {
            findings.push(nobody_named().at(place.clone()));
            None
        }
        Some(found) => {
            let place = written.place("daemon", "socket_group");
            findings.extend(found.as_ref().err().map(|finding| finding.clone().at(place)));
            found.ok()
        }
    };
    let user = match visiting(web_user) {
        Ok(user) => Some(user),
        Err(finding) => {
            findings.push(finding);
            None
        }
    };
    let visitor = user.or_else(|| group.as_ref().map(Visitor::member));
    findings.extend(folders(socket, visitor.as_ref()).into_iter().map(|one| one.at(place.clone())));
    let existing = match fs::symlink_metadata(socket) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let place = written.place("daemon", "socket_group");
            let outsider =
                visitor.as_ref().zip(group.as_ref()).and_then(|(who, of)| outside(who, of));
            outsider.map(|finding| finding.at(place))
        }
        _ => existing(socket, visitor.as_ref()).map(|one| one.at(place)),
    };
    findings.extend(existing);
    findings
}

/// The web server's user.
fn visiting(named: Option<&str>) -> Result<Visitor, Finding> {
    let name = named.unwrap_or(WEB_USER);
    match User::from_name(name) {
        Ok(Some(user)) => Ok(Visitor::user(&user)),
        Ok(None) if named.is_some() => {
            let what = format!("there is no user {name} on this host");
            Err(ABOUT.error(
                what,
                "give the web server's user, which its configuration \
                names",
            ))
        }
        Ok(None) => {
            let what = format!(
                "can't tell whether the web server can open the socket: there is no user {name}"
            );
            let advice = "give its user: --web-user apache, nginx, http or lighttpd, for \
                example";
            Err(ABOUT.unknown(what, advice))
        }
        Err(error) => {
            let what = format!("the user {name} can't be looked up: {error}");
            Err(ABOUT.unknown(what, "check that the system's user database works"))
        }
    }
}

/// Judges a socket that does not exist yet: it will belong to the configured group.
fn outside(visitor: &Visitor, group: &Group) -> Option<Finding> {
    (!visitor.is_member(group.gid)).then(|| {
        let (who, group) = (&visitor.name, &group.name);
        let what =
            format!("{who} is not a member of {group}, the socket's group, and can't open it");
        let advice = "set socket_group to the web server's own group, or add the user to it";
        ABOUT.error(what, advice)
    })
}

fn nobody_named() -> Finding {
    let what = "[daemon] socket_group is not set, so only the daemon's own group may open the \
                socket";
    let advice = "set it to the web server's group, unless the web server's user is a member of \
                  the daemon's";
    ABOUT.warning(what, advice)
}

fn found(name: &str) -> Result<Group, Finding> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group),
        Ok(None) => {
            let what = format!("there is no group {name} on this host");
            let advice = "name the web server's group: www-data, apache, nginx or http, for \
                example";
            Err(ABOUT.error(what, advice))
        }
        Err(error) => {
            let what = format!("the group {name} can't be looked up: {error}");
            Err(ABOUT.unknown(what, "check that the system's user database works"))
        }
    }
}

/// Every folder on the path to the socket must exist, and the visitor must be able to pass it.
fn folders(socket: &Path, visitor: Option<&Visitor>) -> Vec<Finding> {
    let mut ancestors: Vec<&Path> = socket.ancestors().skip(1).collect();
    ancestors.reverse();
    let mut findings = Vec::new();
    for folder in ancestors {
        let shown = folder.display();
        match fs::metadata(folder) {
            Ok(metadata) if !metadata.is_dir() => {
                let what = format!("{shown} is not a folder, so no socket can be made in it");
                findings.push(ABOUT.error(what, "set another path"));
                break;
            }
            Ok(metadata) => {
                if let Some(Visitor { name, .. }) = visitor.filter(|who| !who.may(&metadata, 0o1)) {
                    let what = format!("{shown} does not let {name} through");
                    let advice = format!(
                        "`chmod o+x {shown}`, or give it to one of their groups and `chmod g+x`"
                    );
                    findings.push(ABOUT.error(what, advice));
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
        let advice = "the systemd unit creates it (RuntimeDirectory); without systemd, create it \
                      and give it to the daemon's user";
        return ABOUT.warning(what, advice);
    }
    let what = format!("{shown} can't be looked at: {error}");
    ABOUT.unknown(what, "check as root, or as the daemon's user, to see more")
}

/// Judges the file at the socket's path.
fn existing(socket: &Path, visitor: Option<&Visitor>) -> Option<Finding> {
    let shown = socket.display();
    let metadata = fs::metadata(socket).ok()?;
    if !metadata.file_type().is_socket() {
        let what = format!("{shown} exists and is not a socket");
        return Some(ABOUT.error(what, "move it away, or set another path"));
    }
    if metadata.mode() & 0o002 != 0 {
        let what = format!("everybody on this host may open {shown}, and so start relays");
        let advice = "restart dynrelayd, which creates its socket with mode 0660; if systemd creates \
                      it, set SocketMode=0660 in dynrelayd.socket, and restart that";
        return Some(ABOUT.warning(what, advice));
    }
    let visitor = visitor.filter(|who| !who.may(&metadata, 0o2))?;
    let (owner, mode) = (metadata.gid(), metadata.mode() & 0o777);
    let advice = if visitor.is_member(owner.into()) {
        "the group is right, but the mode should be 660: restart dynrelayd, which creates its \
         socket so; if systemd creates it, set SocketMode=0660 in dynrelayd.socket, and restart that"
    } else {
        "set socket_group (and SocketGroup= in dynrelayd.socket) to the web server's group, and \
         restart dynrelayd, whose user must be a member of it, too"
    };
    let name = &visitor.name;
    let owner =
        Group::from_gid(owner.into()).ok().flatten().map_or(owner.to_string(), |it| it.name);
    let what = format!("{name} may not open {shown}: its group is {owner}, its mode {mode:o}");
    Some(ABOUT.error(what, advice))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use nix::unistd::Gid;

    use super::*;

    /// A member of a group.
    fn visitor(gid: u32) -> Visitor {
        let gid = Gid::from_raw(gid);
        Visitor::member(&Group {
            gid,
            name: "web".into(),
            ..Group::from_gid(0.into()).unwrap().unwrap()
        })
    }

    const NOBODYS: u32 = u32::MAX - 7;

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
    fn a_missing_group_is_found() {
        let socket_group = Some("no-such-group".to_owned());
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control.sock");
        let daemon = Daemon { socket_group, socket, ..Daemon::default() };
        let found = whats(findings(&daemon, &written(), Some("root")));
        assert_eq!(found, ["there is no group no-such-group on this host"]);
        let found = whats(findings(&daemon, &written(), Some("no-such-user")));
        assert_eq!(found[1], "there is no user no-such-user on this host");
    }

    #[test]
    fn a_relative_path_is_found() {
        let daemon = Daemon { socket: "x.sock".into(), ..Daemon::default() };
        let found = whats(findings(&daemon, &written(), None));
        assert_eq!(found, ["the socket's path x.sock is relative"]);
    }

    #[test]
    fn a_folder_that_blocks_the_path_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (web, shown) = (visitor(NOBODYS), folder.path().display());
        let group = Some(&web);
        let socket = folder.path().join("control.sock");
        mode(folder.path(), 0o755);
        assert_eq!(whats(folders(&socket, group)), [""; 0]);
        mode(folder.path(), 0o750);
        let kept_out = format!("{shown} does not let the group web ({NOBODYS}) through");
        assert_eq!(whats(folders(&socket, group)), [kept_out]);
        let missing = format!("there is no folder {shown}/run for the socket yet");
        assert_eq!(whats(folders(&folder.path().join("run/x.sock"), None)), [missing]);
    }

    #[test]
    fn the_socket_itself_is_examined() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let web = visitor(NOBODYS);
        let group = Some(&web);
        assert_eq!(existing(&path, group), None);
        let _listener = UnixListener::bind(&path).unwrap();
        let what = |group| existing(&path, group).map(|finding| finding.what);
        mode(&path, 0o660);
        assert!(what(group).unwrap().contains("the group web"), "{:?}", what(group));
        let own = visitor(fs::metadata(&path).unwrap().gid());
        assert_eq!(what(Some(&own)), None);
        let root = Visitor::user(&User::from_name("root").unwrap().unwrap());
        assert_eq!(what(Some(&root)), None);
        mode(&path, 0o666);
        assert!(what(group).unwrap().contains("everybody"), "{:?}", what(group));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(existing(&file, None).unwrap().what.contains("is not a socket"));
    }
}
