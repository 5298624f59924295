//! Waiting for many sockets.

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::os::fd::AsFd;

/// The number of events that one call takes.
const EVENTS: usize = 256;

/// Descriptors to wait for, each with a number.
pub(crate) struct Waiting {
    epoll: Epoll,
    events: Vec<EpollEvent>,
}

impl Waiting {
    pub(crate) fn new() -> nix::Result<Waiting> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Waiting { epoll, events: vec![EpollEvent::empty(); EVENTS] })
    }

    pub(crate) fn add(&self, descriptor: &impl AsFd, number: u64) -> nix::Result<()> {
        self.epoll.add(descriptor, EpollEvent::new(EpollFlags::EPOLLIN, number))
    }

    /// The numbers of the descriptors that can be read. With `wait`, waits until there is one.
    pub(crate) fn ready(&mut self, wait: bool) -> nix::Result<impl Iterator<Item = u64>> {
        let patience = if wait { EpollTimeout::NONE } else { EpollTimeout::ZERO };
        let count = match self.epoll.wait(&mut self.events, patience) {
            Err(nix::Error::EINTR) => 0,
            count => count?,
        };
        Ok(self.events[..count].iter().map(EpollEvent::data))
    }
}
