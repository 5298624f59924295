//! The data plane as a whole: its workers, and how flows and taps are opened.

use crate::error::{OpenError, StartError};
use crate::event::{Notice, Notify};
use crate::handle::{Flow, Tap};
use crate::ingest_socket;
use crate::output_socket::SourcePorts;
use crate::path::{Media, Source};
use crate::registry::Registry;
use crate::tap::Tapped;
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
    /// The ports that flows send from; `None` lets the kernel pick.
    pub source_ports: Option<RangeInclusive<u16>>,
    /// How long a worker sleeps after a batch of several packets, so that the next batch is larger
    /// and costs less per packet. A packet that comes alone causes no sleep. Zero: no sleep at all.
    pub rest: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { workers: 0, receive_buffer: 4 << 20, source_ports: None, rest: Duration::ZERO }
    }
}

/// The data plane. Dropping it ends its workers and all flows.
pub struct Plane {
    registry: Arc<Registry>,
    threads: Vec<JoinHandle<()>>,
}

impl Plane {
    /// Starts the workers, and raises this process's limit of open files to the hard limit.
    ///
    /// The workers call `notify` on their threads: it must not block, and must not drop the plane,
    /// a flow or a tap.
    pub fn start(
        settings: Settings,
        notify: impl Fn(Notice) + Send + Sync + 'static,
    ) -> Result<Plane, StartError> {
        let Settings { workers, receive_buffer, source_ports, rest } = settings;
        let ports = SourcePorts::new(source_ports.clone());
        let ports = ports.ok_or_else(|| StartError::Ports(source_ports.unwrap_or(0..=0)))?;
        raise_file_limit();
        check_receive_buffer(receive_buffer);
        let notify: Notify = Arc::new(notify);
        let workers = match workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let (mut mailboxes, mut threads) = (Vec::new(), Vec::new());
        for worker in 0..workers {
            match spawn(worker, receive_buffer, rest, Arc::clone(&notify)) {
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

    /// Opens the flows of a relay, all or none, with this gate. The result has the first media's
    /// RTP, its RTCP if it has one, the second media's RTP, and so on.
    ///
    /// `relay` is any number. Notices have it, and the flow's index in the result.
    pub fn open(&self, relay: u64, media: &[Media], gate: Gate) -> Result<Vec<Flow>, OpenError> {
        let opened = self.registry.open(relay, media, gate)?;
        Ok(opened.into_iter().map(|flow| Flow::new(flow, Arc::clone(&self.registry))).collect())
    }

    /// Puts a tap on each of these sources, whether or not a flow has it. `to` gets every datagram
    /// that arrives after this returns; [`Tapped::tap`] is the source's index in `sources`. If `to`
    /// is full, the datagram is left out and counted. A source that can't be received has its error.
    pub fn tap(&self, sources: &[Source], to: &SyncSender<Tapped>) -> Vec<Result<Tap, OpenError>> {
        let (ready, all) = channel();
        let tap = |(tap, source)| {
            let opened = self.registry.tap(source, tap, to.clone(), ready.clone())?;
            Ok(Tap::new(opened, Arc::clone(&self.registry)))
        };
        let taps = sources.iter().enumerate().map(tap).collect();
        drop(ready);
        // The workers send nothing; each drops its end when the tap is in place.
        let _ = all.recv();
        taps
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
    notify: Notify,
) -> io::Result<(Mailbox, JoinHandle<()>)> {
    let (starting, mailbox) = Worker::new(receive_buffer, rest, notify)?;
    let name = format!("forward-{worker}");
    let thread = thread::Builder::new().name(name).spawn(move || starting.run())?;
    Ok((mailbox, thread))
}

/// Raises this process's limit of open files to the hard limit: each relay takes several, and the
/// usual soft limit of 1024 exists only for select(2).
fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "can't raise the limit of open files");
    }
}

fn check_receive_buffer(wanted: usize) {
    if let Ok(granted) = ingest_socket::granted_buffer(wanted)
        && granted < wanted
    {
        tracing::warn!(
            wanted,
            granted,
            "receive buffers are small, bursts may be lost: raise net.core.rmem_max"
        );
    }
}
