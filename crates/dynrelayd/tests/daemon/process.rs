//! The kernel's view of a daemon.
#![allow(dead_code, reason = "each test program uses its part of it")]

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;

use super::Daemon;

/// A daemon's resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holds {
    pub descriptors: usize,
    pub threads: usize,
    /// Memory, in KiB.
    pub resident: usize,
}

impl Daemon {
    pub fn holds(&self) -> Holds {
        let entries = |of| fs::read_dir(self.proc(of)).unwrap().count();
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let resident = resident.trim().trim_end_matches(" kB").parse().unwrap();
        Holds { descriptors: entries("fd"), threads: entries("task"), resident }
    }

    /// The ports at an address that connected UDP sockets in the daemon's network namespace send
    /// to.
    pub fn targets(&self, address: Ipv4Addr) -> Vec<u16> {
        let wanted = format!("{:08X}", u32::from_le_bytes(address.octets()));
        let table = fs::read_to_string(self.proc("net/udp")).unwrap();
        // The kernel may list a socket twice while other sockets come and go: its inode tells.
        let sockets: BTreeSet<(u16, &str)> = table
            .lines()
            .skip(1)
            .filter_map(|line| {
                let mut columns = line.split_whitespace();
                let (to, port) = columns.nth(2)?.split_once(':')?;
                let inode = columns.nth(6)?;
                (to == wanted).then(|| (u16::from_str_radix(port, 16).unwrap(), inode))
            })
            .collect();
        sockets.into_iter().map(|(port, _)| port).collect()
    }

    fn proc(&self, of: &str) -> String {
        format!("/proc/{}/{of}", self.child.id())
    }
}
