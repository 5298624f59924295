//! Where a media's packets are handed on.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::error::Error;

/// Where a media's packets are handed on: two UDP sockets of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlet {
    /// RTP.
    pub rtp: SocketAddr,
    /// RTCP.
    pub rtcp: SocketAddr,
}

impl Outlet {
    /// Free ports of this host's loopback, for so many medias. They stay free for whoever drops the
    /// sockets, and opens them for good at once.
    pub fn reserve(medias: usize) -> io::Result<(Vec<Self>, Vec<UdpSocket>)> {
        let mut reserved = Vec::with_capacity(2 * medias);
        let mut port = || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            let address = socket.local_addr()?;
            reserved.push(socket);
            Ok::<SocketAddr, io::Error>(address)
        };
        let outlets: io::Result<Vec<Self>> =
            (0..medias).map(|_| Ok(Self { rtp: port()?, rtcp: port()? })).collect();
        Ok((outlets?, reserved))
    }
}

/// One of the two, open.
#[derive(Debug)]
pub(crate) struct Spout(UdpSocket);

impl Spout {
    pub(crate) fn open(to: SocketAddr) -> Result<Self, Error> {
        let any: SocketAddr = if to.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let open = || {
            let socket = UdpSocket::bind(any)?;
            socket.connect(to)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        open().map(Self).map_err(Error::local("opening a socket to hand packets on"))
    }

    /// Hands a packet on, as it is. Where nobody takes it, or it is too large for UDP, it is lost, as
    /// on any network.
    pub(crate) fn send(&self, packet: &[u8]) {
        let sent = self.0.send(packet);
        // That is about an earlier packet, and this one was not sent.
        if sent.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            let _ = self.0.send(packet);
        }
    }
}
