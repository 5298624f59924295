//! Sends numbered, timed packets to groups, at an even pace.

use crate::clock;
use crate::packet::{Packet, SHORTEST};
use crate::ports::Ports;
use crate::schedule::Schedule;
use crate::socket::sending;
use crate::sys::{segments, send_all};
use anyhow::ensure;
use serde::Serialize;
use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(crate) struct Blast {
    /// The groups to send to, in turn.
    #[arg(long)]
    to: Ports,
    /// Packets a second, of all groups together; 0 sends as fast as possible.
    #[arg(long)]
    rate: u64,
    /// Packets of one group that leave together.
    #[arg(long, default_value_t = 1)]
    frame: u16,
    /// Groups whose packets leave at the same time.
    #[arg(long, default_value_t = 1)]
    together: u16,
    /// Send packet by packet. Otherwise the packets of a frame leave the host in one piece, are cut
    /// apart on arrival, and so arrive back to back.
    #[arg(long)]
    singly: bool,
    /// How long to send.
    #[arg(long)]
    seconds: f64,
    /// The length of a packet's UDP payload, in bytes.
    #[arg(long, default_value_t = 1200)]
    size: u16,
}

/// The packets that were sent.
#[derive(Debug, Serialize)]
struct Sent {
    packets: u64,
    /// When the first one was due: CLOCK_MONOTONIC in nanoseconds.
    begin: u64,
    /// How long it took, in nanoseconds.
    took: u64,
    /// The CPU time that this process used, in nanoseconds.
    cpu: u64,
}

impl Blast {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        nix::sys::prctl::set_timerslack(1)?;
        ensure!(usize::from(self.size) >= SHORTEST, "a packet takes {SHORTEST} bytes");
        let at_once = u32::from(self.frame) * u32::from(self.together);
        let whole = usize::from(self.frame) * usize::from(self.size);
        ensure!(self.singly || whole <= 65_000 && self.frame <= 64, "the frame is too large");
        ensure!((1..=1024).contains(&at_once), "1 to 1024 packets can leave at a time");
        let targets: Vec<_> = self.to.iter().collect();
        let socket = sending()?;
        let schedule = Schedule {
            flows: u64::from(self.to.count),
            frame: u64::from(self.frame),
            together: u64::from(self.together),
            rate: self.rate,
        };
        let sent = self.send(&schedule, &targets, &socket)?;
        println!("{}", serde_json::to_string(&sent)?);
        Ok(())
    }

    fn send(
        &self,
        schedule: &Schedule,
        targets: &[SocketAddrV4],
        socket: &UdpSocket,
    ) -> anyhow::Result<Sent> {
        let size = usize::from(self.size);
        let mut buffer = vec![0; usize::try_from(schedule.packets())? * size];
        let segmented = !self.singly && self.frame > 1;
        let control = if segmented { &segments(self.size)[..] } else { &[] };
        let piece = if segmented { size * usize::from(self.frame) } else { size };
        let begin = clock::now();
        let end = begin + u64::try_from(Duration::from_secs_f64(self.seconds).as_nanos())?;
        let mut sent = Sent { packets: 0, begin, took: 0, cpu: 0 };
        for departure in 0.. {
            let due = begin + schedule.due(departure);
            if due.max(clock::now()) >= end {
                break;
            }
            clock::sleep_until(due);
            let now = clock::now();
            let mut pieces = Vec::with_capacity(buffer.len() / piece);
            let mut places = 0..;
            for data in buffer.chunks_exact_mut(piece) {
                let mut flow = 0;
                for (datagram, place) in data.chunks_exact_mut(size).zip(&mut places) {
                    let number;
                    (flow, number) = schedule.packet(departure, place);
                    Packet { number, sent: now }.write(u32::try_from(flow)?, datagram);
                }
                pieces.push((&*data, targets[usize::try_from(flow)?]));
            }
            let mut left = pieces.as_slice();
            while !left.is_empty() {
                left = &left[send_all(socket.as_fd(), left, control)?..];
            }
            sent.packets += schedule.packets();
        }
        sent.took = clock::now() - begin;
        sent.cpu = clock::cpu();
        Ok(sent)
    }
}
