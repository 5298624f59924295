//! The UDP ports that receive a media's packets.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use rtp::{PortPair, unless_taken};
use socket2::{Domain, Protocol, Socket, Type};

use crate::transport::{Kind, Way};

/// The receive buffer of a port, in bytes; the system may give less.
const BUFFER: usize = 4 << 20;
/// How many datagrams of one port are read before others have their turn.
const TURN: usize = 64;
/// Longer than any datagram.
const DATAGRAM: usize = 65_536;

/// The ports of a media: RTP at the even one, RTCP at the next.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) pair: PortPair,
    /// The server's address. Packets of others are dropped, and reports go there only.
    server: IpAddr,
}

impl Ports {
    /// Opens two free ports at this host's address `local`, for packets of `server`.
    pub(crate) fn open(local: IpAddr, server: IpAddr) -> io::Result<Self> {
        let pair = PortPair::ephemeral(|port| unless_taken(bind(local, port)))?;
        let pair = pair.ok_or_else(|| io::Error::from(io::ErrorKind::AddrInUse))?;
        Ok(Self { pair, server: server.to_canonical() })
    }

    /// Reads the datagrams that wait at one of the ports. Ignores errors of the network.
    pub(crate) fn receive(&self, kind: Kind, buffer: &mut Datagram, mut pass: impl FnMut(&[u8])) {
        let socket = if kind == Kind::Rtp { &self.pair.rtp } else { &self.pair.rtcp };
        for _ in 0..TURN {
            match socket.recv_from(&mut buffer.0) {
                Ok((length, from)) if from.ip().to_canonical() == self.server => {
                    pass(&buffer.0[..length]);
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }

    /// Sends a receiver report to the port that the server named, if it did.
    pub(crate) fn report(&self, way: Way, report: &[u8]) {
        if let Way::Ports { reports_to: Some(port), .. } = way {
            // The next report makes up for a lost one.
            let _ = self.pair.rtcp.send_to(report, (self.server, port));
        }
    }
}

fn bind(address: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let socket =
        Socket::new(Domain::for_address((address, port).into()), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.bind(&SocketAddr::new(address, port).into())?;
    Ok(socket.into())
}

/// Room for one datagram.
#[derive(Debug)]
pub(crate) struct Datagram(Box<[u8]>);

impl Default for Datagram {
    fn default() -> Self {
        Self(vec![0; DATAGRAM].into_boxed_slice())
    }
}
