//! Which sources and outputs are open, and on which worker.

use crate::arrivals::{Arrivals, Totals};
use crate::counter::Counter;
use crate::error::OpenError;
use crate::flow::Shared;
use crate::output::Output;
use crate::path::{Media, Path, Source};
use crate::ports::Ports;
use crate::receiver;
use crate::tap::{Ear, Overheard, Tap};
use crate::worker::{Command, Joins, Mailbox};
use model::Gate;
use slab::Slab;
use socket2::Socket;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Sender, SyncSender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where a flow's output or a tap's ear is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) ingest: u32,
    pub(crate) id: u32,
}

/// A flow just opened.
pub(crate) struct Opened {
    pub(crate) shared: Arc<Shared>,
    pub(crate) arrivals: Arc<Arrivals>,
    pub(crate) before: Totals,
    pub(crate) local: SocketAddr,
    pub(crate) target: SocketAddr,
    pub(crate) place: Place,
}

/// All that is open, shared by the plane and its flows. Workers never look here.
pub(crate) struct Registry {
    receive_buffer: usize,
    open: Mutex<OpenSources>,
}

struct OpenSources {
    workers: Vec<Mailbox>,
    ports: Ports,
    by_source: HashMap<Source, u32>,
    ingests: Slab<Entry>,
}

/// One source that is being received.
struct Entry {
    source: Source,
    worker: usize,
    arrivals: Arc<Arrivals>,
    /// Its outputs and ears.
    users: Slab<()>,
}

/// Sockets opened for a call, before anything is told to a worker.
#[derive(Default)]
struct Fresh {
    receivers: HashMap<Source, Socket>,
    senders: Vec<(Path, UdpSocket)>,
}

impl Registry {
    pub(crate) fn new(workers: Vec<Mailbox>, ports: Ports, receive_buffer: usize) -> Registry {
        let by_source = HashMap::new();
        let open = OpenSources { workers, ports, by_source, ingests: Slab::new() };
        Registry { receive_buffer, open: Mutex::new(open) }
    }

    fn lock(&self) -> MutexGuard<'_, OpenSources> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the flows of a relay, all or none.
    pub(crate) fn open(
        &self,
        relay: u64,
        medias: &[Media],
        gate: Gate,
    ) -> Result<Vec<Opened>, OpenError> {
        let mut open = self.lock();
        let Fresh { mut receivers, senders } = open.fresh(medias, self.receive_buffer)?;
        let mut flows = Vec::with_capacity(senders.len());
        for (flow, (path, sender)) in senders.into_iter().enumerate() {
            let shared = Arc::new(Shared::new(relay, flow, gate));
            let receiver = receivers.remove(&path.source);
            match open.add(path, sender, receiver, shared) {
                Ok(opened) => flows.push(opened),
                Err(error) => {
                    flows.iter().for_each(|flow: &Opened| open.close(flow.place));
                    return Err(error);
                }
            }
        }
        Ok(flows)
    }

    /// Puts a tap with this number on a source; its worker hangs up on `ready` when it hears.
    pub(crate) fn tap(
        self: &Arc<Self>,
        source: &Source,
        tap: usize,
        to: SyncSender<Overheard>,
        ready: Sender<Infallible>,
    ) -> Result<Tap, OpenError> {
        let mut open = self.lock();
        let known = open.by_source.contains_key(source);
        let receiver = (!known).then(|| receiver::open(source, self.receive_buffer)).transpose()?;
        let missed = Arc::new(Counter::default());
        let counted = Arc::clone(&missed);
        let ear = |id| Joins::Ear(Ear { id, tap, to, missed: counted }, ready);
        let (place, arrivals) = open.join(source.clone(), receiver, ear)?;
        let registry = Arc::clone(self);
        Ok(Tap { place, registry, before: arrivals.totals(), arrivals, missed })
    }

    /// Takes an output or an ear away, and its source if that was the last.
    pub(crate) fn close(&self, place: Place) {
        self.lock().close(place);
    }

    /// Tells every worker to look after its memberships.
    pub(crate) fn rejoin(&self) {
        self.lock().workers.iter().for_each(|worker| {
            worker.send(Command::Rejoin);
        });
    }

