//! Which sources and outputs are open, and on which worker.

use crate::cell::Counter;
use crate::error::OpenError;
use crate::event::FlowCell;
use crate::evidence::Evidence;
use crate::ingest_counters::IngestCounters;
use crate::ingest_socket;
use crate::output::Output;
use crate::output_socket::SourcePorts;
use crate::path::{Media, Path, Source};
use crate::quoting::Quoting;
use crate::tap::{TapOutput, Tapped};
use crate::worker::{Command, Mailbox, Member};
use model::Gate;
use slab::Slab;
use socket2::Socket;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Sender, SyncSender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where an output or a tap is: its ingest, and its number there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) ingest: u32,
    pub(crate) id: u32,
}

/// The parts of a flow's handle.
pub(crate) struct OpenedFlow {
    pub(crate) cell: Arc<FlowCell>,
    pub(crate) ingest: Arc<IngestCounters>,
    pub(crate) local: SocketAddr,
    pub(crate) target: SocketAddr,
    pub(crate) place: Place,
}

/// The parts of a tap's handle.
pub(crate) struct OpenedTap {
    pub(crate) ingest: Arc<IngestCounters>,
    pub(crate) missed: Arc<Counter>,
    pub(crate) place: Place,
}

/// All that is open, for the plane and its handles. Workers never lock it.
pub(crate) struct Registry {
    receive_buffer: usize,
    open: Mutex<OpenSources>,
}

struct OpenSources {
    workers: Vec<Mailbox>,
    ports: SourcePorts,
    by_source: HashMap<Source, u32>,
    ingests: Slab<Entry>,
    /// By edge. There are no more than the configured edges.
    quoting: HashMap<IpAddr, Arc<Quoting>>,
}

/// One source that is being received.
struct Entry {
    source: Source,
    worker: usize,
    counters: Arc<IngestCounters>,
    /// Its outputs and taps.
    members: Slab<()>,
}

/// The sockets of a call, before a worker has them.
#[derive(Default)]
struct NewSockets {
    ingests: HashMap<Source, Socket>,
    outputs: Vec<(Path, UdpSocket)>,
}

impl Registry {
    pub(crate) fn new(
        workers: Vec<Mailbox>,
        ports: SourcePorts,
        receive_buffer: usize,
    ) -> Registry {
        let (by_source, quoting) = (HashMap::new(), HashMap::new());
        let open = OpenSources { workers, ports, by_source, ingests: Slab::new(), quoting };
        Registry { receive_buffer, open: Mutex::new(open) }
    }

    fn lock(&self) -> MutexGuard<'_, OpenSources> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the flows of a relay, all or none.
    pub(crate) fn open(
        &self,
        relay: u64,
        media_list: &[Media],
        gate: Gate,
    ) -> Result<Vec<OpenedFlow>, OpenError> {
        let mut open = self.lock();
        let NewSockets { mut ingests, outputs } = open.sockets(media_list, self.receive_buffer)?;
        let mut flows = Vec::with_capacity(outputs.len());
        for (flow, (path, output)) in outputs.into_iter().enumerate() {
            let cell = Arc::new(FlowCell::new(relay, flow, gate));
            let ingest = ingests.remove(&path.source);
            match open.add(path, output, ingest, cell) {
                Ok(opened) => flows.push(opened),
                Err(error) => {
                    flows.iter().for_each(|flow: &OpenedFlow| open.close(flow.place));
                    return Err(error);
                }
            }
        }
        Ok(flows)
    }

    /// Puts a tap with this number on a source. The worker drops `ready` when the tap is in place.
    pub(crate) fn tap(
        &self,
        source: &Source,
        tap: usize,
        to: SyncSender<Tapped>,
        ready: Sender<Infallible>,
    ) -> Result<OpenedTap, OpenError> {
        let mut open = self.lock();
        let known = open.by_source.contains_key(source);
        let socket =
            (!known).then(|| ingest_socket::open(source, self.receive_buffer)).transpose()?;
        let missed = Arc::new(Counter::default());
        let counter = Arc::clone(&missed);
        let member = |id| Member::Tap(TapOutput { id, tap, to, missed: counter }, ready);
        let (place, ingest) = open.join(source.clone(), socket, member)?;
        Ok(OpenedTap { ingest, missed, place })
    }

