//! Sending a flow's packets to its target, and reading what comes back.

use crate::event::Happened;
use crate::flow::{Shared, Tell};
use crate::path::Pass;
use crate::run::runs;
use crate::sys::BATCH;
use model::Gate;
use rtp::rtcp;
use socket2::{MsgHdr, SockRef};
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::net::UdpSocket;
use std::sync::Arc;

/// How often a datagram is tried: each refusal on the way belongs to an earlier one, and several
/// may be waiting.
const TRIES: usize = 4;

/// How many packets are read back at a time.
const READ_BACK: usize = 16;

/// The calls that an output makes on its connected socket.
pub(crate) trait Wire {
    fn send_one(&self, datagram: &[u8]) -> io::Result<usize>;
    /// Sends datagrams of one size, the last maybe shorter, in one call.
    fn send_run(&self, run: &[IoSlice<'_>]) -> io::Result<usize>;
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Empties the socket's queue of errors: each is told by a failing call, too.
    fn forget_errors(&self) {}
    /// Names the target in the log.
    fn target(&self) -> String;
}

impl Wire for UdpSocket {
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
        // What comes is the packet that failed; nobody wants it back.
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

/// The length of a control message's header: a length as wide as a pointer, level, and type.
const CONTROL_HEADER: usize = size_of::<usize>() + 8;
/// The header and a u16, padded to a pointer's width.
const CONTROL: usize = CONTROL_HEADER + size_of::<usize>();

/// A UDP_SEGMENT control message as the kernel reads it.
fn segment_control(size: u16) -> [u8; CONTROL] {
    let mut control = [0; CONTROL];
    let (length, rest) = control.split_at_mut(size_of::<usize>());
    length.copy_from_slice(&(CONTROL_HEADER + size_of::<u16>()).to_ne_bytes());
    rest[..4].copy_from_slice(&libc::SOL_UDP.to_ne_bytes());
    rest[4..8].copy_from_slice(&libc::UDP_SEGMENT.to_ne_bytes());
    rest[8..10].copy_from_slice(&size.to_ne_bytes());
    control
}

/// What a failed send means.
enum Failure {
    /// An earlier packet's ICMP error, or no route: this one was not sent.
    Refused,
    /// This host lets nothing out: its own firewall.
    Kept,
    /// The kernel or the path doesn't take runs, or not of such datagrams.
    Unfit,
    /// There is no room now.
    Full,
}

impl Failure {
    fn of(error: &io::Error) -> Failure {
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM | libc::EINTR) => Failure::Full,
            Some(libc::EPERM) => Failure::Kept,
            Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE) | None => Failure::Unfit,
            Some(_) => Failure::Refused,
        }
    }
}

/// One flow's sending side.
pub(crate) struct Output<W = UdpSocket> {
    pub(crate) id: u32,
    pub(crate) wire: W,
    pub(crate) shared: Arc<Shared>,
    pass: Pass,
    /// Whether runs go in one call; false once that was refused.
    in_runs: bool,
}

impl<W: Wire> Output<W> {
    pub(crate) fn new(id: u32, wire: W, shared: Arc<Shared>, pass: Pass) -> Output<W> {
        Output { id, wire, shared, pass, in_runs: true }
    }

