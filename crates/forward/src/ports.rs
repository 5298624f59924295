//! Source ports: an even one for RTP and the next, odd one for RTCP (RFC 3550, section 11).

use crate::error::OpenError;
use crate::path::{Multicast, Path};
use crate::receiver;
use nix::net::if_::if_nametoindex;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::os::fd::AsFd;

/// How often a pair of ephemeral ports is tried for.
const TRIES: usize = 200;

/// Large enough for a few batches on their way through the network device.
const SEND_BUFFER: usize = 1 << 20;

/// The source ports that outputs may use.
pub(crate) struct Ports {
    /// The even ports that RTP may be sent from; without them the kernel picks.
    even: Option<Vec<u16>>,
    /// Which of them to try first.
    next: usize,
}

impl Ports {
    /// `None` if the range holds no even port that is followed by an odd one.
    pub(crate) fn new(range: Option<RangeInclusive<u16>>) -> Option<Ports> {
        let Some(range) = range else { return Some(Ports { even: None, next: 0 }) };
        let end = *range.end();
        let even: Vec<u16> =
            range.filter(|port| *port != 0 && port % 2 == 0 && *port < end).collect();
        (!even.is_empty()).then_some(Ports { even: Some(even), next: 0 })
    }

    /// Opens the sockets of one media, connected to their targets.
    pub(crate) fn open(
        &mut self,
        rtp: &Path,
        rtcp: Option<&Path>,
    ) -> Result<(UdpSocket, Option<UdpSocket>), OpenError> {
        let Some(even) = &self.even else {
            for _ in 0..TRIES {
                if let Some(pair) = ephemeral_pair(rtp, rtcp)? {
                    return Ok(pair);
                }
            }
            return Err(OpenError::NoPorts { target: rtp.target });
        };
        for step in 0..even.len() {
            let at = (self.next + step) % even.len();
            if let Some(pair) = pair_at(even[at], rtp, rtcp)? {
                self.next = at + 1;
                return Ok(pair);
            }
        }
        Err(OpenError::NoPorts { target: rtp.target })
    }
}

type Pair = (UdpSocket, Option<UdpSocket>);

/// Takes whichever port the kernel gives and its neighbour; `None` if that is taken.
fn ephemeral_pair(rtp: &Path, rtcp: Option<&Path>) -> Result<Option<Pair>, OpenError> {
    let Some(first) = bound(rtp, 0)? else { return Ok(None) };
    let failed = |error| OpenError::Target { target: rtp.target, step: "reading its port", error };
    let port = first.local_addr().map_err(failed)?.port();
    let Some(rtcp) = rtcp else { return Ok(Some((connected(first, rtp)?, None))) };
    if port % 2 == 0 {
        let Some(second) = bound(rtcp, port + 1)? else { return Ok(None) };
        return Ok(Some((connected(first, rtp)?, Some(connected(second, rtcp)?))));
    }
    let Some(even) = bound(rtp, port - 1)? else { return Ok(None) };
    drop(first);
    let Some(odd) = bound(rtcp, port)? else { return Ok(None) };
    Ok(Some((connected(even, rtp)?, Some(connected(odd, rtcp)?))))
}

/// Takes this even port and the next; `None` if one of them is taken.
fn pair_at(even: u16, rtp: &Path, rtcp: Option<&Path>) -> Result<Option<Pair>, OpenError> {
    let Some(first) = bound(rtp, even)? else { return Ok(None) };
    let Some(rtcp) = rtcp else { return Ok(Some((connected(first, rtp)?, None))) };
    let Some(second) = bound(rtcp, even + 1)? else { return Ok(None) };
    Ok(Some((connected(first, rtp)?, Some(connected(second, rtcp)?))))
}

/// A socket for sending on a path, bound to a port; `None` if the port is taken.
fn bound(path: &Path, port: u16) -> Result<Option<UdpSocket>, OpenError> {
    let target = path.target;
    let failed = |step| move |error| OpenError::Target { target, step, error };
    let socket = Socket::new(Domain::for_address(target), Type::DGRAM, Some(Protocol::UDP))
        .map_err(failed("opening a socket"))?;
    prepare(&socket, target).map_err(failed("setting the socket's options"))?;
    if let Some(multicast) = &path.multicast {
        prepare_multicast(&socket, target, multicast)?;
    }
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    match socket.bind(&SocketAddr::new(any, port).into()) {
        Ok(()) => Ok(Some(socket.into())),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(error) => Err(failed("binding the socket")(error)),
    }
}

fn prepare(socket: &Socket, target: SocketAddr) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    // Without this a connected socket is told of closed ports, but not of hosts out of reach.
    let (level, option) = match target {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_RECVERR),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    };
    crate::sys::set_int(socket.as_fd(), level, option, 1)?;
    // A datagram that is larger than the path's MTU goes in fragments, here or on the way, and
    // is never refused: the encoder chose its size.
    if target.is_ipv6() {
        socket.set_only_v6(true)?;
        let dont = libc::IPV6_PMTUDISC_DONT;
        crate::sys::set_int(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, dont)
    } else {
        let dont = libc::IP_PMTUDISC_DONT;
        crate::sys::set_int(socket.as_fd(), libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, dont)
    }
}

/// How far and over which interface a socket sends to groups.
fn prepare_multicast(
    socket: &Socket,
    target: SocketAddr,
    Multicast { ttl, interface }: &Multicast,
) -> Result<(), OpenError> {
    let failed = |error| OpenError::Target { target, step: "setting the socket's options", error };
    let index = |name: &String| {
        let missing = |_| OpenError::NoWay { target, interface: name.clone() };
        if_nametoindex(name.as_str()).map_err(missing)
    };
    let index = interface.as_ref().map(index).transpose()?;
    let (hops, socket_ref) = (u32::from(*ttl), socket.as_fd());
    match (target, index) {
        (SocketAddr::V4(_), index) => socket.set_multicast_ttl_v4(hops).and_then(|()| {
            index.map_or(Ok(()), |index| crate::sys::set_multicast_interface_v4(socket_ref, index))
        }),
        (SocketAddr::V6(_), index) => socket
            .set_multicast_hops_v6(hops)
            .and_then(|()| index.map_or(Ok(()), |index| socket.set_multicast_if_v6(index))),
    }
    .map_err(failed)?;
    // Linux keeps what may pass no router at all on the host only if there is a member on it: so
    // this is one. Nothing arrives here, for the socket is connected to the group.
    if *ttl == 0 {
        receiver::join_group(socket, target.ip(), index.unwrap_or(0)).map_err(failed)?;
    }
    Ok(())
}

fn connected(socket: UdpSocket, path: &Path) -> Result<UdpSocket, OpenError> {
    let target = path.target;
    let failed = |error| OpenError::Target { target, step: "connecting the socket", error };
    socket.connect(target).map_err(failed)?;
    Ok(socket)
}
