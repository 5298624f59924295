//! Sends a flow's packets to its target, and reads what comes back.

use crate::event::{FlowCell, FlowEvent, Notify};
use crate::gso::{runs, segment_control};

use crate::path::Pass;
use crate::sys::BATCH;
use model::Gate;
use model::PayloadTypes;
use rtp::rtcp;
use socket2::{MsgHdr, SockRef};
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::net::UdpSocket;
use std::sync::Arc;

/// How often a datagram is tried. A failed call reports the refusal of an earlier datagram, and
/// several refusals may be waiting.
const TRIES: usize = 4;

/// How many packets or errors are read back at a time.
const READ_BACK: usize = 16;

/// The calls that an output makes on its connected socket.
pub(crate) trait OutputSocket {
    fn send_one(&self, datagram: &[u8]) -> io::Result<usize>;
    /// Sends datagrams of one size in one call. The last may be shorter.
    fn send_run(&self, run: &[IoSlice<'_>]) -> io::Result<usize>;
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Empties the socket's error queue. A failing call reports each error, too.
    fn forget_errors(&self) {}
    /// The target's name in the log.
    fn target(&self) -> String;
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

    fn forget_errors(&self) {
        // Each entry holds the packet that failed; nothing needs it.
        let mut unread = [MaybeUninit::uninit(); 1];
        for _ in 0..READ_BACK {
            let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
            if SockRef::from(self).recv_with_flags(&mut unread, flags).is_err() {
                return;
            }
        }
    }

    fn target(&self) -> String {
        self.peer_addr().map_or_else(|_| "?".to_owned(), |target| target.to_string())
    }
}

/// The cause of a failed send.
enum Failure {
    /// An ICMP error about an earlier packet, or no route. This packet was not sent.
    Refused,
    /// This host's own firewall.
    Blocked,
    /// The kernel or the path takes no runs, or none of such datagrams.
    Unfit,
    /// There is no room now.
    Full,
}

impl Failure {
    fn of(error: &io::Error) -> Failure {
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM | libc::EINTR) => Failure::Full,
            Some(libc::EPERM) => Failure::Blocked,
            Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE) | None => Failure::Unfit,
            Some(_) => Failure::Refused,
        }
    }
}

/// One flow's sending side.
pub(crate) struct Output<S = UdpSocket> {
    pub(crate) id: u32,
    pub(crate) socket: S,
    pub(crate) cell: Arc<FlowCell>,
    pass: Pass,
    /// The source's payload types that are RTP although they look like RTCP.
    named: PayloadTypes,
    /// Whether a run goes out in one call; false after that failed.
    in_runs: bool,
}

impl<S: OutputSocket> Output<S> {
    pub(crate) fn new(
        id: u32,
        socket: S,
        cell: Arc<FlowCell>,
        pass: Pass,
        named: PayloadTypes,
    ) -> Output<S> {
        Output { id, socket, cell, pass, named, in_runs: true }
    }

    /// Sends the datagrams of a batch of at most [`BATCH`] that pass the gate and the filter.
    pub(crate) fn forward<'d>(
        &mut self,
        datagrams: impl Iterator<Item = &'d [u8]>,
        notify: &Notify,
    ) {
        let setting = self.cell.gate.read();
        let (pass, named) = (self.pass, self.named);
        let mut passing = datagrams.filter(|datagram| passes(pass, named, datagram));
        match setting.gate() {
            Gate::Shut => {}
            Gate::Probe => {
                if passing.next().is_some_and(|probe| self.send_one(probe, notify)) {
                    self.cell.gate.shut(setting);
                    self.cell.raise(FlowEvent::Probed, notify);
                }
            }
            Gate::Open => {
                let Some(first) = passing.next() else { return };
                let Some(second) = passing.next() else {
                    self.send_one(first, notify);
                    return;
                };
                let passing = [first, second].into_iter().chain(passing);
                let mut slices = [IoSlice::new(&[]); BATCH];
                let mut count = 0;
                for (slice, datagram) in slices.iter_mut().zip(passing) {
                    *slice = IoSlice::new(datagram);
                    count += 1;
                }
                runs(&slices[..count]).for_each(|run| self.send_run(run, notify));
            }
        }
    }

    fn send_run(&mut self, run: &[IoSlice<'_>], notify: &Notify) {
        if run.len() == 1 || !self.in_runs {
            run.iter().for_each(|datagram| {
                self.send_one(datagram, notify);
            });
            return;
        }
        for _ in 0..TRIES {
            let Err(error) = self.socket.send_run(run) else { return self.count_sent(run) };
            match Failure::of(&error) {
                Failure::Refused => self.refused(&error, notify),
                Failure::Unfit => {
                    let target = self.socket.target();
                    tracing::warn!(%target, %error, "the path takes no batches: packets go out one by one from now on");
                    self.in_runs = false;
                    return self.send_run(run, notify);
                }
                Failure::Blocked => {
                    self.failed(&error, notify);
                    break;
                }
                Failure::Full => break,
            }
        }
        self.cell.lost.add(run.len() as u64);
    }

    /// Sends one datagram; false if it could not be sent.
    fn send_one(&self, datagram: &[u8], notify: &Notify) -> bool {
        for _ in 0..TRIES {
            let Err(error) = self.socket.send_one(datagram) else {
                self.count_sent(&[IoSlice::new(datagram)]);
                return true;
            };
            match Failure::of(&error) {
                Failure::Refused => self.refused(&error, notify),
                Failure::Blocked => {
                    self.failed(&error, notify);
                    break;
                }
                Failure::Unfit | Failure::Full => break,
            }
        }
        self.cell.lost.add(1);
        false
    }

    fn count_sent(&self, datagrams: &[IoSlice<'_>]) {
        self.cell.packets.add(datagrams.len() as u64);
        self.cell.bytes.add(datagrams.iter().map(|datagram| datagram.len() as u64).sum());
    }

    fn refused(&self, error: &io::Error, notify: &Notify) {
        self.cell.refusals.add(1);
        self.failed(error, notify);
        self.socket.forget_errors();
    }

    /// Raises the event for a failed send.
    fn failed(&self, error: &io::Error, notify: &Notify) {
        let event = match error.raw_os_error() {
            Some(libc::ECONNREFUSED) => FlowEvent::Refused,
            errno => FlowEvent::Unreachable { errno: errno.unwrap_or(0) },
        };
        self.cell.raise(event, notify);
    }

    /// Reads what came back: reports, and waiting errors.
    pub(crate) fn read_back(&self, buffer: &mut [u8], notify: &Notify) {
        for round in 0..READ_BACK {
            match self.socket.receive(buffer) {
                Ok(length) => {
                    self.cell.reports.add(1);
                    for feedback in rtcp::feedback(&buffer[..length]) {
                        self.cell.raise(FlowEvent::Report(feedback), notify);
                    }
                }
                Err(error) => match Failure::of(&error) {
                    Failure::Refused => self.refused(&error, notify),
                    Failure::Blocked | Failure::Unfit | Failure::Full => {
                        if round == 0 {
                            // Only the error queue is left, and it would wake epoll again.
                            self.socket.forget_errors();
                        }
                        return;
                    }
                },
            }
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
