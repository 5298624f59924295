//! The TCP connection to an RTSP server.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use catalog::RtspSource;
use model::{Timed, left};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::Error;
use crate::reader::Reader;
use crate::url::Url;

/// A connection. Each call has a deadline.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Timed<TcpStream>,
    /// The server's address.
    pub(crate) server: SocketAddr,
    /// This host's address.
    pub(crate) local: SocketAddr,
}

impl Connection {
    /// Connects to the first of the host's addresses that answers. Each gets an equal part of the
    /// time that is left.
    pub(crate) fn open(url: &Url, deadline: Instant) -> Result<Self, Error> {
        let stream = connect(url, deadline)?;
        let (server, local) = (|| Ok((stream.peer_addr()?, stream.local_addr()?)))()
            .map_err(Error::local("asking for the connection's ends"))?;
        let _ = stream.set_nodelay(true);
        Ok(Self { stream: Timed { stream, deadline: None }, server, local })
    }

    /// Whether the server at the other end receives the stream from this host.
    pub(crate) fn is_fed_by_us(&self, source: &RtspSource, url: &Url) -> bool {
        let (server, local) = (self.server.ip(), self.local.ip());
        let here = (server == local).then_some(Ipv4Addr::LOCALHOST.into());
        [Some(server), here].into_iter().flatten().any(|at| source.is_fed_by_us(at, url.as_str()))
    }

    /// Sends bytes. A server that does not read them all by the deadline is an error.
    pub(crate) fn write(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), Error> {
        self.stream.deadline = Some(deadline);
        self.stream.write_all(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => Error::NotReading,
            _ => Error::HungUp { why: Some(error.to_string()) },
        })
    }

    /// Whether there is room for a few hundred bytes more.
    pub(crate) fn can_write(&self) -> bool {
        let mut fds = [PollFd::new(self.as_fd(), PollFlags::POLLOUT)];
        matches!(poll(&mut fds, PollTimeout::ZERO), Ok(1))
    }

    /// Reads once, by the deadline; false if nothing came until then.
    pub(crate) fn read(&mut self, into: &mut Reader, deadline: Instant) -> Result<bool, Error> {
        self.stream.deadline = Some(deadline);
        match self.stream.read(into.room()) {
            Ok(0) => Err(Error::HungUp { why: None }),
            Ok(read) => {
                into.filled(read);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(Error::HungUp { why: Some(error.to_string()) }),
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.stream.as_fd()
    }
}

fn connect(url: &Url, deadline: Instant) -> Result<TcpStream, Error> {
    let unresolved = |why: String| Error::Unresolved { host: url.host.clone(), why };
    let addresses = (url.host.as_str(), url.port).to_socket_addrs();
    let addresses = addresses.map_err(|error| unresolved(error.to_string()))?;
    let mut last = unresolved("it has no address".into());
    let addresses: Vec<SocketAddr> = addresses.collect();
    for (index, address) in addresses.iter().enumerate() {
        let parts = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let wait = left(Some(deadline)).ok().flatten().unwrap_or_default() / parts;
        match TcpStream::connect_timeout(address, wait.max(Duration::from_millis(1))) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Error::Unreachable { address: *address, why: error.to_string() },
        }
    }
    Err(last)
}
