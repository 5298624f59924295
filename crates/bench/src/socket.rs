//! The sockets that the parts use.

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{RcvBufForce, SndBufForce};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

/// The receive buffer of a forwarding socket: dynrelayd's default.
const FORWARD_BUFFER: usize = 4 << 20;

/// Receives a group as a forwarder does.
pub(crate) fn group(group: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = receiving(group, FORWARD_BUFFER)?;
    socket.set_multicast_all_v4(false)?;
    socket.join_multicast_v4(group.ip(), &Ipv4Addr::UNSPECIFIED)?;
    Ok(socket.into())
}

/// Receives at an address and port. The buffer has this many bytes, whatever net.core.rmem_max
/// says.
pub(crate) fn receiving(at: SocketAddrV4, buffer: usize) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    setsockopt(&socket, RcvBufForce, &buffer)?;
    socket.bind(&at.into())?;
    Ok(socket)
}

/// Sends to one target.
pub(crate) fn connected(target: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(target)?;
    Ok(socket)
}

/// Sends to groups along the routing table.
pub(crate) fn sending() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_multicast_ttl_v4(8)?;
    socket.set_multicast_loop_v4(false)?;
    setsockopt(&socket, SndBufForce, &(8 << 20))?;
    Ok(socket)
}
