//! Sends a flow's packets to its target, and reads what comes back.

use crate::event::{FlowCell, FlowEvent, Notify};
use crate::evidence::{Evidence, Finding};
use crate::gso::{runs, segment_control};
use crate::icmp::{ErrorBuffer, IcmpError, next_error};
use crate::path::Pass;
use crate::sys::BATCH;
use model::{Gate, PayloadTypes};
use rtp::rtcp;
use socket2::{MsgHdr, SockRef};
use std::io::{self, ErrorKind, IoSlice};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

/// How often a datagram is tried. Each failure reports an ICMP error about an earlier datagram, true
/// or forged; so many of them in a row are no coincidence.
const TRIES: usize = 64;

/// How often it is tried if the last one was given up.
const FEWER_TRIES: usize = 4;

/// How many packets, or how many errors, one call reads.
const READ_BACK: usize = 32;

/// After how many milliseconds runs that the path did not take are tried again.
const RETRY_RUNS: u64 = 60_000;

/// The calls that an output makes on its connected socket.
pub(crate) trait OutputSocket {
    fn send_one(&self, datagram: &[u8]) -> io::Result<usize>;
    /// Sends datagrams of one size in one call. The last may be shorter.
    fn send_run(&self, run: &[IoSlice<'_>]) -> io::Result<usize>;
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize>;
    /// The next entry of the error queue, as [`next_error`] returns it.
    fn next_error(&self, buffer: &mut ErrorBuffer) -> Option<Option<IcmpError>>;
    /// Clears an error that the next call would report.
    fn clear_error(&self);
}

impl OutputSocket for UdpSocket {
    fn send_one(&self, datagram: &[u8]) -> io::Result<usize> {
        self.send(datagram)
    }

    fn send_run(&self, run: &[IoSlice<'_>]) -> io::Result<usize> {
        let size = run.first().map_or(0, |first| first.len());
        let size = u16::try_from(size).map_err(|_| ErrorKind::InvalidInput)?;
        let control = segment_control(size);
        SockRef::from(self).sendmsg(&MsgHdr::new().with_buffers(run).with_control(&control), 0)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv(buffer)
    }

    fn next_error(&self, buffer: &mut ErrorBuffer) -> Option<Option<IcmpError>> {
        next_error(self, buffer)
    }

    fn clear_error(&self) {
        let _ = self.take_error();
    }
}

/// The cause of a failed send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Failure {
    /// An ICMP error about an earlier packet, or no route. This packet was not sent.
    Error,
    /// This host's own firewall.
    Blocked,
    /// The datagram or the run is too large for the path; or an ICMP error said so of an earlier one.
    TooLarge,
    /// The kernel or the interface takes no runs.
    Unfit,
    /// There is no room now.
    Full,
}

impl Failure {
    fn of(error: &io::Error) -> Failure {
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM | libc::EINTR) => Failure::Full,
            Some(libc::EPERM) => Failure::Blocked,
            Some(libc::EMSGSIZE) => Failure::TooLarge,
            Some(libc::EIO | libc::EINVAL) | None => Failure::Unfit,
            Some(_) => Failure::Error,
        }
    }
}

/// Which runs go out one packet at a time, because the path did not take them.
#[derive(Clone, Copy, Debug, Default)]
struct Singly {
    /// Runs of datagrams of this size or more; `None` is no runs.
    from: Option<usize>,
    /// Until when, in coarse milliseconds.
    until: u64,
    warned: bool,
}

/// One flow's sending side.
pub(crate) struct Output<S = UdpSocket> {
    pub(crate) id: u32,
    pub(crate) socket: S,
    pub(crate) cell: Arc<FlowCell>,
    target: SocketAddr,
    pass: Pass,
    /// The source's payload types that are RTP although they look like RTCP.
    named: PayloadTypes,
    evidence: Evidence,
    singly: Singly,
    tries: usize,
}

impl<S: OutputSocket> Output<S> {
    pub(crate) fn new(
        id: u32,
        socket: S,
        cell: Arc<FlowCell>,
        target: SocketAddr,
        pass: Pass,
        named: PayloadTypes,
        evidence: Evidence,
    ) -> Output<S> {
        let singly = Singly::default();
        Output { id, socket, cell, target, pass, named, evidence, singly, tries: TRIES }
    }

