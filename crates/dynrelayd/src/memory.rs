//! What was relayed, remembered over a restart or a crash.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;

/// The layout of the file that is written here.
const VERSION: u32 = 1;
/// A larger file is none of ours, in bytes.
const LARGEST: u64 = 4 << 20;

/// One stream on its way to one edge, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub(crate) stream: String,
    pub(crate) edge: String,
}

#[derive(Serialize, Deserialize)]
struct Layout {
    version: u32,
    relays: BTreeSet<Remembered>,
}

/// The state file, and what it holds.
#[derive(Debug)]
pub(crate) struct Memory {
    path: PathBuf,
    saved: BTreeSet<Remembered>,
    complained: bool,
}

impl Memory {
    /// Reads the file. One that can't be read as ours is set aside, and stops nothing.
    pub(crate) fn load(path: &Path) -> Self {
        let saved = read(path).unwrap_or_else(|error| {
            set_aside(path, &error);
            BTreeSet::new()
        });
        Self { path: path.to_owned(), saved, complained: false }
    }

    /// The relays that ran when the file was written.
    pub(crate) fn relays(&self) -> impl Iterator<Item = &Remembered> {
        self.saved.iter()
    }

    /// Writes the file if these relays are others than it holds: whole, or not at all.
    pub(crate) fn save(&mut self, relays: BTreeSet<Remembered>) {
        if relays == self.saved {
            return;
        }
        match write(&self.path, &relays) {
            Ok(()) => self.complained = false,
            Err(error) if !self.complained => {
                self.complained = true;
                let path = self.path.display();
                warn!("{path}: {error}: the relays that run now will not survive a restart");
            }
            Err(_) => {}
        }
        self.saved = relays;
    }
}

fn read(path: &Path) -> io::Result<BTreeSet<Remembered>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text)?;
    let layout: Layout = serde_json::from_str(&text)?;
    if layout.version != VERSION {
        return Err(io::Error::other(format!(
            "it is of version {}, not {VERSION}",
            layout.version
        )));
    }
    Ok(layout.relays)
}

fn set_aside(path: &Path, error: &io::Error) {
    let aside = beside(path, "bad");
    let (file, kept) = (path.display(), aside.display());
    match fs::rename(path, &aside) {
        Ok(()) => warn!("{file}: {error}: it is kept as {kept}, and no relay is resumed"),
        Err(moving) => {
            warn!("{file}: {error} (and can't be set aside: {moving}): no relay is resumed");
        }
    }
}

fn write(path: &Path, relays: &BTreeSet<Remembered>) -> io::Result<()> {
    let text = serde_json::to_vec(&Layout { version: VERSION, relays: relays.clone() })?;
    let new = beside(path, "new");
    let mut file = File::create(&new)?;
    file.write_all(&text)?;
    file.sync_data()?;
    fs::rename(&new, path)
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
            std::env::temp_dir().join(format!("dynrelay-memory-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn relay(stream: &str) -> Remembered {
        Remembered { stream: stream.into(), edge: "dss2".into() }
    }

    #[test]
    fn what_ran_is_remembered() {
        let folder = folder("kept");
        let path = folder.join("state.json");
        let mut memory = Memory::load(&path);
        assert_eq!(memory.relays().count(), 0);
        memory.save([relay("news"), relay("sport")].into());
        memory.save([relay("news")].into());
        assert_eq!(Memory::load(&path).relays().collect::<Vec<_>>(), [&relay("news")]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_not_ours_is_set_aside() {
        let folder = folder("aside");
        let path = folder.join("state.json");
        let torn = r#"{"version":1,"relays":[{"str"#;
        let later = r#"{"version":2,"relays":[]}"#;
        for bad in ["", torn, "[]", later, "\u{0}\u{1}"] {
            fs::write(&path, bad).unwrap();
            assert_eq!(Memory::load(&path).relays().count(), 0, "{bad}");
            assert!(!path.exists());
            assert_eq!(fs::read_to_string(folder.join("state.json.bad")).unwrap(), bad);
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_full_disk_stops_nothing() {
        let mut memory = Memory::load(Path::new("/dev/null/state.json"));
        memory.save([relay("news")].into());
        memory.save([].into());
    }
}
