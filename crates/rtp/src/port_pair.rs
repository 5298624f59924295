//! An even UDP port for RTP and the next, odd one for RTCP (RFC 3550, section 11).

use std::io;
use std::net::UdpSocket;

/// How often an ephemeral pair is tried.
const TRIES: usize = 200;

/// Two sockets, bound to an even port and the next.
#[derive(Debug)]
pub struct PortPair {
    /// The port of RTP.
    pub even: u16,
    /// Bound to `even`.
    pub rtp: UdpSocket,
    /// Bound to `even + 1`.
    pub rtcp: UdpSocket,
}

impl PortPair {
    /// Binds an even port that the kernel picks, and the next. `bind` opens a socket and binds it
    /// to a port: an even one for RTP, where 0 is any port, or an odd one for RTCP. It returns
    /// `None` if the port is taken.
    ///
    /// `Ok(None)`: no free pair was found in 200 tries. An error of `bind` ends the search.
    pub fn ephemeral<E>(
        mut bind: impl FnMut(u16) -> Result<Option<UdpSocket>, E>,
    ) -> Result<Option<Self>, E> {
        for _ in 0..TRIES {
            let Some(rtp) = bind(0)? else { continue };
            let Ok(port) = rtp.local_addr().map(|local| local.port()) else { continue };
            let pair = if port % 2 == 0 {
                bind(port + 1)?.map(|rtcp| Self { even: port, rtp, rtcp })
            } else {
                drop(rtp);
                Self::at(port - 1, &mut bind)?
            };
            if pair.is_some() {
                return Ok(pair);
            }
        }
        Ok(None)
    }

    /// Binds `even` and the next port; `None` if one of them is taken.
    pub fn at<E>(
        even: u16,
        mut bind: impl FnMut(u16) -> Result<Option<UdpSocket>, E>,
    ) -> Result<Option<Self>, E> {
        let Some(rtp) = bind(even)? else { return Ok(None) };
        Ok(bind(even + 1)?.map(|rtcp| Self { even, rtp, rtcp }))
    }
}

/// Turns "address in use" into `None`, as [`PortPair`] expects it of `bind`.
pub fn unless_taken<S>(bound: io::Result<S>) -> io::Result<Option<S>> {
    match bound {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
        bound => bound.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn bind(port: u16) -> io::Result<Option<UdpSocket>> {
        unless_taken(UdpSocket::bind((Ipv4Addr::LOCALHOST, port)))
    }

    #[test]
    fn a_pair_is_an_even_port_and_the_next() {
        let pairs: Vec<_> = (0..20).map(|_| PortPair::ephemeral(bind).unwrap().unwrap()).collect();
        for pair in &pairs {
            assert_eq!(pair.even % 2, 0);
            assert_eq!(pair.rtp.local_addr().unwrap().port(), pair.even);
            assert_eq!(pair.rtcp.local_addr().unwrap().port(), pair.even + 1);
        }
        assert!(PortPair::at(pairs[0].even, bind).unwrap().is_none(), "both are taken");
    }
}
