//! A worker: one thread, one epoll, and the ingests that live on it.

use crate::event::{FlowEvent, Notify};
use crate::icmp::ErrorBuffer;
use crate::ingest::Ingest;
use crate::ingest_counters::{IngestCounters, coarse_millis};
use crate::interfaces::Interfaces;
use crate::output::Output;
use crate::path::Source;
use crate::sys::{BATCH, Batch};
use crate::tap::TapOutput;
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

/// A command to a worker.
pub(crate) enum Command {
    /// Add a member to an ingest. If the ingest is new, its socket comes along.
    Open { ingest: u32, new: Option<(Source, Socket, Arc<IngestCounters>)>, member: Member },
    /// Take a member away, and the ingest if that was the last. Then drop `done`.
    Close { ingest: u32, id: u32, done: Sender<Infallible> },
    /// End.
    Stop,
}

/// A target of an ingest's packets.
pub(crate) enum Member {
    Output(Box<Output>),
    /// With a channel to drop when the tap is in place.
    Tap(TapOutput, Sender<Infallible>),
}

/// Sends commands to a worker.
pub(crate) struct Mailbox {
    commands: Sender<Command>,
    wake: Arc<EventFd>,
}

impl Mailbox {
    /// False if the worker has ended.
    pub(crate) fn send(&self, command: Command) -> bool {
        // If the write would block, the worker is already awake.
        self.commands.send(command).map(|()| self.wake.write(1)).is_ok()
    }
}

/// The data of an epoll event has the ingest in the upper half. The lower half is 0 for the
/// ingest's socket, or the number of one of its outputs plus 1.
const WAKE: u64 = u64::MAX;
const INTERFACES: u64 = u64::MAX - 1;

/// How many events are taken from epoll at a time.
const EVENTS: usize = 256;

/// How long to wait before joining a group again whose interface is away, in milliseconds.
const RETRY: u16 = 1000;

/// Packets from edges are short. A longer one is truncated and ignored.
const READ_BACK_BUFFER: usize = 2048;

pub(crate) struct Worker {
    epoll: Epoll,
    wake: Arc<EventFd>,
    commands: Receiver<Command>,
    interfaces: Option<Interfaces>,
    ingests: HashMap<u32, Ingest>,
    /// When to join lost groups again, in coarse milliseconds.
    retry: Option<u64>,
    /// Ingests whose last batch was full. Epoll reports only new arrivals, so they are served without.
    unfinished: Vec<u64>,
    receive_buffer: usize,
    rest: Duration,
    notify: Notify,
    batch: Batch,
    reports: Box<[u8]>,
    errors: ErrorBuffer,
}

