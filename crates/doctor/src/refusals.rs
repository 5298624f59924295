//! Whether an edge's refusals come back, and often enough: a port of it where nobody listens is sent a
//! few packets. A relay that is refused is told from one that is taken by nothing else.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// traceroute's first port: nobody listens there as a rule, and no stream is disturbed.
pub(crate) const PORT: u16 = 33434;
/// What is sent, for whoever sees it come in.
const PACKET: &[u8] = b"dynrelay check: is this port closed?";
/// Linux sends this many ICMP errors to a host at once, and then only as often as its limit allows.
const BURST: u32 = 6;
/// A relay is probed once a second, and on IPv6 an answer is waited for half a second
/// (ARCHITECTURE.md): this is a little more.
const PAUSE_V4: Duration = Duration::from_millis(1100);
const PAUSE_V6: Duration = Duration::from_millis(600);
/// One of so many packets may get lost, or its answer.
const TRIES: u32 = 3;

/// How refusals come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// As often as probes need it.
    Often,
    /// A few, and then no more.
    Seldom,
    /// None.
    Never,
}

/// Finds out how refusals come back from a host. Takes two seconds or three.
pub(crate) fn hear(host: IpAddr) -> io::Result<Hearing> {
    hear_port(SocketAddr::new(host, PORT))
}

fn hear_port(port: SocketAddr) -> io::Result<Hearing> {
    let mut closed = Closed::of(port)?;
    // What the host has saved up for a burst says nothing about its limit.
    for _ in 0..BURST {
        closed.send()?;
    }
    closed.refuses_one()?;
    let mut often = 0;
    for _ in 0..TRIES {
        thread::sleep(closed.rest());
        often += u32::from(closed.refuses_one()?);
        if often + 1 == TRIES {
            return Ok(Hearing::Often);
        }
    }
    Ok(if closed.heard { Hearing::Seldom } else { Hearing::Never })
}

/// Whether refusals come back from a host just now.
pub(crate) fn are_heard(host: IpAddr) -> bool {
    let Ok(mut closed) = Closed::of(SocketAddr::new(host, PORT)) else { return false };
    (0..TRIES).any(|_| closed.refuses_one().unwrap_or(false))
}

/// A closed port, as far as anybody knows.
struct Closed {
    socket: UdpSocket,
    pause: Duration,
    /// When it was sent a packet last.
    sent: Instant,
    /// Whether any packet was refused.
    heard: bool,
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
        Ok(Self { socket, pause, sent: Instant::now(), heard: false })
    }

    /// What is left of the pause after the last packet.
    fn rest(&self) -> Duration {
        self.pause.saturating_sub(self.sent.elapsed())
    }

    /// Sends a packet. An error that comes back instead is an earlier one's.
    fn send(&mut self) -> io::Result<()> {
        for _ in 0..=BURST {
            match self.socket.send(PACKET) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => self.heard = true,
                sent => return sent.map(|_| ()),
            }
        }
        Ok(())
    }

    /// Sends a packet; whether one is refused before the pause is over.
    fn refuses_one(&mut self) -> io::Result<bool> {
        self.send()?;
        self.sent = Instant::now();
        match self.socket.recv(&mut [0; 1]) {
            // Somebody listens there, and answers.
            Ok(_) => Ok(false),
            Err(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => {
                    self.heard = true;
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
    fn this_hosts_own_refusals_are_heard() {
        // The loopback limits no ICMP errors.
        let host = "127.0.0.77".parse().unwrap();
        assert_eq!(hear(host).unwrap(), Hearing::Often);
        assert!(are_heard(host));
    }

    #[test]
    fn a_port_that_takes_everything_refuses_nothing() {
        let open = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(hear_port(open.local_addr().unwrap()).unwrap(), Hearing::Never);
    }
}
