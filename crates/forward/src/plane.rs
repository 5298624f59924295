//! The data plane as a whole: its workers, and the way to open flows.

use crate::error::{OpenError, StartError};
use crate::event::Event;
use crate::flow::{Flow, Tell};
use crate::path::{Media, Source};
use crate::ports::Ports;
use crate::receiver;
use crate::registry::Registry;
use crate::tap::{Overheard, Tap};
use crate::worker::{Command, Mailbox, Worker};
use model::Gate;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How a [`Plane`] works.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The number of worker threads; 0 is one per core.
    pub workers: usize,
    /// The receive buffer of each source in bytes. Without CAP_NET_ADMIN the kernel caps it at
    /// net.core.rmem_max.
    pub receive_buffer: usize,
    /// The ports that flows send from; without it the kernel picks.
    pub source_ports: Option<RangeInclusive<u16>>,
    /// How long a worker rests after a batch that was part of a burst, so that the next one is
    /// larger and costs less per packet, as network cards do. Packets that come one by one never
    /// wait for it. Zero: it never rests.
    pub rest: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { workers: 0, receive_buffer: 4 << 20, source_ports: None, rest: Duration::ZERO }
    }
}

/// The data plane. Dropping it ends its workers, and with them all flows.
pub struct Plane {
    registry: Arc<Registry>,
    threads: Vec<JoinHandle<()>>,
}

impl Plane {
    /// Starts the workers, and raises this process's limit of open files as far as it may go.
    ///
    /// `tell` is called on the workers' threads: it must not block, nor drop the plane or a flow.
    pub fn start(
        settings: Settings,
        tell: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Plane, StartError> {
        let Settings { workers, receive_buffer, source_ports, rest } = settings;
        let ports = Ports::new(source_ports.clone());
        let ports = ports.ok_or_else(|| StartError::Ports(source_ports.unwrap_or(0..=0)))?;
        raise_file_limit();
        check_receive_buffer(receive_buffer);
        let tell: Tell = Arc::new(tell);
        let workers = match workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let (mut mailboxes, mut threads) = (Vec::new(), Vec::new());
        for worker in 0..workers {
            match spawn(worker, receive_buffer, rest, Arc::clone(&tell)) {
                Ok((mailbox, thread)) => {
                    mailboxes.push(mailbox);
                    threads.push(thread);
                }
                Err(error) => {
                    mailboxes.iter().for_each(|mailbox| _ = mailbox.send(Command::Stop));
                    return Err(StartError::Worker { worker, error });
                }
            }
        }
        let registry = Arc::new(Registry::new(mailboxes, ports, receive_buffer));
        Ok(Plane { registry, threads })
    }

    /// Opens the flows of a relay, all or none, with their gates as given. They come in order:
    /// the first media's RTP, its RTCP if it has one, the second media's RTP, and so on.
    ///
    /// `relay` is any number; events carry it back, with the flow's place in the answer.
    pub fn open(&self, relay: u64, medias: &[Media], gate: Gate) -> Result<Vec<Flow>, OpenError> {
        let opened = self.registry.open(relay, medias, gate)?;
        Ok(opened.into_iter().map(|flow| Flow::new(flow, Arc::clone(&self.registry))).collect())
    }

    /// Puts a tap on each of these sources, whether or not a flow has it: what arrives there comes
    /// to `to` as well, with the source's place among these as its [`Overheard::tap`]. What `to` has
    /// no room for is counted and left out. A source that can't be received has its error. The others
    /// miss nothing of what arrives from the moment on when this returns.
    pub fn tap(
        &self,
        sources: &[Source],
        to: &SyncSender<Overheard>,
    ) -> Vec<Result<Tap, OpenError>> {
        let (ready, all) = channel();
        let tap = |(tap, source)| self.registry.tap(source, tap, to.clone(), ready.clone());
        let taps = sources.iter().enumerate().map(tap).collect();
        drop(ready);
        // Nothing is ever said: the workers hang up.
        let _ = all.recv();
        taps
    }

    /// Joins again each group whose membership was lost with its interface. That happens by
    /// itself when the kernel tells of a change; this is for hosts where netlink is out of reach.
    pub fn rejoin(&self) {
        self.registry.rejoin();
    }
}

impl fmt::Debug for Plane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plane").field("workers", &self.threads.len()).finish_non_exhaustive()
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.registry.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a worker has failed: please report it, with the log");
            }
        }
    }
}

fn spawn(
    worker: usize,
    receive_buffer: usize,
    rest: Duration,
    tell: Tell,
) -> io::Result<(Mailbox, JoinHandle<()>)> {
    let (starting, mailbox) = Worker::new(receive_buffer, rest, tell)?;
    let name = format!("forward-{worker}");
    let thread = thread::Builder::new().name(name).spawn(move || starting.run())?;
    Ok((mailbox, thread))
}

/// Raises this process's limit of open files as far as it may go: each relay takes several, and the
/// usual soft limit of 1024 is for select(2)'s sake.
pub fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "can't raise the limit of open files");
    }
}

fn check_receive_buffer(wanted: usize) {
    if let Ok(granted) = receiver::granted_buffer(wanted)
        && granted < wanted
    {
        tracing::warn!(
            wanted,
            granted,
            "receive buffers are small, bursts may be lost: raise net.core.rmem_max"
        );
    }
}
