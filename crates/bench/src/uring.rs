//! Forwarding by io_uring: one system call receives and sends for many flows.
#![expect(unsafe_code, reason = "the ring and its buffers are shared with the kernel")]

use crate::plain::flows;
use crate::ports::Ports;
use anyhow::Context;
use io_uring::types::{BufRingEntry, Fd};
use io_uring::{IoUring, cqueue, opcode, squeue};
use std::alloc::{Layout, alloc_zeroed};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

/// The number of buffers.
const BUFFERS: u16 = 4096;
/// The length of each buffer, in bytes.
const LENGTH: u32 = 2048;
/// The entries of the submission queue.
const ENTRIES: u32 = 4096;
/// The number of the buffer group.
const GROUP: u16 = 0;
/// This bit marks a completion of a send; the other bits are then its buffer, else its flow.
const SEND: u64 = 1 << 32;

#[derive(Debug, clap::Args)]
pub(crate) struct Uring {
    /// The groups to receive.
    #[arg(long)]
    from: Ports,
    /// The target of each.
    #[arg(long)]
    to: Ports,
}

impl Uring {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let flows = flows(self.from, self.to)?;
        let mut ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(8 * ENTRIES)
            .build(ENTRIES)
            .context("no io_uring here")?;
        let mut buffers = Buffers::new()?;
        // SAFETY: the entries are page-aligned, BUFFERS long, and never freed.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(buffers.address(), BUFFERS, GROUP, 0)?;
        }
        for (number, (input, _)) in (0..).zip(&flows) {
            push(&mut ring, &receive(input, number))?;
        }
        let mut done = Vec::new();
        loop {
            ring.submit_and_wait(1)?;
            done.extend(
                ring.completion().map(|entry| (entry.user_data(), entry.result(), entry.flags())),
            );
            for (data, result, flags) in done.drain(..) {
                if data & SEND != 0 {
                    buffers.give(u16::try_from(data & 0xffff)?);
                    continue;
                }
                let (input, output) = &flows[usize::try_from(data)?];
                if let (Some(buffer), Ok(length)) =
                    (cqueue::buffer_select(flags), u32::try_from(result))
                {
                    let fd = Fd(output.as_raw_fd());
                    let send = opcode::Send::new(fd, buffers.place(buffer), length).build();
                    push(&mut ring, &send.user_data(SEND | u64::from(buffer)))?;
                }
                if !cqueue::more(flags) {
                    push(&mut ring, &receive(input, data))?;
                }
            }
        }
    }
}

/// Receives from a flow until cancelled.
fn receive(input: &UdpSocket, number: u64) -> squeue::Entry {
    opcode::RecvMulti::new(Fd(input.as_raw_fd()), GROUP).build().user_data(number)
}

fn push(ring: &mut IoUring, entry: &squeue::Entry) -> anyhow::Result<()> {
    // SAFETY: the sockets and the buffers outlive the ring.
    while unsafe { ring.submission().push(entry) }.is_err() {
        ring.submit()?;
    }
    Ok(())
}

/// Buffers that the kernel fills. It gets each one back once its packet is sent.
struct Buffers {
    entries: NonNull<BufRingEntry>,
    data: NonNull<u8>,
    tail: u16,
}

impl Buffers {
    fn new() -> anyhow::Result<Buffers> {
        let count = usize::from(BUFFERS);
        let entries = Layout::from_size_align(count * size_of::<BufRingEntry>(), 4096)?;
        let data = Layout::from_size_align(count * usize::try_from(LENGTH)?, 4096)?;
        // SAFETY: neither layout is empty.
        let (entries, data) = unsafe { (alloc_zeroed(entries), alloc_zeroed(data)) };
        let mut buffers = Buffers {
            entries: NonNull::new(entries.cast()).context("no memory")?,
            data: NonNull::new(data).context("no memory")?,
            tail: 0,
        };
        (0..BUFFERS).for_each(|buffer| buffers.give(buffer));
        Ok(buffers)
    }

    fn address(&self) -> u64 {
        self.entries.as_ptr().addr() as u64
    }

    fn place(&self, buffer: u16) -> *const u8 {
        self.data.as_ptr().wrapping_add(usize::from(buffer) * LENGTH as usize)
    }

    /// Gives a buffer to the kernel.
    fn give(&mut self, buffer: u16) {
        let place = self.place(buffer).addr() as u64;
        // SAFETY: the entry is one of BUFFERS; the kernel reads it only once the tail has passed
        // it, and takes the tail from the first entry, where `tail` points.
        unsafe {
            let entry = self.entries.add(usize::from(self.tail % BUFFERS)).as_mut();
            entry.set_addr(place);
            entry.set_len(LENGTH);
            entry.set_bid(buffer);
            self.tail = self.tail.wrapping_add(1);
            let tail = BufRingEntry::tail(self.entries.as_ptr()).cast::<AtomicU16>();
            (*tail).store(self.tail, Ordering::Release);
        }
    }
}
