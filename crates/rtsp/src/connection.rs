//! The TCP connection to a server, and what has come over it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use catalog::RtspSource;
use rtsp_types::Url;

use crate::error::Error;
use crate::reader::{Item, Reader};

/// RTSP's port (RFC 2326).
const RTSP_PORT: u16 = 554;
/// How long a connection may take.
const CONNECTING: Duration = Duration::from_secs(3);

/// A connection that never waits but in [`Connection::fill_until`].
pub(crate) struct Connection {
    stream: TcpStream,
    reader: Reader,
    pub(crate) server: SocketAddr,
    pub(crate) local: SocketAddr,
}

impl Connection {
    /// Connects to the first of a host's addresses that answers.
    pub(crate) fn to(url: &Url) -> Result<Self, Error> {
        let stream = connect(url)?;
        let (server, local) = (|| Ok((stream.peer_addr()?, stream.local_addr()?)))()
            .map_err(Error::local("asking for the connection's ends"))?;
        let _ = stream.set_nodelay(true);
        stream.set_nonblocking(true).map_err(Error::local("setting up the connection"))?;
        Ok(Self { stream, reader: Reader::default(), server, local })
    }

    /// Whether the server at the other end has the stream from here.
    pub(crate) fn is_fed_by_us(&self, source: &RtspSource, url: &Url) -> bool {
        let (server, local) = (self.server.ip(), self.local.ip());
        let here = (server == local).then_some(Ipv4Addr::LOCALHOST.into());
        [Some(server), here].into_iter().flatten().any(|at| source.is_fed_by_us(at, url.as_str()))
    }

    /// Sends bytes. There is always room for the little that is said, unless nobody reads it.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self.stream.write(bytes) {
            Ok(written) if written == bytes.len() => Ok(()),
            Ok(_) => Err(Error::Stuck),
            Err(error) if is_no_news(&error) => Err(Error::Stuck),
            Err(error) => Err(Error::HungUp { why: Some(error.to_string()) }),
        }
    }

    /// Takes in what came, once.
    pub(crate) fn fill(&mut self) -> Result<(), Error> {
        match self.stream.read(self.reader.room()) {
            Ok(0) => Err(Error::HungUp { why: None }),
            Ok(read) => {
                self.reader.filled(read);
                Ok(())
            }
            Err(error) if is_no_news(&error) => Ok(()),
            Err(error) => Err(Error::HungUp { why: Some(error.to_string()) }),
        }
    }

    /// Waits for something to come, and takes it in. False once it is too late, or the connection
    /// is over.
    pub(crate) fn fill_until(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero()
            || self.stream.set_nonblocking(false).is_err()
            || self.stream.set_read_timeout(Some(left)).is_err()
        {
            return false;
        }
        match self.stream.read(self.reader.room()) {
            Ok(0) | Err(_) => false,
            Ok(read) => {
                self.reader.filled(read);
                true
            }
        }
    }

    /// The next of what was taken in, if it is there as a whole.
    pub(crate) fn next(&mut self) -> Result<Option<Item<'_>>, Error> {
        Ok(self.reader.next()?)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn connect(url: &Url) -> Result<TcpStream, Error> {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let unresolved = |why: String| Error::Unresolved { host: host.to_owned(), why };
    let addresses = (host, url.port().unwrap_or(RTSP_PORT)).to_socket_addrs();
    let mut last = unresolved("it has no address".into());
    for address in addresses.map_err(|error| unresolved(error.to_string()))? {
        match TcpStream::connect_timeout(&address, CONNECTING) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Error::Unreachable { address, why: error.to_string() },
        }
    }
    Err(last)
}

fn is_no_news(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
