//! Receiving a source once, for all its outputs.

use crate::error::OpenError;
use crate::event::Notify;
use crate::ingest_counters::IngestCounters;
use crate::ingest_socket;
use crate::loop_guard::LoopGuard;
use crate::output::Output;
use crate::path::Source;
use crate::sys::Batch;
use crate::tap::TapOutput;
use rtp::{Packet, Sequence};
use socket2::Socket;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

/// A source's socket, its numbers, and the outputs that its packets go to.
pub(crate) struct Ingest {
    pub(crate) source: Source,
    pub(crate) socket: Socket,
    pub(crate) outputs: Vec<Output>,
    pub(crate) taps: Vec<TapOutput>,
    /// The group's interface is away, so that it could not be joined again.
    pub(crate) interface_away: bool,
    counters: Arc<IngestCounters>,
    sequence: Sequence,
    loop_guard: LoopGuard,
    /// The socket's own count of drops when it was last read.
    drops: u32,
}

impl Ingest {
    pub(crate) fn new(source: Source, socket: Socket, counters: Arc<IngestCounters>) -> Ingest {
        Ingest {
            source,
            socket,
            outputs: Vec::new(),
            taps: Vec::new(),
            interface_away: false,
            counters,
            sequence: Sequence::default(),
            loop_guard: LoopGuard::default(),
            drops: 0,
        }
    }

    /// Receives one batch and sends it to every output; returns how many datagrams there were.
    /// `now` is in coarse milliseconds.
    pub(crate) fn forward(
        &mut self,
        batch: &mut Batch,
        now: u64,
        notify: &Notify,
    ) -> io::Result<usize> {
        let guarded = self.source.peer.is_none() && self.loop_guard.wants_senders();
        let senders = guarded || !self.taps.is_empty();
        if let Some(drops) = batch.receive(self.socket.as_fd(), senders)? {
            self.counters.drops.add(u64::from(drops.wrapping_sub(self.drops)));
            self.drops = drops;
        }
        self.inspect(batch, now);
        for output in &mut self.outputs {
            output.forward(batch.datagrams(), now, notify);
        }
        self.counters.received.add(batch.count() as u64);
        self.counters.gaps.set(self.sequence.missing());
        self.counters.ssrc_changes.set(self.sequence.ssrc_changes());
        self.counters.last.set(now);
        Ok(batch.count())
    }

    /// Takes packets that came back in a loop out of a batch, describes all to the taps, and counts
    /// gaps.
    fn inspect(&mut self, batch: &mut Batch, now: u64) {
        for at in 0..batch.count() {
            let sender = batch.sender(at);
            let Some(datagram) = batch.datagram(at) else { continue };
            let packet = Packet::read_with(datagram, self.source.named);
            if let Some(sender) = sender {
                self.taps.iter().for_each(|tap| tap.send(packet, datagram.len(), sender));
            }
            let guarded = self.source.peer.is_none();
            if guarded && self.loop_guard.is_returned(packet, datagram, sender, now) {
                batch.discard(at);
                self.counters.returned.add(1);
                if let Some(sender) = sender {
                    self.counters.returned_by.put(sender);
                }
            } else if let Packet::Rtp(header) = packet {
                self.sequence.push(header);
            }
        }
        self.loop_guard.next_batch();
    }

    /// Checks that the socket is still a member of its group. If the membership was lost with its
    /// interface, returns a new socket to replace it with.
    pub(crate) fn rejoin(&mut self, buffer: usize) -> Result<Option<Socket>, OpenError> {
        let lost = if self.interface_away {
            Ok(true)
        } else {
            ingest_socket::rejoin(&self.socket, &self.source)
        };
        // A new socket is bound to the new interface, and keeps no dead membership.
        let rejoined = lost.and_then(|lost| {
            if lost { ingest_socket::open(&self.source, buffer).map(Some) } else { Ok(None) }
        });
        self.interface_away = rejoined.is_err();
        rejoined
    }

    /// Continues with another socket.
    pub(crate) fn replace(&mut self, socket: Socket) {
        self.socket = socket;
        self.drops = 0;
    }
}
