//! ICMP errors in a socket's error queue (IP_RECVERR, ip(7)).

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
use std::io::IoSliceMut;
use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsRawFd;

/// How many bytes of the quoted packet are read: an RTP header, or the beginning of an RTCP packet.
pub(crate) const QUOTE: usize = 12;

/// An ICMP error about a packet of a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct IcmpError {
    /// ICMPv6 (RFC 4443), not ICMP (RFC 792).
    pub(crate) v6: bool,
    /// The ICMP type.
    pub(crate) kind: u8,
    /// The ICMP code.
    pub(crate) code: u8,
    /// The kernel's error number for it.
    pub(crate) errno: i32,
    /// The host that sent the error, as far as its source address is true.
    pub(crate) offender: Option<IpAddr>,
    /// The beginning of the UDP payload that the error quotes; `None` if it quotes less than
    /// [`QUOTE`] bytes of it. The kernel keeps the UDP header to itself.
    pub(crate) quote: Option<[u8; QUOTE]>,
}

/// The meaning of a true ICMP error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Meaning {
    /// The port is closed.
    PortUnreachable,
    /// A firewall rejects the packets.
    Prohibited,
    /// The network or the host can't be reached.
    Unreachable,
    /// Nothing that concerns a relay, such as "fragmentation needed".
    Other,
}

impl IcmpError {
    /// The meaning of the error.
    pub(crate) fn meaning(&self) -> Meaning {
        match (self.v6, self.kind, self.code) {
            (false, 3, 3) | (true, 1, 4) => Meaning::PortUnreachable,
            (false, 3, 9 | 10 | 13) | (true, 1, 1) => Meaning::Prohibited,
            (false, 3, 4) => Meaning::Other,
            (false, 3 | 11, _) | (true, 1 | 3, _) => Meaning::Unreachable,
            _ => Meaning::Other,
        }
    }
}

/// Room for the control messages of one entry.
pub(crate) struct ErrorBuffer(Vec<u8>);

impl ErrorBuffer {
    pub(crate) fn new() -> ErrorBuffer {
        ErrorBuffer(nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6))
    }
}

/// Takes the next entry of a socket's error queue: `None` if the queue is empty, `Some(None)` if the
/// entry is no ICMP error.
pub(crate) fn next_error(
    socket: &UdpSocket,
    ErrorBuffer(control): &mut ErrorBuffer,
) -> Option<Option<IcmpError>> {
    let mut quote = [0; QUOTE];
    let mut slices = [IoSliceMut::new(&mut quote)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(control), flags).ok()?;
    let length = message.bytes;
    let read = message.cmsgs().ok().and_then(|mut messages| messages.find_map(of_control));
    let Some((v6, error, offender)) = read else { return Some(None) };
    Some(Some(IcmpError {
        v6,
        kind: error.ee_type,
        code: error.ee_code,
        errno: i32::try_from(error.ee_errno).unwrap_or(0),
        offender: offender.map(|address| address.to_canonical()),
        quote: (length == QUOTE).then_some(quote),
    }))
}

fn of_control(
    message: ControlMessageOwned,
) -> Option<(bool, libc::sock_extended_err, Option<IpAddr>)> {
    match message {
        ControlMessageOwned::Ipv4RecvErr(error, offender)
            if error.ee_origin == libc::SO_EE_ORIGIN_ICMP =>
        {
            let offender = offender.map(|address| u32::from_be(address.sin_addr.s_addr));
            Some((false, error, offender.map(|bits| IpAddr::V4(bits.into()))))
        }
        ControlMessageOwned::Ipv6RecvErr(error, offender)
            if error.ee_origin == libc::SO_EE_ORIGIN_ICMP6 =>
        {
            let offender = offender.map(|address| address.sin6_addr.s6_addr);
            Some((true, error, offender.map(|octets| IpAddr::V6(octets.into()))))
        }
        _ => None,
    }
}
