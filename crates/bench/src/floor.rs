//! The least work for a forwarder: receive everything that is there, send it in one call.

use crate::clock;
use crate::epoll::Waiting;
use crate::plain::flows;
use crate::ports::Ports;
use crate::sys::{BATCH, Batch, segments};
use socket2::{MsgHdr, SockRef};
use std::io::IoSlice;
use std::net::UdpSocket;
use std::os::fd::AsFd;

#[derive(Debug, clap::Args)]
pub(crate) struct Floor {
    /// The groups to receive.
    #[arg(long)]
    from: Ports,
    /// The target of each.
    #[arg(long)]
    to: Ports,
    /// After something arrived, wait this many microseconds before receiving.
    #[arg(long, default_value_t = 0)]
    linger: u64,
}

impl Floor {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        nix::sys::prctl::set_timerslack(1)?;
        let flows = flows(self.from, self.to)?;
        let mut batch = Batch::new();
        if let ([(input, output)], 0) = (flows.as_slice(), self.linger) {
            loop {
                pass(input, output, &mut batch, true);
            }
        }
        let mut waiting = Waiting::new()?;
        for (number, (input, _)) in (0..).zip(&flows) {
            waiting.add(input, number)?;
        }
        loop {
            let mut wait = true;
            if self.linger > 0 {
                drop(waiting.ready(true)?);
                clock::sleep_until(clock::now() + self.linger * 1000);
                wait = false;
            }
            for number in waiting.ready(wait)? {
                let (input, output) = &flows[usize::try_from(number)?];
                pass(input, output, &mut batch, false);
            }
        }
    }
}

/// Forwards a batch. Its packets have one size here. A packet that cannot be sent is lost.
fn pass(input: &UdpSocket, output: &UdpSocket, batch: &mut Batch, wait: bool) {
    let Ok(count) = batch.receive(input.as_fd(), wait) else { return };
    let mut slices = [IoSlice::new(&[]); BATCH];
    for (slice, datagram) in slices.iter_mut().zip(batch.datagrams()) {
        *slice = IoSlice::new(datagram);
    }
    // A run must stay below 65,536 bytes.
    let size = slices[0].len().max(1);
    for run in slices[..count].chunks(65_000 / size) {
        let control = u16::try_from(size).map(segments).unwrap_or_default();
        let message = MsgHdr::new().with_buffers(run);
        let message = if run.len() > 1 { message.with_control(&control) } else { message };
        let _ = SockRef::from(output).sendmsg(&message, 0);
    }
}
