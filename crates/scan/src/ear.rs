//! A source that is listened to, for all the medias that arrive there.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
use rtp::Packet;
use socket2::Socket;

use crate::tallies::Arrived;

/// Larger than any UDP datagram, so that none is cut off.
const DATAGRAM: usize = 65_536;

/// A datagram's buffer, for one ear after the other.
pub(crate) struct Buffer(Box<[u8]>);

impl Buffer {
    pub(crate) fn new() -> Self {
        Self(vec![0; DATAGRAM].into_boxed_slice())
    }
}

/// A socket, and whose packets arrive at it.
#[derive(Debug)]
pub(crate) struct Ear {
    pub(crate) socket: Socket,
    /// The places of its medias among all.
    pub(crate) medias: Vec<usize>,
    /// The socket's own count of drops, as last read.
    drops: u32,
}

impl Ear {
    pub(crate) fn new(socket: Socket, medias: Vec<usize>) -> Self {
        Self { socket, medias, drops: 0 }
    }

    /// The next datagram; `None` if there is none for now.
    pub(crate) fn receive(&mut self, buffer: &mut Buffer) -> io::Result<Option<Arrived>> {
        let mut slices = [IoSliceMut::new(&mut buffer.0)];
        let mut control = nix::cmsg_space!(u32);
        let fd = self.socket.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        let (length, from, counted) =
            match recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut control), flags) {
                Ok(message) => (message.bytes, message.address, dropped(message.cmsgs()?)),
                Err(nix::Error::EAGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
        let counted = counted.unwrap_or(self.drops);
        let drops = counted.wrapping_sub(std::mem::replace(&mut self.drops, counted));
        let from = from.as_ref().and_then(address);
        let from = from.ok_or_else(|| io::Error::other("a datagram came without its sender"))?;
        let datagram = buffer.0.get(..length).unwrap_or_default();
        let packet = Packet::read(datagram);
        Ok(Some(Arrived { packet, length, from, drops }))
    }
}

/// The socket's count of drops, which comes along once anything was dropped.
fn dropped(mut messages: impl Iterator<Item = ControlMessageOwned>) -> Option<u32> {
    messages.find_map(|message| match message {
        ControlMessageOwned::RxqOvfl(count) => Some(count),
        _ => None,
    })
}

fn address(from: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = from.as_sockaddr_in().map(|v4| SocketAddr::from(*v4));
    v4.or_else(|| from.as_sockaddr_in6().map(|v6| SocketAddr::from(*v6)))
}
