//! Waiting for many sockets.

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::os::fd::AsFd;

/// How many events are taken at a time.
const EVENTS: usize = 256;

/// Descriptors that are waited for, each by a number.
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

    /// The numbers of those that can be read; waits until there is one if `wait`.
    pub(crate) fn ready(&mut self, wait: bool) -> nix::Result<impl Iterator<Item = u64>> {
        let patience = if wait { EpollTimeout::NONE } else { EpollTimeout::ZERO };
        let count = match self.epoll.wait(&mut self.events, patience) {
            Err(nix::Error::EINTR) => 0,
            count => count?,
        };
        Ok(self.events[..count].iter().map(EpollEvent::data))
    }
}