    /// Tells every worker to end.
    pub(crate) fn stop(&self) {
        self.lock().workers.iter().for_each(|worker| {
            worker.send(Command::Stop);
        });
    }
}

impl OpenSources {
    /// Opens all sockets that the medias need.
    fn fresh(&mut self, medias: &[Media], receive_buffer: usize) -> Result<Fresh, OpenError> {
        let mut fresh = Fresh::default();
        for Media { rtp, rtcp } in medias {
            for Path { source, .. } in [Some(rtp), rtcp.as_ref()].into_iter().flatten() {
                if !self.by_source.contains_key(source) && !fresh.receivers.contains_key(source) {
                    let receiver = receiver::open(source, receive_buffer)?;
                    fresh.receivers.insert(source.clone(), receiver);
                }
            }
            let (even, odd) = self.ports.open(rtp, rtcp.as_ref())?;
            fresh.senders.push((rtp.clone(), even));
            fresh.senders.extend(rtcp.clone().zip(odd));
        }
        Ok(fresh)
    }

    /// Hands an output, and its source if that is new, to a worker.
    fn add(
        &mut self,
        path: Path,
        sender: UdpSocket,
        receiver: Option<Socket>,
        shared: Arc<Shared>,
    ) -> Result<Opened, OpenError> {
        let Path { source, target, pass, .. } = path;
        let failed = |error| OpenError::Target { target, step: "reading its port", error };
        let local = sender.local_addr().map_err(failed)?;
        let (place, arrivals) = self.join(source, receiver, |id| {
            Joins::Output(Box::new(Output::new(id, sender, Arc::clone(&shared), pass)))
        })?;
        Ok(Opened { shared, before: arrivals.totals(), arrivals, local, target, place })
    }

    /// Hands what joins a source, and the source if that is new, to a worker.
    fn join(
        &mut self,
        source: Source,
        receiver: Option<Socket>,
        joins: impl FnOnce(u32) -> Joins,
    ) -> Result<(Place, Arc<Arrivals>), OpenError> {
        let ingest = match self.by_source.get(&source) {
            Some(ingest) => *ingest,
            None => self.add_ingest(source.clone()),
        };
        let entry = &mut self.ingests[ingest as usize];
        let place = Place { ingest, id: small(entry.users.insert(())) };
        let arrivals = Arc::clone(&entry.arrivals);
        let new = receiver.map(|socket| (source, socket, Arc::clone(&arrivals)));
        let worker = &self.workers[entry.worker];
        if !worker.send(Command::Open { ingest, new, joins: joins(place.id) }) {
            self.close(place);
            return Err(OpenError::Stopped);
        }
        Ok((place, arrivals))
    }

    /// Notes a new source on the worker that has the fewest outputs.
    fn add_ingest(&mut self, source: Source) -> u32 {
        let mut load = vec![0; self.workers.len()];
        self.ingests.iter().for_each(|(_, entry)| load[entry.worker] += entry.users.len());
        let worker = (0..load.len()).min_by_key(|worker| load[*worker]).unwrap_or(0);
        let (arrivals, users) = (Arc::default(), Slab::new());
        let entry = Entry { source: source.clone(), worker, arrivals, users };
        let ingest = small(self.ingests.insert(entry));
        self.by_source.insert(source, ingest);
        ingest
    }

    fn close(&mut self, Place { ingest, id }: Place) {
        let Some(entry) = self.ingests.get_mut(ingest as usize) else { return };
        entry.users.try_remove(id as usize);
        let (done, closed) = channel();
        self.workers[entry.worker].send(Command::Close { ingest, id, done });
        if entry.users.is_empty() {
            if !entry.source.address.is_multicast() {
                // Its port can be bound again only when its socket is gone. Nothing is ever said:
                // the worker hangs up.
                let _ = closed.recv();
            }
            self.by_source.remove(&entry.source);
            self.ingests.remove(ingest as usize);
        }
    }
}

/// A slab's key as the workers' epoll data hold it. Descriptors run out long before 2^32.
fn small(key: usize) -> u32 {
    u32::try_from(key).unwrap_or(u32::MAX)
}
