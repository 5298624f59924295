//! Tests whether an edge's refusals come back, and often enough, by a few packets to a port where nobody
//! listens. Only refusals tell a refused relay from an accepted one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// traceroute's first port. Usually nobody listens there, and no stream is disturbed.
pub(crate) const PORT: u16 = 33434;
/// The packet's text explains itself to an observer.
const PACKET: &[u8] = b"dynrelay check: is this port closed?";
/// Linux sends this many ICMP errors to a host at once, and further ones at its limit.
const BURST: u32 = 6;
/// A little more than the time between two probes of a relay: a second, or on IPv6 the half second for
/// an answer (ARCHITECTURE.md).
const PAUSE_V4: Duration = Duration::from_millis(1100);
const PAUSE_V6: Duration = Duration::from_millis(600);
/// Some of these packets, or their answers, may get lost.
const TRIES: u32 = 3;

/// How refusals come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frequency {
    /// As often as probes need them.
    Often,
    /// Only a few at first.
    Seldom,
    /// None.
    Never,
}

/// Finds out how refusals come back from a host. Takes two or three seconds.
pub(crate) fn frequency(host: IpAddr) -> io::Result<Frequency> {
    frequency_at(SocketAddr::new(host, PORT))
}

fn frequency_at(port: SocketAddr) -> io::Result<Frequency> {
    let mut closed = Closed::of(port)?;
    // The first errors come from the host's burst allowance, not from its limit.
    for _ in 0..BURST {
        closed.send()?;
    }
    closed.refuses_one()?;
    let mut often = 0;
    for _ in 0..TRIES {
        thread::sleep(closed.rest());
        often += u32::from(closed.refuses_one()?);
        if often + 1 == TRIES {
            return Ok(Frequency::Often);
        }
    }
    Ok(if closed.refused { Frequency::Seldom } else { Frequency::Never })
}

/// Whether refusals come back from a host now.
pub(crate) fn come_back(host: IpAddr) -> bool {
    let Ok(mut closed) = Closed::of(SocketAddr::new(host, PORT)) else { return false };
    (0..TRIES).any(|_| closed.refuses_one().unwrap_or(false))
}

/// A port that is probably closed.
struct Closed {
    socket: UdpSocket,
    pause: Duration,
    /// When the last packet was sent there.
    sent: Instant,
    /// Whether any packet was refused.
    refused: bool,
}

impl Closed {
    fn of(port: SocketAddr) -> io::Result<Self> {
        let (any, pause): (IpAddr, _) = match port {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED.into(), PAUSE_V4),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED.into(), PAUSE_V6),
        };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(port)?;
        socket.set_read_timeout(Some(pause))?;
        Ok(Self { socket, pause, sent: Instant::now(), refused: false })
    }

    /// The rest of the pause after the last packet.
    fn rest(&self) -> Duration {
        self.pause.saturating_sub(self.sent.elapsed())
    }

    /// Sends a packet. An error belongs to an earlier packet.
    fn send(&mut self) -> io::Result<()> {
        for _ in 0..=BURST {
            match self.socket.send(PACKET) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    self.refused = true;
                }
                sent => return sent.map(|_| ()),
            }
        }
        Ok(())
    }

    /// Sends a packet. True if one is refused before the pause is over.
    fn refuses_one(&mut self) -> io::Result<bool> {
        self.send()?;
        self.sent = Instant::now();
        match self.socket.recv(&mut [0; 1]) {
            // Somebody listens there and answers.
            Ok(_) => Ok(false),
            Err(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => {
                    self.refused = true;
                    Ok(true)
                }
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(false),
                _ => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_this_host_are_received() {
        // The kernel does not limit ICMP errors on the loopback.
        let host = "127.0.0.77".parse().unwrap();
        assert_eq!(frequency(host).unwrap(), Frequency::Often);
        assert!(come_back(host));
    }

    #[test]
    fn an_open_port_refuses_nothing() {
        let open = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(frequency_at(open.local_addr().unwrap()).unwrap(), Frequency::Never);
    }
}
