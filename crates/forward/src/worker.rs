//! A worker: one thread, one epoll, and the ingests that live on it.

use crate::arrivals::{Arrivals, coarse_millis};
use crate::event::Happened;
use crate::flow::Tell;
use crate::ingest::Ingest;
use crate::interfaces::Interfaces;
use crate::output::Output;
use crate::path::Source;
use crate::sys::{BATCH, Batch};
use crate::tap::Ear;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use socket2::Socket;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// What a worker is told to do.
pub(crate) enum Command {
    /// Add an output or an ear to an ingest, which is new if its socket comes with it.
    Open { ingest: u32, new: Option<(Source, Socket, Arc<Arrivals>)>, joins: Joins },
    /// Take an output or an ear away, and an ingest that has none left; hang up when that is done.
    Close { ingest: u32, id: u32, done: Sender<Infallible> },
    /// Look after the memberships.
    Rejoin,
    /// End.
    Stop,
}

/// What an ingest's packets go to.
pub(crate) enum Joins {
    Output(Box<Output>),
    /// Hang up when it hears.
    Ear(Ear, Sender<Infallible>),
}

/// The way to a worker.
pub(crate) struct Mailbox {
    commands: Sender<Command>,
    wake: Arc<EventFd>,
}

impl Mailbox {
    /// False if the worker has ended.
    pub(crate) fn send(&self, command: Command) -> bool {
        // A write that would block finds the worker awake already.
        self.commands.send(command).map(|()| self.wake.write(1)).is_ok()
    }
}

/// What epoll's events carry: an ingest in the upper half; in the lower half an output of it
/// counted from 1, or 0 for the ingest's own socket.
const WAKE: u64 = u64::MAX;
const INTERFACES: u64 = u64::MAX - 1;

/// How many events are taken from epoll at a time.
const EVENTS: usize = 256;

/// After how many milliseconds a group is tried again whose interface has vanished.
const RETRY: u16 = 1000;

/// Packets from edges are short; what doesn't fit is cut off and not understood.
const READ_BACK_BUFFER: usize = 2048;

pub(crate) struct Worker {
    epoll: Epoll,
    wake: Arc<EventFd>,
    commands: Receiver<Command>,
    interfaces: Option<Interfaces>,
    ingests: HashMap<u32, Ingest>,
    /// When to try again for memberships that are lost, in coarse milliseconds.
    retry: Option<u64>,
    /// Ingests whose last batch was full: epoll tells only of what arrives anew.
    unfinished: Vec<u64>,
    receive_buffer: usize,
    rest: Duration,
    tell: Tell,
    batch: Batch,
}

impl Worker {
    pub(crate) fn new(
        receive_buffer: usize,
        rest: Duration,
        tell: Tell,
    ) -> io::Result<(Worker, Mailbox)> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = Arc::new(EventFd::from_value_and_flags(0, flags)?);
        epoll.add(&wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        let interfaces = Interfaces::watch().and_then(|interfaces| {
            epoll.add(&interfaces, EpollEvent::new(EpollFlags::EPOLLIN, INTERFACES))?;
            Ok(interfaces)
        });
        let interfaces = interfaces
            .inspect_err(|error| {
                tracing::warn!(%error, "can't watch the interfaces, so one that vanishes and returns goes unnoticed: allow AF_NETLINK");
            })
            .ok();
        let (sender, commands) = channel();
        let mailbox = Mailbox { commands: sender, wake: Arc::clone(&wake) };
        let worker = Worker {
            epoll,
            wake,
            commands,
            interfaces,
            ingests: HashMap::new(),
            retry: None,
            unfinished: Vec::with_capacity(EVENTS),
            receive_buffer,
            rest,
            tell,
            batch: Batch::new(),
        };
        Ok((worker, mailbox))
    }

