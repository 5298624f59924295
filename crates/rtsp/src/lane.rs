//! One media on its way: how it comes in, where it goes on, and what is counted of it.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Instant;

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::Error;
use crate::outlet::{Outlet, Spout};
use crate::reception::Reception;
use crate::transport::Way;

/// The receive buffer of a UDP port, in bytes; the system may give less.
const BUFFER: usize = 4 << 20;
/// How often two ports in a row, the first one even, are looked for.
const TRIES: usize = 100;
/// How many datagrams of one port are read before others have their turn.
const TURN: usize = 64;
/// Longer than any datagram.
const DATAGRAM: usize = 65_536;

/// Two UDP ports for a media, the first one even: RTP and RTCP.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) rtp: UdpSocket,
    pub(crate) rtcp: UdpSocket,
    pub(crate) first: u16,
}

impl Ports {
    /// Opens two free ports at this host's address `local`.
    pub(crate) fn open(local: IpAddr) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..TRIES {
            let any = bind(local, 0)?;
            let port = any.local_addr()?.port();
            let (first, other) =
                if port % 2 == 0 { (port, port + 1) } else { (port - 1, port - 1) };
            match bind(local, other) {
                Ok(other) if port % 2 == 0 => return Ok(Self { rtp: any, rtcp: other, first }),
                Ok(other) => return Ok(Self { rtp: other, rtcp: any, first }),
                Err(error) => last = error,
            }
        }
        Err(last)
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

/// One media on its way.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) way: Way,
    pub(crate) ports: Option<Ports>,
    /// The server's address: nobody else is listened to, nor sent reports.
    server: IpAddr,
    rtp: Spout,
    rtcp: Spout,
    pub(crate) reception: Reception,
}

/// What a packet was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rtp,
    Rtcp,
}

impl Lane {
    /// A media that comes in this way and goes to this outlet.
    pub(crate) fn open(
        way: Way,
        ports: Option<Ports>,
        server: IpAddr,
        outlet: Outlet,
        reception: Reception,
    ) -> Result<Self, Error> {
        let (rtp, rtcp) = (Spout::open(outlet.rtp)?, Spout::open(outlet.rtcp)?);
        Ok(Self { way, ports, server, rtp, rtcp, reception })
    }

    /// Whether a channel is this media's, and which.
    pub(crate) fn kind(&self, channel: u8) -> Option<Kind> {
        match self.way {
            Way::Channels { rtp, .. } if rtp == channel => Some(Kind::Rtp),
            Way::Channels { rtcp, .. } if rtcp == channel => Some(Kind::Rtcp),
            _ => None,
        }
    }

    /// Hands a packet on, as it is; true if it was RTP.
    pub(crate) fn pass(&mut self, kind: Kind, packet: &[u8], now: Instant) -> bool {
        match kind {
            Kind::Rtp => {
                self.rtp.send(packet);
                self.reception.see(packet, now)
            }
            Kind::Rtcp => {
                self.rtcp.send(packet);
                self.reception.see_report(packet, now);
                false
            }
        }
    }

    /// Takes what waits at one of the ports; true if there was RTP among it. Errors are the
    /// network's, and pass.
    pub(crate) fn receive(&mut self, kind: Kind, buffer: &mut Datagram, now: Instant) -> bool {
        let mut came = false;
        for _ in 0..TURN {
            let Some(ports) = &self.ports else { break };
            let socket = if kind == Kind::Rtp { &ports.rtp } else { &ports.rtcp };
            match socket.recv_from(&mut buffer.0) {
                Ok((length, from)) if from.ip().to_canonical() == self.server => {
                    came |= self.pass(kind, &buffer.0[..length], now);
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        came
    }

    /// Sends a receiver report over UDP.
    pub(crate) fn report(&self, report: &[u8]) {
        if let (Some(ports), Way::Ports { reports_to: Some(port), .. }) = (&self.ports, self.way) {
            // A report that is lost is made up for by the next.
            let _ = ports.rtcp.send_to(report, (self.server, port));
        }
    }
}

/// Room for one datagram.
#[derive(Debug)]
pub(crate) struct Datagram(Box<[u8]>);

impl Default for Datagram {
    fn default() -> Self {
        Self(vec![0; DATAGRAM].into_boxed_slice())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn ports_come_in_pairs_the_first_one_even() {
        let local = IpAddr::from(Ipv4Addr::LOCALHOST);
        let many: Vec<Ports> = (0..20).map(|_| Ports::open(local).unwrap()).collect();
        for ports in many {
            assert_eq!(ports.first % 2, 0);
            assert_eq!(ports.rtp.local_addr().unwrap().port(), ports.first);
            assert_eq!(ports.rtcp.local_addr().unwrap().port(), ports.first + 1);
        }
    }
}
