//! The local sockets that receive a pull's packets.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use crate::transport::Kind;

/// The path of one media's packets: from two sockets of the pull to two ports of the loopback.
///
/// It keeps its sending ports for as long as it lives, however many pulls use it one after the
/// other. So a receiver can connect to them, and then nobody else reaches it.
#[derive(Clone, Debug)]
pub struct Output {
    /// The path of RTP.
    pub rtp: Hop,
    /// The path of RTCP.
    pub rtcp: Hop,
    sockets: Arc<[UdpSocket; 2]>,
}

/// A path of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The pull's own port.
    pub from: SocketAddr,
    /// The receiver's port.
    pub to: SocketAddr,
}

impl Output {
    /// An output to these two ports of the loopback.
    pub fn to(rtp: SocketAddr, rtcp: SocketAddr) -> io::Result<Self> {
        let open = |to: SocketAddr| {
            let socket = UdpSocket::bind((to.ip(), 0))?;
            socket.connect(to)?;
            socket.set_nonblocking(true)?;
            let hop = Hop { from: socket.local_addr()?, to };
            Ok::<_, io::Error>((hop, socket))
        };
        let ((rtp, one), (rtcp, two)) = (open(rtp)?, open(rtcp)?);
        Ok(Self { rtp, rtcp, sockets: Arc::new([one, two]) })
    }

    /// Outputs to free ports of the loopback, for so many media. The ports stay free for the
    /// receiver until it drops the sockets; it opens its own at once.
    pub fn reserve(media: usize) -> io::Result<(Vec<Self>, Vec<UdpSocket>)> {
        let reserved: Vec<UdpSocket> = (0..2 * media)
            .map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)))
            .collect::<io::Result<_>>()?;
        let ports: Vec<SocketAddr> =
            reserved.iter().map(UdpSocket::local_addr).collect::<io::Result<_>>()?;
        let (pairs, _) = ports.as_chunks::<2>();
        let outputs = pairs.iter().map(|[rtp, rtcp]| Self::to(*rtp, *rtcp));
        Ok((outputs.collect::<io::Result<_>>()?, reserved))
    }

    /// Sends a packet unchanged. It is lost if nobody receives it, as on any network.
    pub(crate) fn send(&self, kind: Kind, packet: &[u8]) {
        let socket = &self.sockets[usize::from(kind == Kind::Rtcp)];
        // A refusal belongs to an earlier packet, and this one was not sent.
        if socket.send(packet).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        {
            let _ = socket.send(packet);
        }
    }
}