impl Worker {
    pub(crate) fn new(
        receive_buffer: usize,
        rest: Duration,
        notify: Notify,
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
                tracing::warn!(%error, "can't watch the interfaces, and won't rejoin groups when one goes and comes back: allow AF_NETLINK");
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
            notify,
            batch: Batch::new(),
            reports: vec![0; READ_BACK_BUFFER].into(),
            errors: ErrorBuffer::new(),
        };
        Ok((worker, mailbox))
    }

    /// Serves until a command stops it. If epoll fails, all its flows fail.
    pub(crate) fn run(mut self) {
        if let Err(error) = self.serve() {
            tracing::error!(%error, "a worker has ended, and its flows get no packets any more: \
                restart dynrelayd");
            let outputs = self.ingests.values().flat_map(|ingest| &ingest.outputs);
            outputs.for_each(|output| output.cell.raise(FlowEvent::Failed, &self.notify));
        }
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut events = vec![EpollEvent::empty(); EVENTS];
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
                self.receive(socket, now);
            }
            for event in &events[..count] {
                match event.data() {
                    WAKE => woken = true,
                    INTERFACES => changed = true,
                    socket if socket & 0xffff_ffff == 0 => bursts |= self.receive(socket, now),
                    socket => self.read_back(socket, event.events(), now),
                }
            }
            if changed && let Some(interfaces) = &self.interfaces {
                interfaces.drain();
            }
            if changed || self.retry.is_some_and(|at| at <= now) {
                self.rejoin(now);
            }
            // Last, so that no event of this round is about a closed socket.
            if woken && !self.obey() {
                return Ok(());
            }
            if bursts && !self.rest.is_zero() {
                thread::sleep(self.rest);
            }
        }
    }

    /// Receives and forwards a batch; true if it was part of a burst, so that more is likely to follow.
    fn receive(&mut self, socket: u64, now: u64) -> bool {
        let Some(ingest) = halves(socket).and_then(|(key, _)| self.ingests.get_mut(&key)) else {
            return false;
        };
        match ingest.forward(&mut self.batch, now, &self.notify) {
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
        }
    }

    /// Reads what came back on an output's socket.
    fn read_back(&mut self, socket: u64, flags: EpollFlags, now: u64) {
        let Some((key, number)) = halves(socket) else { return };
        let Some(ingest) = self.ingests.get(&key) else { return };
        let Some(output) = ingest.outputs.iter().find(|output| output.id + 1 == number) else {
            return;
        };
        if flags.contains(EpollFlags::EPOLLERR) {
            output.read_errors(&mut self.errors, now, &self.notify);
        }
        if flags.contains(EpollFlags::EPOLLIN) {
            output.read_back(&mut self.reports, &self.notify);
        }
    }

    /// Carries out the waiting commands; false if the worker is to end.
    fn obey(&mut self) -> bool {
        let _ = self.wake.read();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Open { ingest, new, member } => self.open(ingest, new, member),
                Command::Close { ingest, id, done } => {
                    self.close(ingest, id);
                    drop(done);
                }
                Command::Stop => return false,
            }
        }
        true
    }

    fn open(
        &mut self,
        key: u32,
        new: Option<(Source, Socket, Arc<IngestCounters>)>,
        member: Member,
    ) {
        if let Some((source, socket, counters)) = new {
            if let Err(error) = self.watch(&socket, key, 0) {
                tracing::error!(%source, %error, "can't receive a source: restart dynrelayd");
            } else {
                self.ingests.insert(key, Ingest::new(source, socket, counters));
            }
        }
        match member {
            Member::Output(output) => self.join(key, *output),
            // If the source could not be watched, dropping the tap closes its channel.
            Member::Tap(tap, ready) => {
                self.ingests.entry(key).and_modify(|ingest| ingest.taps.push(tap));
                drop(ready);
            }
        }
    }

    fn join(&mut self, key: u32, output: Output) {
        let watched = self.watch(&output.socket, key, output.id + 1);
        match (self.ingests.get_mut(&key), watched) {
            (Some(ingest), Ok(())) => ingest.outputs.push(output),
            _ => output.cell.raise(FlowEvent::Failed, &self.notify),
        }
    }

    fn watch(&self, socket: &impl AsFd, ingest: u32, output: u32) -> nix::Result<()> {
        let data = u64::from(ingest) << 32 | u64::from(output);
        // An ingest is emptied each time, so epoll need not check it again.
        let once = if output == 0 { EpollFlags::EPOLLET } else { EpollFlags::empty() };
        self.epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN | once, data))
    }

    fn close(&mut self, key: u32, id: u32) {
        let Some(ingest) = self.ingests.get_mut(&key) else { return };
        // Closing a socket takes it out of epoll, too.
        ingest.outputs.retain(|output| output.id != id);
        ingest.taps.retain(|tap| tap.id != id);
        if ingest.outputs.is_empty() && ingest.taps.is_empty() {
            self.ingests.remove(&key);
        }
    }

    /// Joins every group again that was lost with its interface.
    fn rejoin(&mut self, now: u64) {
        let mut away = false;
        let mut found = Vec::new();
        for (key, ingest) in &mut self.ingests {
            let was_away = ingest.interface_away;
            match ingest.rejoin(self.receive_buffer) {
                Ok(None) => {}
                Ok(Some(socket)) => found.push((*key, socket)),
                Err(error) if was_away => tracing::debug!(%error, "an interface is still away"),
                Err(error) => {
                    tracing::warn!(%error, "a source's interface is away: dynrelay tries again until it is back");
                }
            }
            away |= ingest.interface_away;
        }
        for (key, socket) in found {
            if let Err(error) = self.watch(&socket, key, 0) {
                tracing::error!(%error, "can't receive a source: restart dynrelayd");
            } else if let Some(ingest) = self.ingests.get_mut(&key) {
                tracing::info!(source = %ingest.source, "the group is joined again");
                ingest.replace(socket);
            }
        }
        self.retry = away.then(|| now + u64::from(RETRY));
    }
}

/// An epoll event's ingest, and its output plus 1.
fn halves(data: u64) -> Option<(u32, u32)> {
    Some((u32::try_from(data >> 32).ok()?, u32::try_from(data & 0xffff_ffff).ok()?))
}
