//! The state file: the open relays, for the next daemon after a restart or a crash.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use model::is_name;
use nix::fcntl::{Flock, OFlag};
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use super::file_lock::{LockError, lock};
use crate::core::RelayName;

/// The version of the layout.
const VERSION: u32 = 1;
/// A relay takes fewer bytes of the file than this.
const RELAY: u64 = 256;
/// A file of this size is always read, in bytes: `relays` may have been larger when it was written.
const ALWAYS_READ: u64 = 64 << 20;
/// The time from a failed write to the next try.
const RETRY: Duration = Duration::from_secs(1);
/// The time that a stopping daemon waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Serialize, Deserialize)]
struct Layout {
    version: u32,
    relays: BTreeSet<RelayName>,
}

type Relays = BTreeSet<RelayName>;

/// The state file. A thread of its own writes it, so that nobody waits for the disk.
#[derive(Debug)]
pub(crate) struct StateFile {
    relays: Relays,
    /// Dropped at the end.
    sender: Option<Sender<Relays>>,
    /// Closes when everything is written.
    written: Receiver<Infallible>,
    /// None if there is no folder for it, or the file system has no locks.
    _lock: Option<Flock<File>>,
}

impl StateFile {
    /// Reserves and reads the file. A file that is not the daemon's is set aside, and stops nothing.
    /// `most` relays may run at a time.
    pub(crate) fn load(path: &Path, most: usize) -> io::Result<Self> {
        let lock = match lock(path) {
            Ok(lock) => Some(lock),
            Err(LockError::Taken) => {
                let file = path.display();
                return Err(io::Error::other(format!("another dynrelayd uses {file} already")));
            }
            // The first write reports what is wrong with the folder.
            Err(LockError::Open(_) | LockError::Refused(_)) => None,
        };
        let relays = read(path, most).unwrap_or_else(|error| {
            set_aside(path, &error);
            Relays::new()
        });
        let (sender, receiver) = mpsc::channel();
        let (writing, written) = mpsc::channel();
        let writer = Writer { path: path.to_owned(), holds: relays.clone(), complained: false };
        thread::Builder::new().name("state-file".into()).spawn(move || {
            let _writing: Sender<Infallible> = writing;
            writer.run(&receiver);
        })?;
        Ok(Self { relays, sender: Some(sender), written, _lock: lock })
    }

    /// The relays that were open when this daemon began.
    pub(crate) fn relays(&self) -> impl Iterator<Item = &RelayName> {
        self.relays.iter()
    }

    /// Writes these relays soon.
    pub(crate) fn save(&self, relays: Relays) {
        if let Some(sender) = &self.sender {
            // The thread runs as long as there is a sender.
            let _ = sender.send(relays);
        }
    }
}

impl Drop for StateFile {
    /// Waits until everything is written, up to a limit.
    fn drop(&mut self) {
        self.sender = None;
        if self.written.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            warn!("the state file was not written in time: some relays may not be resumed");
        }
    }
}

/// The file, for the thread that writes it.
#[derive(Debug)]
struct Writer {
    path: PathBuf,
    holds: Relays,
    complained: bool,
}

impl Writer {
    /// Writes the latest relays, and tries again while that fails.
    fn run(mut self, received: &Receiver<Relays>) {
        let mut unwritten = None;
        loop {
            let next = match unwritten {
                Some(_) => received.recv_timeout(RETRY),
                None => received.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(relays) => unwritten = received.try_iter().last().or(Some(relays)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            unwritten = unwritten.filter(|relays| !self.write(relays));
        }
    }

    /// Writes the file, unless it already has these relays; false if that failed.
    fn write(&mut self, relays: &Relays) -> bool {
        if *relays == self.holds {
            return true;
        }
        let file = self.path.display();
        match write(&self.path, relays) {
            Ok(()) if self.complained => info!("{file} can be written again"),
            Ok(()) => {}
            Err(error) => {
                if !self.complained {
                    error!(
                        "{file} can't be written ({error}): the relays that are open now will not go on \
                         after a restart"
                    );
                }
                self.complained = true;
                return false;
            }
        }
        self.complained = false;
        self.holds.clone_from(relays);
        true
    }
}

fn read(path: &Path, most: usize) -> io::Result<Relays> {
    let largest = ALWAYS_READ.max((most as u64).saturating_mul(RELAY));
    // Without this flag, opening a pipe would wait for its writer.
    let file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    let file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Relays::new()),
        Err(error) => return Err(error),
    };
    let there = file.metadata()?;
    if !there.is_file() || there.len() > largest {
        return Err(io::Error::other("it is not a file, or too large to be dynrelayd's"));
    }
    let mut text = String::new();
    file.take(largest).read_to_string(&mut text)?;
    let layout: Layout = serde_json::from_str(&text)?;
    if layout.version != VERSION {
        let version = layout.version;
        return Err(io::Error::other(format!("it is of version {version}, not {VERSION}")));
    }
    let names = |relay: &RelayName| is_name(&relay.stream) && is_name(&relay.edge);
    let (relays, nameless): (Relays, Relays) = layout.relays.into_iter().partition(names);
    for RelayName { stream, edge } in nameless {
        warn!("{}: {stream:?} to {edge:?} is not a relay's name: it is ignored", path.display());
    }
    Ok(relays)
}

