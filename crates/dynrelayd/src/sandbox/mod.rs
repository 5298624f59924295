//! What this process may do at all: its own files and calls, and no others, whatever becomes of it.
//!
//! Landlock fences its files in, seccomp its system calls. Both hold for the thread that asks for
//! them and for every thread that it starts, and can't be taken back.

mod landlock;
mod seccomp;

use std::path::Path;

use catalog::Config;
use tracing::{info, warn};

pub(crate) use landlock::Fence;

/// Confines this thread and those it will start, as far as the kernel can, and logs how far that
/// is. `config` is where dynrelay.toml is, `says` what it says.
pub(crate) fn start(config: &Path, says: &Config) {
    match landlock::fence(&Fence::of(config, says)) {
        Ok(landlock::Fenced::Fully) => info!("files are confined by Landlock"),
        Ok(landlock::Fenced::Partly) => info!("files are confined by an older Landlock, in part"),
        Ok(landlock::Fenced::NotAtAll) => {
            warn!("files are not confined: the kernel has no Landlock");
        }
        Err(error) => warn!("files are not confined: {error}"),
    }
    match seccomp::filter() {
        Ok(()) => info!("system calls are confined by seccomp"),
        Err(error) => warn!("system calls are not confined: {error}"),
    }
}

#[cfg(test)]
mod tests;