    /// Sends what the gate and the filter let pass of a batch of at most [`BATCH`].
    pub(crate) fn forward<'d>(&mut self, datagrams: impl Iterator<Item = &'d [u8]>, tell: &Tell) {
        let setting = self.shared.gate.read();
        let pass = self.pass;
        let mut passing = datagrams.filter(|datagram| passes(pass, datagram));
        match setting.gate() {
            Gate::Shut => {}
            Gate::Probe => {
                if passing.next().is_some_and(|probe| self.send_one(probe, tell)) {
                    self.shared.gate.shut(setting);
                    self.shared.happened(Happened::Probed, tell);
                }
            }
            Gate::Open => {
                let Some(first) = passing.next() else { return };
                let Some(second) = passing.next() else {
                    self.send_one(first, tell);
                    return;
                };
                let passing = [first, second].into_iter().chain(passing);
                let mut slices = [IoSlice::new(&[]); BATCH];
                let mut count = 0;
                for (slice, datagram) in slices.iter_mut().zip(passing) {
                    *slice = IoSlice::new(datagram);
                    count += 1;
                }
                runs(&slices[..count]).for_each(|run| self.send_run(run, tell));
            }
        }
    }

    fn send_run(&mut self, run: &[IoSlice<'_>], tell: &Tell) {
        if run.len() == 1 || !self.in_runs {
            run.iter().for_each(|datagram| {
                self.send_one(datagram, tell);
            });
            return;
        }
        for _ in 0..TRIES {
            let Err(error) = self.wire.send_run(run) else { return self.count_sent(run) };
            match Failure::of(&error) {
                Failure::Refused => self.refused(&error, tell),
                Failure::Unfit => {
                    let target = self.wire.target();
                    tracing::warn!(%target, %error, "the path takes no batches: packets go one by one from now on");
                    self.in_runs = false;
                    return self.send_run(run, tell);
                }
                Failure::Kept => {
                    self.kept(&error, tell);
                    break;
                }
                Failure::Full => break,
            }
        }
        self.shared.lost.add(run.len() as u64);
    }

    /// Sends one datagram; false if it could not be sent.
    fn send_one(&self, datagram: &[u8], tell: &Tell) -> bool {
        for _ in 0..TRIES {
            let Err(error) = self.wire.send_one(datagram) else {
                self.count_sent(&[IoSlice::new(datagram)]);
                return true;
            };
            match Failure::of(&error) {
                Failure::Refused => self.refused(&error, tell),
                Failure::Kept => {
                    self.kept(&error, tell);
                    break;
                }
                Failure::Unfit | Failure::Full => break,
            }
        }
        self.shared.lost.add(1);
        false
    }

    fn count_sent(&self, datagrams: &[IoSlice<'_>]) {
        self.shared.packets.add(datagrams.len() as u64);
        self.shared.bytes.add(datagrams.iter().map(|datagram| datagram.len() as u64).sum());
    }

    fn refused(&self, error: &io::Error, tell: &Tell) {
        self.shared.refusals.add(1);
        self.kept(error, tell);
        self.wire.forget_errors();
    }

    /// Tells that nothing gets through. That nobody there has refused it, the counter shows.
    fn kept(&self, error: &io::Error, tell: &Tell) {
        let errno = error.raw_os_error().unwrap_or(0);
        self.shared.happened(Happened::Refused { errno }, tell);
    }

    /// Reads what came back: reports, and errors that wait on the socket.
    pub(crate) fn read_back(&self, buffer: &mut [u8], tell: &Tell) {
        for round in 0..READ_BACK {
            match self.wire.receive(buffer) {
                Ok(length) => {
                    self.shared.reports.add(1);
                    for told in rtcp::feedback(&buffer[..length]) {
                        self.shared.happened(Happened::Report(told), tell);
                    }
                }
                Err(error) => match Failure::of(&error) {
                    Failure::Refused => self.refused(&error, tell),
                    Failure::Kept | Failure::Unfit | Failure::Full => {
                        if round == 0 {
                            // Woken for nothing: epoll would never rest with the queue full.
                            self.wire.forget_errors();
                        }
                        return;
                    }
                },
            }
        }
    }
}

fn passes(pass: Pass, datagram: &[u8]) -> bool {
    match pass {
        Pass::Everything => true,
        Pass::SenderReports => rtcp::sender_report(datagram).is_some(),
        Pass::Multiplexed => !rtcp::is_rtcp(datagram) || rtcp::sender_report(datagram).is_some(),
    }
}

#[cfg(test)]
mod tests;
