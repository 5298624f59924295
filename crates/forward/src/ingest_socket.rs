//! The socket that receives a source.

use crate::error::OpenError;
use crate::path::Source;
use crate::sys::{join_source, set_int};
use nix::net::if_::if_nametoindex;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockFilter, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::AsFd;

/// Opens and binds a socket for a source, and joins its group.
///
/// It is bound to the group's address, so that groups on one port never mix. IP_MULTICAST_ALL is
/// off, so that only this socket's own membership counts. Many sockets may receive one group; only
/// one may have the port of a unicast source. `buffer` is the receive buffer in bytes. The socket
/// does not block, and counts what the kernel drops (SO_RXQ_OVFL).
pub(crate) fn open(source: &Source, buffer: usize) -> Result<Socket, OpenError> {
    let index = interface_index(source)?;
    let failed = |step| move |error| OpenError::Source { source_: source.clone(), step, error };
    let address = bind_address(source, index);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))
        .map_err(failed("opening a socket"))?;
    prepare(&socket, source, buffer).map_err(failed("setting the socket's options"))?;
    socket.bind(&address.into()).map_err(failed("binding the socket"))?;
    if let Some(peer) = source.peer {
        // The filter kept everything out until now.
        socket
            .connect(&SocketAddr::new(source.address, peer).into())
            .map_err(failed("connecting the socket"))?;
        socket.detach_filter().map_err(failed("connecting the socket"))?;
    }
    for sender in memberships(source) {
        join(&socket, source, sender, index).map_err(failed("joining the group"))?;
    }
    Ok(socket)
}

/// Joins the group again. True if the membership was lost with its interface, false if it was
/// still there.
pub(crate) fn rejoin(socket: &Socket, source: &Source) -> Result<bool, OpenError> {
    use io::ErrorKind::{AddrInUse, AddrNotAvailable};
    let index = interface_index(source)?;
    let mut lost = false;
    for sender in memberships(source) {
        match join(socket, source, sender, index) {
            Ok(()) => lost = true,
            // Already a member: EADDRINUSE for a group, EADDRNOTAVAIL for a group and sender.
            Err(error) if matches!(error.kind(), AddrInUse | AddrNotAvailable) => {}
            Err(error) => {
                let source_ = source.clone();
                return Err(OpenError::Source { source_, step: "joining the group", error });
            }
        }
    }
    Ok(lost)
}

/// The senders that a group is joined for, or none once for all senders. Nothing for unicast.
fn memberships(source: &Source) -> Vec<Option<IpAddr>> {
    match &source.senders[..] {
        _ if !source.address.is_multicast() => Vec::new(),
        [] => vec![None],
        senders => senders.iter().copied().map(Some).collect(),
    }
}

/// The index of the source's interface; 0 if it has none.
fn interface_index(source: &Source) -> Result<u32, OpenError> {
    let Some(interface) = &source.interface else { return Ok(0) };
    if_nametoindex(interface.as_str()).map_err(|_| OpenError::NoInterface {
        source_: source.clone(),
        interface: interface.clone(),
    })
}

fn bind_address(source: &Source, index: u32) -> SocketAddr {
    match source.address {
        // The scope matters to link-local addresses; the kernel ignores it in others.
        IpAddr::V6(address) => SocketAddrV6::new(address, source.port, 0, index).into(),
        address @ IpAddr::V4(_) => SocketAddr::new(address, source.port),
    }
}

fn prepare(socket: &Socket, source: &Source, buffer: usize) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    set_buffer(socket, buffer)?;
    set_int(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)?;
    if source.address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if !source.address.is_multicast() {
        return match &source.senders[..] {
            [] if source.peer.is_none() => Ok(()),
            senders => socket.attach_filter(&only_from(senders)),
        };
    }
    socket.set_reuse_address(true)?;
    match (source.address, &source.interface) {
        (IpAddr::V4(_), _) => socket.set_multicast_all_v4(false),
        (IpAddr::V6(_), None) => socket.set_multicast_all_v6(false),
        (IpAddr::V6(_), Some(interface)) => {
            socket.set_multicast_all_v6(false)?;
            // IPv6 checks a membership's group but not its interface.
            socket.bind_device(Some(interface.as_bytes()))
        }
    }
}

fn set_buffer(socket: &Socket, bytes: usize) -> io::Result<()> {
    let size = i32::try_from(bytes).unwrap_or(i32::MAX);
    // Without CAP_NET_ADMIN the kernel caps the buffer at net.core.rmem_max.
    set_int(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, size)
        .or_else(|_| socket.set_recv_buffer_size(bytes))
}

/// The receive buffer that the kernel grants, in bytes.
pub(crate) fn granted_buffer(bytes: usize) -> io::Result<usize> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    set_buffer(&socket, bytes)?;
    // The kernel doubles it, as room for its own bookkeeping.
    Ok(socket.recv_buffer_size()? / 2)
}

fn join(socket: &Socket, source: &Source, sender: Option<IpAddr>, index: u32) -> io::Result<()> {
    match sender {
        Some(sender) => join_source(socket.as_fd(), source.address, sender, index),
        None => join_group(socket, source.address, index),
    }
}

/// Joins a group on the interface with this index, where 0 lets the routes decide.
pub(crate) fn join_group(socket: &Socket, group: IpAddr, index: u32) -> io::Result<()> {
    match group {
        IpAddr::V4(group) => {
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))
        }
        IpAddr::V6(group) => socket.join_multicast_v6(&group, index),
    }
}

/// A socket filter (classic BPF) that accepts these senders' packets. Unicast needs it, because it has
/// no source-specific join.
fn only_from(senders: &[IpAddr]) -> Vec<SockFilter> {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    // SKF_NET_OFF: an offset that counts from the IP header.
    const IP_HEADER: u32 = (-0x10_0000_i32).cast_unsigned();
    let mut filter = Vec::new();
    for sender in senders {
        let (offset, octets) = match sender {
            IpAddr::V4(sender) => (12, sender.octets().to_vec()),
            IpAddr::V6(sender) => (8, sender.octets().to_vec()),
        };
        let words =
            octets.chunks_exact(4).map(|word| word.iter().fold(0, |n, b| n << 8 | u32::from(*b)));
        let mut left = u8::try_from(octets.len() / 4).unwrap_or(0);
        for (at, word) in (IP_HEADER + offset..).step_by(4).zip(words) {
            left -= 1;
            // Unequal: skip the remaining words (two instructions each) and the "accept".
            filter.push(SockFilter::new(LOAD_WORD, 0, 0, at));
            filter.push(SockFilter::new(JUMP_IF_EQUAL, 0, left * 2 + 1, word));
        }
        filter.push(SockFilter::new(RETURN, 0, 0, u32::MAX));
    }
    filter.push(SockFilter::new(RETURN, 0, 0, 0));
    filter
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, UdpSocket};
    use std::time::Duration;

    #[test]
    fn a_source_with_a_peer_receives_nothing_from_others() {
        let local = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (peer, stranger, free) = (local(), local(), local());
        let at = free.local_addr().unwrap();
        drop(free);
        let source = Source {
            address: at.ip(),
            port: at.port(),
            senders: Vec::new(),
            peer: Some(peer.local_addr().unwrap().port()),
            interface: None,
            named: Default::default(),
        };
        let socket: UdpSocket = open(&source, 100_000).unwrap().into();
        socket.set_nonblocking(false).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        for _ in 0..3 {
            let _ = stranger.send_to(b"no", at);
            peer.send_to(b"yes", at).unwrap();
            let mut packet = [0; 9];
            assert_eq!(socket.recv(&mut packet).unwrap(), 3);
        }
    }
}
