//! Receiving a source once, for all its outputs.

use crate::arrivals::Arrivals;
use crate::error::OpenError;
use crate::flow::Tell;
use crate::output::Output;
use crate::path::Source;
use crate::receiver;
use crate::returns::Returns;
use crate::sys::Batch;
use crate::tap::Ear;
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
    /// Those who hear what arrives.
    pub(crate) ears: Vec<Ear>,
    /// The group could not be joined again since its interface vanished.
    pub(crate) astray: bool,
    arrivals: Arc<Arrivals>,
    sequence: Sequence,
    returns: Returns,
    /// The socket's own count of drops, as last read.
    drops: u32,
}

impl Ingest {
    pub(crate) fn new(source: Source, socket: Socket, arrivals: Arc<Arrivals>) -> Ingest {
        Ingest {
            source,
            socket,
            outputs: Vec::new(),
            ears: Vec::new(),
            astray: false,
            arrivals,
            sequence: Sequence::default(),
            returns: Returns::default(),
            drops: 0,
        }
    }

    /// Receives one batch and sends it to every output; returns how many datagrams there were.
    /// `now` is in coarse milliseconds.
    pub(crate) fn forward(
        &mut self,
        batch: &mut Batch,
        now: u64,
        tell: &Tell,
    ) -> io::Result<usize> {
        let senders = self.returns.wants_senders() || !self.ears.is_empty();
        if let Some(drops) = batch.receive(self.socket.as_fd(), senders)? {
            self.arrivals.drops.add(u64::from(drops.wrapping_sub(self.drops)));
            self.drops = drops;
        }
        self.take_in(batch, now);
        for output in &mut self.outputs {
            output.forward(batch.datagrams(), tell);
        }
        self.arrivals.received.add(batch.count() as u64);
        self.arrivals.gaps.set(self.sequence.missing());
        self.arrivals.ssrc_changes.set(self.sequence.ssrc_changes());
        self.arrivals.last.set(now);
        Ok(batch.count())
    }

    /// Takes out of a batch what has come back, and notes the sequence of the rest.
    fn take_in(&mut self, batch: &mut Batch, now: u64) {
        for at in 0..batch.count() {
            let sender = batch.sender(at);
            let Some(datagram) = batch.datagram(at) else { continue };
            let packet = Packet::read(datagram);
            if let Some(sender) = sender {
                self.ears.iter().for_each(|ear| ear.hear(packet, datagram.len(), sender));
            }
            if self.returns.see(packet, datagram, sender, now) {
                batch.discard(at);
                self.arrivals.returned.add(1);
                if let Some(sender) = sender {
                    self.arrivals.returned_by.put(sender);
                }
            } else if let Packet::Rtp(header) = packet {
                self.sequence.push(header);
            }
        }
        self.returns.next_batch();
    }

    /// Makes sure that the socket is still a member of its group. Returns a socket to take its
    /// place if the membership was lost with its interface.
    pub(crate) fn rejoin(&mut self, buffer: usize) -> Result<Option<Socket>, OpenError> {
        let lost =
            if self.astray { Ok(true) } else { receiver::rejoin(&self.socket, &self.source) };
        // A new socket is bound to the new interface, and keeps no dead membership.
        let rejoined = lost.and_then(|lost| {
            if lost { receiver::open(&self.source, buffer).map(Some) } else { Ok(None) }
        });
        self.astray = rejoined.is_err();
        rejoined
    }

    /// Goes on with another socket.
    pub(crate) fn replace(&mut self, socket: Socket) {
        self.socket = socket;
        self.drops = 0;
    }
}
