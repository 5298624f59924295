//! The daemon's process, as /proc tells of it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nix::unistd::Uid;

/// The bit of CAP_NET_ADMIN, which makes a receive buffer as large as it is asked for.
const NET_ADMIN: u64 = 1 << 12;

/// A process of this host that is dynrelayd.
#[derive(Debug)]
pub(super) struct Process {
    folder: PathBuf,
}

impl Process {
    /// The daemon's, by the number that it gives itself; none if that is another's here, since it
    /// runs in another process namespace, or if other users' processes are hidden.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let name = fs::read_to_string(folder.join("comm")).ok()?;
        (name.trim() == "dynrelayd").then_some(Self { folder })
    }

    /// Who it runs as.
    pub(super) fn user(&self) -> Option<Uid> {
        Some(Uid::from_raw(fs::metadata(&self.folder).ok()?.uid()))
    }

    /// How many files it may have open.
    pub(super) fn file_limit(&self) -> Option<u64> {
        open_files(&fs::read_to_string(self.folder.join("limits")).ok()?)
    }

    /// Whether its buffers may be larger than net.core.rmem_max.
    pub(super) fn is_net_admin(&self) -> Option<bool> {
        let status = fs::read_to_string(self.folder.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
        Some(u64::from_str_radix(line.trim(), 16).ok()? & NET_ADMIN != 0)
    }

    /// Whether its network is the one that is looked at here.
    pub(super) fn shares_our_network(&self) -> Option<bool> {
        let its = fs::read_link(self.folder.join("ns/net")).ok()?;
        Some(its == fs::read_link("/proc/self/ns/net").ok()?)
    }
}

/// The soft limit in /proc/PID/limits.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_files() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
            Max processes             4096                 4096                 processes\n\
            Max open files            1024                 524288               files\n";
        assert_eq!(open_files(limits), Some(1024));
        assert_eq!(open_files("Max open files  unlimited unlimited files"), Some(u64::MAX));
        assert_eq!(open_files(""), None);
    }

    #[test]
    fn another_program_is_not_the_daemon() {
        assert!(Process::of(std::process::id()).is_none());
        let here = Process { folder: "/proc/self".into() };
        assert_eq!(here.user(), Some(nix::unistd::geteuid()));
        assert_eq!(here.shares_our_network(), Some(true));
        assert!(here.file_limit().unwrap() > 0 && here.is_net_admin().is_some());
    }
}
