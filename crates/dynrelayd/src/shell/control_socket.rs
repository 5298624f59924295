//! The control socket: creates it, sets its permissions, removes it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nix::fcntl::Flock;
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Gid, Group, chown};

use super::file_lock::{LockError, lock, lock_path};

/// A listening socket. Dropping it removes a socket that the daemon created; a socket from systemd
/// stays.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    pub(crate) listener: UnixListener,
    made: Option<Made>,
}

/// A socket's path, and the lock that reserves it for this process. The kernel releases the lock
/// when the process ends.
#[derive(Debug)]
struct Made {
    path: PathBuf,
    _lock: Flock<File>,
}

impl ControlSocket {
    /// Takes the socket from systemd if there is one. Otherwise creates it at `path`, with mode
    /// 0660 and the given group. A socket from systemd must have the same properties.
    pub(crate) fn open(path: &Path, group: Option<&str>) -> Result<Self> {
        if let Some(listener) = handed_over()? {
            fits(&listener, path, group)?;
            return Ok(Self { listener, made: None });
        }
        let lock = reserve(path)?;
        clear_stale(path)?;
        let listener = bind(path).with_context(|| format!("can't listen on {}", path.display()))?;
        let made = Made { path: path.to_owned(), _lock: lock };
        let socket = Self { listener, made: Some(made) };
        guard(path, group)?;
        Ok(socket)
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if let Some(Made { path, .. }) = &self.made {
            // It may be gone already.
            let _ = fs::remove_file(path);
        }
    }
}

/// The socket from systemd (socket activation), if there is one.
fn handed_over() -> Result<Option<UnixListener>> {
    let mut handed = listenfd::ListenFd::from_env();
    if handed.len() > 1 {
        let many = handed.len();
        bail!("systemd hands over {many} sockets: dynrelayd.socket must have one ListenStream=");
    }
    let listener = handed.take_unix_listener(0).context(
        "the socket that systemd hands over can't \
        be used",
    )?;
    if let Some(listener) = &listener {
        // The listener's threads block in accept.
        listener.set_nonblocking(false).context("the socket that systemd hands over")?;
    }
    Ok(listener)
}

/// Checks that a socket from systemd matches dynrelay.toml, and admits the same users.
fn fits(listener: &UnixListener, path: &Path, group: Option<&str>) -> Result<()> {
    if !getsockopt(listener, sockopt::AcceptConn).context("can't inspect systemd's socket")? {
        bail!(
            "systemd hands over a connection, not a listening socket: set Accept=no in \
            dynrelayd.socket"
        );
    }
    let address = listener.local_addr().context("can't inspect systemd's socket")?;
    let at =
        address.as_pathname().context("systemd's socket has no path: ListenStream= needs one")?;
    let shown = at.display();
    let there = fs::metadata(at).with_context(|| {
        format!("systemd listens on {shown}, which is gone: `systemctl restart dynrelayd.socket`")
    })?;
    // Two paths may lead to one socket, for example through /var/run.
    let same = |other: fs::Metadata| (other.dev(), other.ino()) == (there.dev(), there.ino());
    if !fs::metadata(path).is_ok_and(same) {
        let wanted = path.display();
        bail!("systemd listens on {shown}, not on {wanted}: let ListenStream= and socket agree");
    }
    if there.mode() & 0o022 != 0o020 {
        let mode = there.mode() & 0o777;
        bail!("{shown} has the mode {mode:o}: SocketMode=0660 admits its group and nobody else");
    }
    if let Some(name) = group
        && there.gid() != named(name)?.as_raw()
    {
        let gid = there.gid();
        bail!("{shown} is of the group {gid}, not {name}: let SocketGroup= and socket_group agree");
    }
    Ok(())
}

/// Reserves the path. Otherwise, of two daemons that find a stale socket, one could remove the
/// other's new socket.
fn reserve(path: &Path) -> Result<Flock<File>> {
    let beside = lock_path(path);
    lock(path).map_err(|error| match (error, path.parent()) {
        (LockError::Taken, _) => {
            anyhow!("another dynrelayd listens on {} already, or is about to", path.display())
        }
        (LockError::Open(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => anyhow!(
            "there is no folder {} for the control socket: make it, and give it to the daemon's user",
            folder.display()
        ),
        (LockError::Open(error), _) => anyhow!("can't open {}: {error}", beside.display()),
        (LockError::Refused(error), _) => anyhow!("can't lock {}: {error}", beside.display()),
    })
}

/// Removes a socket that a daemon left behind. Touches nothing else.
fn clear_stale(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("can't look at {}", path.display()));
        }
        Ok(there) if !there.file_type().is_socket() => {
            bail!("{} exists and is not a socket: move it away", path.display())
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => bail!("another dynrelayd listens on {} already", path.display()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)
            .with_context(|| format!("can't remove the stale socket {}", path.display())),
        Err(error) => {
            Err(error).with_context(|| format!("can't tell whether {} is in use", path.display()))
        }
    }
}

/// Binds without permissions for others from the first moment.
fn bind(path: &Path) -> io::Result<UnixListener> {
    use nix::sys::stat::{Mode, umask};
    let before = umask(Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(path);
    umask(before);
    listener
}

/// Admits the web server's group, and nobody else.
fn guard(path: &Path, group: Option<&str>) -> Result<()> {
    if let Some(name) = group {
        chown(path, None, Some(named(name)?)).with_context(|| {
            format!(
                "can't give {} to the group {name}: make the daemon's user a member of it",
                path.display()
            )
        })?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))
        .with_context(|| format!("can't set the permissions of {}", path.display()))
}

fn named(group: &str) -> Result<Gid> {
    let found =
        Group::from_name(group).with_context(|| format!("can't look up the group {group}"))?;
    Ok(found.with_context(|| format!("socket_group: there is no group {group}"))?.gid)
}