    /// Sends the datagrams of a batch of at most [`BATCH`] that pass the gate and the filter. `now`
    /// is in coarse milliseconds.
    pub(crate) fn forward<'d>(
        &mut self,
        datagrams: impl Iterator<Item = &'d [u8]>,
        now: u64,
        notify: &Notify,
    ) {
        let setting = self.cell.gate.read();
        let (pass, named) = (self.pass, self.named);
        let mut passing = datagrams.filter(|datagram| passes(pass, named, datagram));
        match setting.gate() {
            Gate::Shut => {}
            Gate::Probe => {
                if let Some(probe) = passing.next()
                    && self.send_one(probe, now, notify)
                {
                    self.cell.gate.shut(setting);
                    let sequence = self.evidence.sequence(probe);
                    self.cell.raise(FlowEvent::Probed { sequence }, notify);
                }
            }
            Gate::Open => {
                let Some(first) = passing.next() else { return };
                let Some(second) = passing.next() else {
                    self.send_one(first, now, notify);
                    return;
                };
                let passing = [first, second].into_iter().chain(passing);
                let mut slices = [IoSlice::new(&[]); BATCH];
                let mut count = 0;
                for (slice, datagram) in slices.iter_mut().zip(passing) {
                    *slice = IoSlice::new(datagram);
                    count += 1;
                }
                runs(&slices[..count]).for_each(|run| self.send_run(run, now, notify));
            }
        }
    }

    fn send_run(&mut self, run: &[IoSlice<'_>], now: u64, notify: &Notify) {
        let size = run.first().map_or(0, |first| first.len());
        let singly = self.singly.from.is_some_and(|from| size >= from && now < self.singly.until);
        if run.len() > 1 && !singly {
            let Err(error) = self.retry(run, now, |socket| socket.send_run(run)) else { return };
            let from = match Failure::of(&error) {
                Failure::TooLarge => size,
                Failure::Unfit => 0,
                _ => return self.give_up(run.len(), &error, notify),
            };
            self.send_singly(from, &error, now);
        }
        for datagram in run {
            self.send_one(datagram, now, notify);
        }
    }

    /// Sends runs of datagrams of this size or more one packet at a time, for a while.
    fn send_singly(&mut self, from: usize, error: &io::Error, now: u64) {
        if !std::mem::replace(&mut self.singly.warned, true) {
            let target = self.target;
            tracing::warn!(%target, %error, size = from, "the path takes no batches of packets of \
                this size: they go out one by one");
        }
        let before = self.singly.from.filter(|_| now < self.singly.until);
        self.singly.from = Some(before.map_or(from, |before| before.min(from)));
        self.singly.until = now + RETRY_RUNS;
    }

    /// Sends one datagram; false if it could not be sent.
    fn send_one(&mut self, datagram: &[u8], now: u64, notify: &Notify) -> bool {
        let slices = [IoSlice::new(datagram)];
        match self.retry(&slices, now, |socket| socket.send_one(datagram)) {
            Ok(()) => true,
            Err(error) => {
                self.give_up(1, &error, notify);
                false
            }
        }
    }

    /// Repeats a send that failed because of an ICMP error, and counts what was sent. Whether such an
    /// error is true, only the error queue says.
    fn retry(
        &mut self,
        datagrams: &[IoSlice<'_>],
        now: u64,
        send: impl Fn(&S) -> io::Result<usize>,
    ) -> io::Result<()> {
        let mut failed = ErrorKind::Other.into();
        for _ in 0..self.tries {
            let Err(error) = send(&self.socket) else {
                self.tries = TRIES;
                self.cell.packets.add(datagrams.len() as u64);
                self.cell.bytes.add(datagrams.iter().map(|one| one.len() as u64).sum());
                datagrams.iter().for_each(|datagram| self.evidence.sent(datagram, now));
                return Ok(());
            };
            if !matches!(Failure::of(&error), Failure::Error | Failure::TooLarge) {
                return Err(error);
            }
            failed = error;
        }
        self.tries = FEWER_TRIES;
        Err(failed)
    }

    /// Counts lost datagrams, and raises an event if the cause is this host's firewall or routes.
    fn give_up(&self, count: usize, error: &io::Error, notify: &Notify) {
        self.cell.lost.add(count as u64);
        let errno = error.raw_os_error().unwrap_or(0);
        let unreachable = match Failure::of(error) {
            Failure::Error => errno != libc::ECONNREFUSED,
            failure => failure == Failure::Blocked,
        };
        if unreachable {
            self.cell.raise(FlowEvent::Unreachable { errno, offender: None }, notify);
        }
    }

    /// Reads reports that came back.
    pub(crate) fn read_back(&self, buffer: &mut [u8], notify: &Notify) {
        for _ in 0..READ_BACK {
            match self.socket.receive(buffer) {
                Ok(length) => {
                    self.cell.reports.add(1);
                    for feedback in rtcp::feedback(&buffer[..length]) {
                        self.cell.raise(FlowEvent::Report(feedback), notify);
                    }
                }
                Err(error) if Failure::of(&error) == Failure::Full => return,
                // An ICMP error, which the error queue has, too.
                Err(_) => {}
            }
        }
    }

    /// Reads ICMP errors, and believes those that quote a packet of this flow. Reads no more than 32
    /// at a time, so that a flood of them delays no packet for long.
    pub(crate) fn read_errors(&self, buffer: &mut ErrorBuffer, now: u64, notify: &Notify) {
        for read in 0..READ_BACK {
            let Some(entry) = self.socket.next_error(buffer) else {
                if read == 0 {
                    // The queue was full, so the kernel kept only the error's number.
                    self.socket.clear_error();
                }
                return;
            };
            let Some(error) = entry else { continue };
            let event = match self.evidence.examine(&error, now) {
                Finding::Refused { sequence } => {
                    self.cell.refusals.add(1);
                    FlowEvent::Refused { sequence }
                }
                Finding::Firewalled { offender } => {
                    FlowEvent::Firewalled { offender: Some(offender) }
                }
                Finding::Unreachable { errno, offender } => {
                    FlowEvent::Unreachable { errno, offender: Some(offender) }
                }
                Finding::Harmless => continue,
                Finding::Forged => {
                    self.cell.forged.add(1);
                    if let Some(offender) = error.offender {
                        self.cell.forger.put(SocketAddr::new(offender, 0));
                    }
                    continue;
                }
            };
            self.cell.raise(event, notify);
        }
    }
}

fn passes(pass: Pass, named: PayloadTypes, datagram: &[u8]) -> bool {
    match pass {
        Pass::Everything => true,
        Pass::SenderReports => rtcp::sender_report(datagram).is_some(),
        Pass::Multiplexed => {
            !rtcp::is_rtcp(datagram, named) || rtcp::sender_report(datagram).is_some()
        }
    }
}

#[cfg(test)]
mod tests;
