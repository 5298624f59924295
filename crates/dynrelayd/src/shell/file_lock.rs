//! Locks that keep two daemons from using one file.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

/// Why a file cannot be locked.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another process holds the lock.
    Taken,
    /// The lock file cannot be opened.
    Open(io::Error),
    /// The kernel refuses the lock.
    Refused(Errno),
}

/// The path of the lock of a file: `state.json.lock`.
pub(crate) fn lock_path(path: &Path) -> PathBuf {
    let mut beside: OsString = path.as_os_str().to_owned();
    beside.push(".lock");
    beside.into()
}

/// Reserves a path for this process. The kernel releases the lock when the process ends.
pub(crate) fn lock(path: &Path) -> Result<Flock<File>, LockError> {
    let mut options = File::options();
    // The lock file stays for ever: a lock on a removed file would exclude nobody.
    let options = options.create(true).truncate(false).write(true).mode(0o600);
    let options = options.custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
    let file = options.open(lock_path(path)).map_err(LockError::Open)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
        Errno::EWOULDBLOCK => LockError::Taken,
        error => LockError::Refused(error),
    })
}
