//! The kernel's view of a daemon.
#![allow(dead_code, reason = "each test program uses its part of it")]

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
        let remote = table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(2));
        let mut ports: Vec<u16> = remote
            .filter_map(|remote| remote.split_once(':'))
            .filter(|(to, _)| *to == wanted)
            .map(|(_, port)| u16::from_str_radix(port, 16).unwrap())
            .collect();
        ports.sort_unstable();
        ports
    }

    fn proc(&self, of: &str) -> String {
        format!("/proc/{}/{of}", self.child.id())
    }
}
