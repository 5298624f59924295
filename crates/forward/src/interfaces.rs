//! Notices of the kernel that interfaces came, went or changed.

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A netlink socket (rtnetlink(7)) that becomes readable when links or addresses change.
pub(crate) struct Interfaces(OwnedFd);

impl Interfaces {
    pub(crate) fn watch() -> io::Result<Interfaces> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let netlink = SockProtocol::NetlinkRoute;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, netlink)?;
        let groups = libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups.cast_unsigned()))?;
        Ok(Interfaces(socket))
    }

    /// Discards the waiting messages. Their content doesn't matter, since every membership is checked.
    pub(crate) fn drain(&self) {
        let mut message = [0; 8192];
        loop {
            match recv(self.0.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT) {
                Ok(1..) => {}
                // Some messages were lost, and more are waiting.
                Err(nix::Error::ENOBUFS | nix::Error::EINTR) => {}
                Ok(_) | Err(_) => return,
            }
        }
    }
}

impl AsFd for Interfaces {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
