//! The control socket: makes it, sets its rights, removes it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Gid, Group, chown};

/// A listening socket. One that was made here goes away with this value; one that systemd handed
/// over stays.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    pub(crate) listener: UnixListener,
    made: Option<Made>,
}

/// A socket's place, and the lock that says that it is ours. The system takes the lock away with
/// the process, however that ends.
#[derive(Debug)]
struct Made {
    path: PathBuf,
    _lock: Flock<File>,
}

impl ControlSocket {
    /// Takes the socket from systemd if it hands one over, else makes it at `path`, mode 0660,
    /// with the group given. One that is handed over must be as it would have been made.
    pub(crate) fn open(path: &Path, group: Option<&str>) -> Result<Self> {
        if let Some(listener) = handed_over()? {
            fits(&listener, path, group)?;
            return Ok(Self { listener, made: None });
        }
        let lock = lock(path)?;
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
            // If it is gone already, that is fine.
            let _ = fs::remove_file(path);
        }
    }
}

/// The socket that systemd listens on for this process (socket activation), if there is one.
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
        // The listener's threads wait in accept.
        listener.set_nonblocking(false).context("the socket that systemd hands over")?;
    }
    Ok(listener)
}

/// Whether a socket that was handed over is the one that dynrelay.toml speaks of, and lets in
/// the same people.
fn fits(listener: &UnixListener, path: &Path, group: Option<&str>) -> Result<()> {
    if !getsockopt(listener, sockopt::AcceptConn).context("can't look at systemd's socket")? {
        bail!(
            "systemd hands over a connection, not a listening socket: set Accept=no in \
            dynrelayd.socket"
        );
    }
    let address = listener.local_addr().context("can't look at systemd's socket")?;
    let at =
        address.as_pathname().context("systemd's socket has no path: ListenStream= needs one")?;
    let shown = at.display();
    let there = fs::metadata(at).with_context(|| {
        format!("systemd listens on {shown}, which is gone: `systemctl restart dynrelayd.socket`")
    })?;
    // Two paths may lead to one socket, such as by /var/run.
    let same = |other: fs::Metadata| (other.dev(), other.ino()) == (there.dev(), there.ino());
    if !fs::metadata(path).is_ok_and(same) {
        let wanted = path.display();
        bail!("systemd listens on {shown}, not on {wanted}: let ListenStream= and socket agree");
    }
    if there.mode() & 0o022 != 0o020 {
        let mode = there.mode() & 0o777;
        bail!("{shown} has the mode {mode:o}: SocketMode=0660 lets its group in, and nobody else");
    }
    if let Some(name) = group
        && there.gid() != named(name)?.as_raw()
    {
        let gid = there.gid();
        bail!("{shown} is of the group {gid}, not {name}: let SocketGroup= and socket_group agree");
    }
    Ok(())
}

/// Makes sure that no other daemon takes the same socket: of two that find a stale one at the same
/// moment, one would remove what the other has just made.
fn lock(path: &Path) -> Result<Flock<File>> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    let mut options = File::options();
    // It stays for ever: a lock on a file that was removed would keep nobody out.
    let options = options.create(true).truncate(false).write(true).mode(0o600);
    let file = options.custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
    let file = file.open(&beside).map_err(|error| match (error.kind(), path.parent()) {
        (io::ErrorKind::NotFound, Some(folder)) => anyhow!(
            "there is no folder {} for the control socket: make it, and give it to the daemon's user",
            folder.display()
        ),
        _ => anyhow!("can't open {}: {error}", beside.display()),
    })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
        Errno::EWOULDBLOCK => {
            anyhow!("another dynrelayd listens on {} already, or is about to", path.display())
        }
        error => anyhow!("can't lock {}: {error}", beside.display()),
    })
}

/// Removes a socket that a daemon left behind; refuses to touch anything else.
fn clear_stale(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("can't look at {}", path.display()));
        }
        Ok(there) if !there.file_type().is_socket() => {
            bail!("{} is there and is not a socket: move it away", path.display())
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

/// Binds with no rights for others from the first moment on.
fn bind(path: &Path) -> io::Result<UnixListener> {
    use nix::sys::stat::{Mode, umask};
    let before = umask(Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(path);
    umask(before);
    listener
}

/// Lets the web server's group in, and nobody else.
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
        .with_context(|| format!("can't set the rights of {}", path.display()))
}

fn named(group: &str) -> Result<Gid> {
    let found =
        Group::from_name(group).with_context(|| format!("can't look up the group {group}"))?;
    Ok(found.with_context(|| format!("socket_group: there is no group {group}"))?.gid)
}
