//! The parts of `scripts/bench`: a sender, a sink, and two reference loops that only forward.

mod blast;
mod clock;
mod epoll;
mod floor;
mod launch;
mod packet;
mod percentile;
mod plain;
mod ports;
mod schedule;
mod serve;
mod sink;
mod socket;
mod sys;
mod tally;
mod uring;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "The parts of scripts/bench")]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Send numbered, timed packets to groups, and print what was sent as JSON.
    Blast(blast::Blast),
    /// Receive them; for each line read, print what has arrived since the last one as JSON.
    Sink(sink::Sink),
    /// Play numbered, timed packets to RTSP clients, interleaved.
    Serve(serve::Serve),
    /// Forward with recv and send, one packet a call.
    Plain(plain::Plain),
    /// Forward with recvmmsg and segmented sends, with as little work as possible
    Floor(floor::Floor),
    /// Forward by io_uring, with multishot receives and batched sends
    Uring(uring::Uring),
    /// Run a program again and again, and print the times from start to exit as JSON.
    Launch(launch::Launch),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().part {
        Part::Blast(blast) => blast.run(),
        Part::Sink(sink) => sink.run(),
        Part::Serve(serve) => serve.run(),
        Part::Plain(plain) => plain.run(),
        Part::Floor(floor) => floor.run(),
        Part::Uring(uring) => uring.run(),
        Part::Launch(launch) => launch.run(),
    }
}
