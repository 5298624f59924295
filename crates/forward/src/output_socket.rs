//! The sockets that outputs send on, and their ports.

use crate::error::OpenError;
use crate::ingest_socket::join_group;
use crate::path::{Multicast, Path};
use crate::sys::{set_int, set_multicast_interface_v4};
use nix::net::if_::if_nametoindex;
use rtp::{PortPair, unless_taken};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::os::fd::AsFd;

/// Room for a few batches on their way through the network device, in bytes.
const SEND_BUFFER: usize = 1 << 20;

/// The source ports that outputs may use.
pub(crate) struct SourcePorts {
    /// The even ports that RTP may use; `None` lets the kernel pick.
    even: Option<Vec<u16>>,
    /// Which of them to try first.
    next: usize,
}

impl SourcePorts {
    /// `None` if the range holds no even port that is followed by an odd one.
    pub(crate) fn new(range: Option<RangeInclusive<u16>>) -> Option<SourcePorts> {
        let Some(range) = range else { return Some(SourcePorts { even: None, next: 0 }) };
        let end = *range.end();
        let even: Vec<u16> =
            range.filter(|port| *port != 0 && port % 2 == 0 && *port < end).collect();
        (!even.is_empty()).then_some(SourcePorts { even: Some(even), next: 0 })
    }

    /// Opens the sockets of one media, connected to their targets.
    pub(crate) fn open(
        &mut self,
        rtp: &Path,
        rtcp: Option<&Path>,
    ) -> Result<(UdpSocket, Option<UdpSocket>), OpenError> {
        let bind = |port| match rtcp {
            Some(rtcp) if port % 2 == 1 => bound(rtcp, port),
            _ => bound(rtp, port),
        };
        let (first, second) = match &self.even {
            None if rtcp.is_some() => PortPair::ephemeral(bind)?.map(halves),
            None => bind(0)?.map(|rtp| (rtp, None)),
            Some(even) => {
                let mut found = None;
                for step in 0..even.len() {
                    let at = (self.next + step) % even.len();
                    found = match rtcp {
                        Some(_) => PortPair::at(even[at], bind)?.map(halves),
                        None => bind(even[at])?.map(|rtp| (rtp, None)),
                    };
                    if found.is_some() {
                        self.next = at + 1;
                        break;
                    }
                }
                found
            }
        }
        .ok_or(OpenError::NoPorts { target: rtp.target })?;
        let second = second.zip(rtcp).map(|(socket, rtcp)| connected(socket, rtcp)).transpose()?;
        Ok((connected(first, rtp)?, second))
    }
}

fn halves(pair: PortPair) -> (UdpSocket, Option<UdpSocket>) {
    (pair.rtp, Some(pair.rtcp))
}

/// A socket for sending on a path, bound to a port, where 0 is any; `None` if the port is taken.
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
    let bound = unless_taken(socket.bind(&SocketAddr::new(any, port).into()));
    Ok(bound.map_err(failed("binding the socket"))?.map(|()| socket.into()))
}

/// Makes the kernel report ICMP errors in the socket's error queue, with the sender and the quoted
/// packet.
pub(crate) fn report_errors(socket: &impl AsFd, target: IpAddr) -> io::Result<()> {
    let (level, option) = match target {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_RECVERR),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    };
    set_int(socket.as_fd(), level, option, 1)
}

fn prepare(socket: &Socket, target: SocketAddr) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    report_errors(socket, target.ip())?;
    // The encoder chose the size of its datagrams. One that is larger than the path's MTU goes out
    // in fragments, made here or by a router, instead of failing. Over IPv4 this ignores the path's
    // MTU that ICMP errors claim, because anybody can invent them and routers make fragments.
    if target.is_ipv6() {
        socket.set_only_v6(true)?;
        let dont = libc::IPV6_PMTUDISC_DONT;
        set_int(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, dont)
    } else {
        let omit = libc::IP_PMTUDISC_OMIT;
        set_int(socket.as_fd(), libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, omit)
    }
}

/// Sets how far and over which interface a socket sends to groups.
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
    let hops = u32::from(*ttl);
    match (target, index) {
        (SocketAddr::V4(_), index) => socket.set_multicast_ttl_v4(hops).and_then(|()| {
            index.map_or(Ok(()), |index| set_multicast_interface_v4(socket.as_fd(), index))
        }),
        (SocketAddr::V6(_), index) => socket
            .set_multicast_hops_v6(hops)
            .and_then(|()| index.map_or(Ok(()), |index| socket.set_multicast_if_v6(index))),
    }
    .map_err(failed)?;
    // With a TTL of 0 Linux delivers to this host only if it has a member of the group, so this
    // socket becomes one. It receives nothing itself, because it is connected to the group.
    if *ttl == 0 {
        join_group(socket, target.ip(), index.unwrap_or(0)).map_err(failed)?;
    }
    Ok(())
}

fn connected(socket: UdpSocket, path: &Path) -> Result<UdpSocket, OpenError> {
    let target = path.target;
    let failed = |error| OpenError::Target { target, step: "connecting the socket", error };
    socket.connect(target).map_err(failed)?;
    Ok(socket)
}
