//! Reads the catalogue for a reload on a thread of its own, so that no caller waits for the disk.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use catalog::{Catalog, ConfigError};

use super::message::Message;
use crate::core::Input;

/// A reading of the catalogue.
#[derive(Debug)]
pub(crate) struct Reader {
    config: PathBuf,
    sender: Sender<Message>,
    /// Passes the old catalogue to the thread that has read the new one.
    retire: Option<Sender<Arc<Catalog>>>,
}

impl Reader {
    /// Reads `config` and its streams folder, and sends the result to `sender`.
    pub(crate) fn new(config: PathBuf, sender: Sender<Message>) -> Self {
        Self { config, sender, retire: None }
    }

    /// Starts to read. Returns the result at once if that is impossible.
    pub(crate) fn read(&mut self, before: Arc<Catalog>) -> Option<Input> {
        let (config, sender) = (self.config.clone(), self.sender.clone());
        let (retire, retired) = mpsc::channel();
        let spawned = thread::Builder::new().name("reload".into()).spawn(move || {
            let result = before.load_again(&config).map(Arc::new);
            drop(before);
            let read = result.is_ok();
            // There is no receiver only while the daemon stops.
            let _ = sender.send(Message::Input(Input::CatalogRead(result)));
            if read {
                // Freeing a large catalogue takes time, so this thread does that, too.
                drop(retired.recv());
            }
            trim_memory();
        });
        self.retire = spawned.is_ok().then_some(retire);
        let error = spawned.err()?;
        let error = ConfigError::Unreadable { file: self.config.clone(), error };
        Some(Input::CatalogRead(Err(error)))
    }

    /// Frees a catalogue that is no longer in use.
    pub(crate) fn retire(&mut self, catalog: Arc<Catalog>) {
        if let Some(retire) = self.retire.take() {
            // If the thread is gone, frees the catalogue here.
            let _ = retire.send(catalog);
        }
    }
}

/// Reads a catalogue, on a thread that then ends. The C library gives each thread its own memory; to
/// free a catalogue from the main thread's memory would hold up that thread.
pub(crate) fn load(config: &Path) -> Result<Catalog, ConfigError> {
    let read = thread::scope(|scope| scope.spawn(|| Catalog::load(config)).join());
    read.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Returns the catalogue's memory to the system.
pub(crate) fn trim_memory() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "the C library has no safe wrapper for this call")]
    // SAFETY: malloc_trim has no preconditions; it may be called from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