    /// Serves until it is told to stop. If epoll fails, every flow here is told to have failed.
    pub(crate) fn run(mut self) {
        if let Err(error) = self.serve() {
            tracing::error!(%error, "a worker has ended, and its flows get no packets any more: \
                restart dynrelayd");
            let outputs = self.ingests.values().flat_map(|ingest| &ingest.outputs);
            outputs.for_each(|output| output.shared.happened(Happened::Failed, &self.tell));
        }
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut events = vec![EpollEvent::empty(); EVENTS];
        let mut reply = [0; READ_BACK_BUFFER];
        let mut unfinished = Vec::with_capacity(EVENTS);
        loop {
            let patience = match self.retry {
                _ if !self.unfinished.is_empty() => EpollTimeout::ZERO,
                Some(_) => RETRY.into(),
                None => EpollTimeout::NONE,
            };
            let count = match self.epoll.wait(&mut events, patience) {
                Ok(count) => count,
                Err(nix::Error::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let now = coarse_millis();
            let (mut woken, mut changed, mut bursts) = (false, false, false);
            std::mem::swap(&mut unfinished, &mut self.unfinished);
            for socket in unfinished.drain(..) {
                self.handle(socket, now, &mut reply);
            }
            for event in &events[..count] {
                match event.data() {
                    WAKE => woken = true,
                    INTERFACES => changed = true,
                    socket => bursts |= self.handle(socket, now, &mut reply),
                }
            }
            if changed && let Some(interfaces) = &self.interfaces {
                interfaces.drain();
            }
            if changed || self.retry.is_some_and(|at| at <= now) {
                self.rejoin(now);
            }
            // Last, so that no event of this round is about a socket that is gone.
            if woken && !self.obey(now) {
                return Ok(());
            }
            if bursts && !self.rest.is_zero() {
                thread::sleep(self.rest);
            }
        }
    }

    /// Serves a socket; true if part of a burst was received, so that more is on its way.
    fn handle(&mut self, socket: u64, now: u64, reply: &mut [u8]) -> bool {
        let [key, output] = [socket >> 32, socket & 0xffff_ffff].map(u32::try_from);
        let (Ok(key), Ok(output)) = (key, output) else { return false };
        let Some(ingest) = self.ingests.get_mut(&key) else { return false };
        if output == 0 {
            return match ingest.forward(&mut self.batch, now, &self.tell) {
                Ok(BATCH) => {
                    self.unfinished.push(socket);
                    false
                }
                Ok(count) => count > 1,
                Err(error) => {
                    if error.kind() != io::ErrorKind::WouldBlock {
                        tracing::debug!(source = %ingest.source, %error, "receiving failed");
                        self.unfinished.push(socket);
                    }
                    false
                }
            };
        }
        if let Some(output) = ingest.outputs.iter().find(|other| other.id + 1 == output) {
            output.read_back(reply, &self.tell);
        }
        false
    }

    /// Does what the mailbox holds; false if the worker is to end.
    fn obey(&mut self, now: u64) -> bool {
        let _ = self.wake.read();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Open { ingest, new, joins } => self.open(ingest, new, joins),
                Command::Close { ingest, id, done } => {
                    self.close(ingest, id);
                    drop(done);
                }
                Command::Rejoin => self.rejoin(now),
                Command::Stop => return false,
            }
        }
        true
    }

    fn open(&mut self, key: u32, new: Option<(Source, Socket, Arc<Arrivals>)>, joins: Joins) {
        if let Some((source, socket, arrivals)) = new {
            if let Err(error) = self.watch(&socket, key, 0) {
                tracing::error!(%source, %error, "can't receive a source: restart dynrelayd");
            } else {
                self.ingests.insert(key, Ingest::new(source, socket, arrivals));
            }
        }
        match joins {
            Joins::Output(output) => self.join(key, *output),
            // To one that could not be received nothing is told, and whoever hears is hung up on.
            Joins::Ear(ear, ready) => {
                self.ingests.entry(key).and_modify(|ingest| ingest.ears.push(ear));
                drop(ready);
            }
        }
    }

    fn join(&mut self, key: u32, output: Output) {
        let watched = self.watch(&output.wire, key, output.id + 1);
        match (self.ingests.get_mut(&key), watched) {
            (Some(ingest), Ok(())) => ingest.outputs.push(output),
            _ => output.shared.happened(Happened::Failed, &self.tell),
        }
    }

    fn watch(&self, socket: &impl AsFd, ingest: u32, output: u32) -> nix::Result<()> {
        let data = u64::from(ingest) << 32 | u64::from(output);
        // An ingest is emptied each time, so epoll need not look again whether it is.
        let once = if output == 0 { EpollFlags::EPOLLET } else { EpollFlags::empty() };
        self.epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN | once, data))
    }

    fn close(&mut self, key: u32, id: u32) {
        let Some(ingest) = self.ingests.get_mut(&key) else { return };
        // Closing a socket takes it out of epoll, too.
        ingest.outputs.retain(|output| output.id != id);
        ingest.ears.retain(|ear| ear.id != id);
        if ingest.outputs.is_empty() && ingest.ears.is_empty() {
            self.ingests.remove(&key);
        }
    }

    /// Joins again every group whose membership was lost with its interface.
    fn rejoin(&mut self, now: u64) {
        let mut astray = false;
        let mut found = Vec::new();
        for (key, ingest) in &mut self.ingests {
            let was_astray = ingest.astray;
            match ingest.rejoin(self.receive_buffer) {
                Ok(None) => {}
                Ok(Some(socket)) => found.push((*key, socket)),
                Err(error) if was_astray => tracing::debug!(%error, "an interface is still away"),
                Err(error) => {
                    tracing::warn!(%error, "a source's interface is away: trying again until it is back");
                }
            }
            astray |= ingest.astray;
        }
        for (key, socket) in found {
            if let Err(error) = self.watch(&socket, key, 0) {
                tracing::error!(%error, "can't receive a source: restart dynrelayd");
            } else if let Some(ingest) = self.ingests.get_mut(&key) {
                tracing::info!(source = %ingest.source, "the group is joined again");
                ingest.replace(socket);
            }
        }
        self.retry = astray.then(|| now + u64::from(RETRY));
    }
}
