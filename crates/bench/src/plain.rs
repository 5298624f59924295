//! The simplest forwarder: receives a packet, sends a packet.

use crate::epoll::Waiting;
use crate::ports::Ports;
use crate::socket::{connected, group};
use anyhow::Context;
use std::net::UdpSocket;

#[derive(Debug, clap::Args)]
pub(crate) struct Plain {
    /// The groups to receive.
    #[arg(long)]
    from: Ports,
    /// The target of each.
    #[arg(long)]
    to: Ports,
}

/// A receiving and a sending socket for each flow.
pub(crate) fn flows(from: Ports, to: Ports) -> anyhow::Result<Vec<(UdpSocket, UdpSocket)>> {
    from.iter()
        .zip(to.iter())
        .map(|(from, to)| {
            let input = group(from).with_context(|| format!("cannot receive {from}"))?;
            let output = connected(to).with_context(|| format!("cannot send to {to}"))?;
            Ok((input, output))
        })
        .collect()
}

impl Plain {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let flows = flows(self.from, self.to)?;
        let mut datagram = [0; 2048];
        if let [(input, output)] = flows.as_slice() {
            loop {
                pass(input, output, &mut datagram);
            }
        }
        let mut waiting = Waiting::new()?;
        for (number, (input, _)) in (0..).zip(&flows) {
            input.set_nonblocking(true)?;
            waiting.add(input, number)?;
        }
        loop {
            for number in waiting.ready(true)? {
                let (input, output) = &flows[usize::try_from(number)?];
                while pass(input, output, &mut datagram) {}
            }
        }
    }
}

/// Forwards one packet; false if there is none. A packet that cannot be sent is lost.
fn pass(input: &UdpSocket, output: &UdpSocket, datagram: &mut [u8]) -> bool {
    let Ok(length) = input.recv(datagram) else { return false };
    let _ = output.send(&datagram[..length]);
    true
}