fn set_aside(path: &Path, error: &io::Error) {
    let aside = beside(path, "bad");
    let (file, kept) = (path.display(), aside.display());
    // Removes an older file that was set aside. A folder would be in the way.
    let _ = fs::remove_file(&aside).or_else(|_| fs::remove_dir(&aside));
    match refuse_device(path).and_then(|()| fs::rename(path, &aside)) {
        Ok(()) => warn!("{file}: {error}: it is kept as {kept}, and no relay is resumed"),
        Err(moving) => {
            warn!("{file}: {error} (and can't be set aside: {moving}): no relay is resumed");
        }
    }
}

/// Writes the file completely or not at all.
fn write(path: &Path, relays: &Relays) -> io::Result<()> {
    refuse_device(path)?;
    let text = serde_json::to_vec(&Layout { version: VERSION, relays: relays.clone() })?;
    let new = beside(path, "new");
    // A killed daemon, or somebody else, may have left a file there.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::create_new(&new)?;
    file.write_all(&text)?;
    // Without this, a power failure could leave an empty file.
    file.sync_data()?;
    fs::rename(&new, path)
}

/// Protects devices: `state = "/dev/null"` must not replace /dev/null.
fn refuse_device(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.file_type().is_char_device() || there.file_type().is_block_device() => {
            Err(io::Error::other("it is a device"))
        }
        _ => Ok(()),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("dynrelay-state-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn relay(stream: &str) -> RelayName {
        RelayName { stream: stream.into(), edge: "dss2".into() }
    }

    fn load(path: &Path) -> Relays {
        StateFile::load(path, 1000).unwrap().relays().cloned().collect()
    }

    #[test]
    fn relays_are_kept_over_a_restart() {
        let folder = folder("kept");
        let path = folder.join("state.json");
        let file = StateFile::load(&path, 1000).unwrap();
        assert_eq!(file.relays().count(), 0);
        file.save([relay("news"), relay("sport")].into());
        file.save([relay("news")].into());
        drop(file);
        assert_eq!(load(&path), [relay("news")].into());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn two_daemons_do_not_share_a_file() {
        let folder = folder("shared");
        let path = folder.join("state.json");
        let first = StateFile::load(&path, 1000).unwrap();
        let error = StateFile::load(&path, 1000).unwrap_err().to_string();
        assert!(error.starts_with("another dynrelayd uses "), "{error}");
        drop(first);
        assert!(StateFile::load(&path, 1000).is_ok());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn as_many_relays_as_may_run_are_read_again() {
        let folder = folder("many");
        let path = folder.join("state.json");
        let name = |number: usize| relay(&format!("{number:0>64}"));
        let relays: Relays = (0..50_000).map(name).collect();
        write(&path, &relays).unwrap();
        assert_eq!(read(&path, 50_000).unwrap(), relays);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_of_another_kind_is_set_aside() {
        let folder = folder("aside");
        let path = folder.join("state.json");
        let torn = r#"{"version":1,"relays":[{"str"#;
        let later = r#"{"version":2,"relays":[]}"#;
        let huge = format!(r#"{{"version":1,"relays":[]}}{}"#, " ".repeat(65 << 20));
        for bad in ["", torn, "[]", later, "\u{0}\u{1}", &huge] {
            fs::write(&path, bad).unwrap();
            assert_eq!(load(&path), Relays::new(), "{bad:.30}");
            assert!(!path.exists());
            assert!(fs::read_to_string(folder.join("state.json.bad")).unwrap() == bad);
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_a_link_or_a_pipe_stops_nothing() {
        use std::os::unix::fs::symlink;
        let folder = folder("odd");
        let path = folder.join("state.json");
        let odd: [fn(&Path); 4] = [
            |path| fs::create_dir(path).unwrap(),
            |path| symlink("/nowhere", path).unwrap(),
            |path| symlink(path, path).unwrap(),
            |path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap(),
        ];
        for make in odd {
            // Also where the new file is to be written.
            make(&path);
            make(&folder.join("state.json.new"));
            let file = StateFile::load(&path, 1000).unwrap();
            assert_eq!(file.relays().count(), 0);
            let _ = fs::remove_dir(folder.join("state.json.new"));
            file.save([relay("news")].into());
            drop(file);
            assert_eq!(load(&path), [relay("news")].into());
            fs::remove_dir_all(&folder).unwrap();
            fs::create_dir(&folder).unwrap();
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_invalid_name_is_ignored() {
        let folder = folder("names");
        let path = folder.join("state.json");
        let relays: Vec<_> = ["../../etc", "", "a\nb", "news", &"x".repeat(300)].map(relay).into();
        fs::write(&path, serde_json::json!({"version": 1, "relays": relays}).to_string()).unwrap();
        assert_eq!(load(&path), [relay("news")].into());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_missing_folder_or_a_device_stops_nothing() {
        for path in ["/dev/null/state.json", "/dev/null", "/nowhere/state.json"] {
            let file = StateFile::load(Path::new(path), 1000).unwrap();
            file.save([relay("news")].into());
            file.save([].into());
        }
        assert!(fs::symlink_metadata("/dev/null").unwrap().file_type().is_char_device());
    }

    #[test]
    fn a_failed_write_is_tried_again() {
        let folder = folder("later");
        let path = folder.join("deep/state.json");
        let file = StateFile::load(&path, 1000).unwrap();
        file.save([relay("news")].into());
        fs::create_dir(folder.join("deep")).unwrap();
        while read(&path, 1000).unwrap().is_empty() {
            thread::sleep(Duration::from_millis(10));
        }
        drop(file);
        fs::remove_dir_all(folder).unwrap();
    }
}
