//! Limits this process to the files and system calls that it needs.
//!
//! Landlock limits files, and seccomp limits system calls. Both apply to the calling thread and
//! every thread that it starts, and cannot be undone.

mod landlock;
mod seccomp;

use std::path::Path;

use catalog::Config;
use tracing::{info, warn};

pub(crate) use landlock::Fence;

/// Confines this thread and those that it starts, as far as the kernel supports it, and logs how
/// far that is. `config` is the path of dynrelay.toml, `says` its contents.
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
