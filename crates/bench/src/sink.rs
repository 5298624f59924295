//! Receives the forwarder's packets, and reports them.

use crate::clock;
use crate::epoll::Waiting;
use crate::ports::Ports;
use crate::socket::receiving;
use crate::sys::Batch;
use crate::tally::Tally;
use anyhow::Context;
use std::io::{Read, Write, stdin, stdout};
use std::net::{SocketAddrV4, TcpListener};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

/// A socket's receive buffer, large enough for moments when the sink is late.
const BUFFER: usize = 256 << 20;

/// The number of the standard input in epoll.
const ASKED: u64 = u64::MAX;

#[derive(Debug, clap::Args)]
pub(crate) struct Sink {
    /// The addresses to receive at.
    #[arg(long)]
    at: Ports,
    /// Look for packets every so many microseconds; 0 looks when one arrives. Then the sender pays
    /// for waking the sink.
    #[arg(long, default_value_t = 0)]
    every: u64,
    /// Accept TCP connections here, as an RTSP server would.
    #[arg(long)]
    listen: Option<SocketAddrV4>,
}

impl Sink {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        // The kernel completes connections by itself.
        let _listener = self.listen.map(TcpListener::bind).transpose().context("cannot listen")?;
        let sockets = self
            .at
            .iter()
            .map(|at| receiving(at, BUFFER).with_context(|| format!("cannot receive at {at}")))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut waiting = Waiting::new()?;
        for (number, socket) in (0..).zip(&sockets) {
            waiting.add(socket, number)?;
        }
        waiting.add(&stdin(), ASKED)?;
        let mut tally = Tally::new(sockets.len());
        let mut batch = Batch::new();
        let sleep = Duration::from_micros(self.every);
        loop {
            let (mut asked, mut idle) = (false, true);
            for number in waiting.ready(self.every == 0)? {
                idle = false;
                if number == ASKED {
                    asked = true;
                    continue;
                }
                let flow = usize::try_from(number)?;
                if batch.receive(sockets[flow].as_fd(), false).is_ok() {
                    let now = clock::now();
                    batch.datagrams().for_each(|datagram| tally.note(flow, datagram, now));
                }
            }
            if asked && !answer(&mut tally)? {
                return Ok(());
            }
            if idle {
                thread::sleep(sleep);
            }
        }
    }
}

/// Answers a line; false at the end of the input.
fn answer(tally: &mut Tally) -> anyhow::Result<bool> {
    let mut line = [0; 64];
    if stdin().read(&mut line)? == 0 {
        return Ok(false);
    }
    let mut out = stdout().lock();
    serde_json::to_writer(&mut out, &tally.take())?;
    writeln!(out)?;
    out.flush()?;
    Ok(true)
}