    /// Closes an output or a tap, and its source if that was the last.
    pub(crate) fn close(&self, place: Place) {
        self.lock().close(place);
    }

    /// Tells every worker to end.
    pub(crate) fn stop(&self) {
        self.lock().workers.iter().for_each(|worker| {
            worker.send(Command::Stop);
        });
    }
}

impl OpenSources {
    /// Opens all sockets that these media need.
    fn sockets(
        &mut self,
        media_list: &[Media],
        receive_buffer: usize,
    ) -> Result<NewSockets, OpenError> {
        let mut new = NewSockets::default();
        for Media { rtp, rtcp } in media_list {
            for Path { source, .. } in [Some(rtp), rtcp.as_ref()].into_iter().flatten() {
                if !self.by_source.contains_key(source) && !new.ingests.contains_key(source) {
                    let socket = ingest_socket::open(source, receive_buffer)?;
                    new.ingests.insert(source.clone(), socket);
                }
            }
            let (even, odd) = self.ports.open(rtp, rtcp.as_ref())?;
            new.outputs.push((rtp.clone(), even));
            new.outputs.extend(rtcp.clone().zip(odd));
        }
        Ok(new)
    }

    /// Hands an output, and its source if that is new, to a worker.
    fn add(
        &mut self,
        path: Path,
        socket: UdpSocket,
        ingest: Option<Socket>,
        cell: Arc<FlowCell>,
    ) -> Result<OpenedFlow, OpenError> {
        let Path { source, target, pass, .. } = path;
        let failed = |error| OpenError::Target { target, step: "reading its port", error };
        let local = socket.local_addr().map_err(failed)?;
        let named = source.named;
        let quoting = Arc::clone(self.quoting.entry(target.ip()).or_default());
        let evidence = Evidence::new(target.ip(), named, quoting);
        let (place, ingest) = self.join(source, ingest, |id| {
            let cell = Arc::clone(&cell);
            Member::Output(Box::new(Output::new(id, socket, cell, target, pass, named, evidence)))
        })?;
        Ok(OpenedFlow { cell, ingest, local, target, place })
    }

    /// Hands a member of a source, and the source if that is new, to a worker.
    fn join(
        &mut self,
        source: Source,
        socket: Option<Socket>,
        member: impl FnOnce(u32) -> Member,
    ) -> Result<(Place, Arc<IngestCounters>), OpenError> {
        let ingest = match self.by_source.get(&source) {
            Some(ingest) => *ingest,
            None => self.add_ingest(source.clone()),
        };
        let entry = &mut self.ingests[ingest as usize];
        let place = Place { ingest, id: small(entry.members.insert(())) };
        let counters = Arc::clone(&entry.counters);
        let new = socket.map(|socket| (source, socket, Arc::clone(&counters)));
        let worker = &self.workers[entry.worker];
        if !worker.send(Command::Open { ingest, new, member: member(place.id) }) {
            self.close(place);
            return Err(OpenError::Stopped);
        }
        Ok((place, counters))
    }

    /// Assigns a new source to the worker that has the fewest members.
    fn add_ingest(&mut self, source: Source) -> u32 {
        let mut load = vec![0; self.workers.len()];
        self.ingests.iter().for_each(|(_, entry)| load[entry.worker] += entry.members.len());
        let worker = (0..load.len()).min_by_key(|worker| load[*worker]).unwrap_or(0);
        let (counters, members) = (Arc::default(), Slab::new());
        let entry = Entry { source: source.clone(), worker, counters, members };
        let ingest = small(self.ingests.insert(entry));
        self.by_source.insert(source, ingest);
        ingest
    }

    fn close(&mut self, Place { ingest, id }: Place) {
        let Some(entry) = self.ingests.get_mut(ingest as usize) else { return };
        entry.members.try_remove(id as usize);
        let (done, closed) = channel();
        self.workers[entry.worker].send(Command::Close { ingest, id, done });
        if entry.members.is_empty() {
            if !entry.source.address.is_multicast() {
                // Its port is free again only after the worker closes the socket. The worker sends
                // nothing; it drops the channel.
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
