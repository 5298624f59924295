//! The packet path without its sockets: what a batch of 64 costs besides the system calls.

#![allow(missing_docs, reason = "criterion_group makes a public function")]
#![allow(dead_code, unused_imports, reason = "of the modules only the packet path is measured")]
#![allow(unreachable_pub, reason = "what the crate exports is private here")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rtp::{Packet, Sequence, rtcp};
use std::hint::black_box;
use std::io::IoSlice;

#[path = "../src/gso.rs"]
mod gso;
#[path = "../src/loop_guard.rs"]
mod loop_guard;
#[path = "../src/recent.rs"]
mod recent;

const BATCH: u16 = 64;

fn rtp(sequence: u16, size: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(sequence.to_be_bytes());
    packet.resize(size, 7);
    packet
}

fn packet_path(criterion: &mut Criterion) {
    // Video: equal packets, and a shorter one at the end of each frame.
    let video: Vec<_> =
        (0..BATCH).map(|at| rtp(at, if at % 8 == 7 { 600 } else { 1200 })).collect();
    let slices: Vec<_> = video.iter().map(|packet| IoSlice::new(packet)).collect();
    let mut group = criterion.benchmark_group("batch of 64");
    group.throughput(Throughput::Elements(BATCH.into()));
    group.bench_function("runs", |bencher| {
        bencher.iter(|| gso::runs(black_box(&slices)).map(<[_]>::len).max());
    });
    group.bench_function("sequence", |bencher| {
        let mut sequence = Sequence::default();
        bencher.iter(|| {
            for datagram in black_box(&video) {
                if let Packet::Rtp(header) = Packet::read(datagram) {
                    sequence.push(header);
                }
            }
        });
    });
    group.bench_function("loop guard", |bencher| {
        let mut guard = loop_guard::LoopGuard::default();
        let mut video = video.clone();
        let (mut number, mut now) = (0_u16, 1);
        bencher.iter(|| {
            // At ten thousand packets a second.
            now += 6;
            let mut back = 0;
            for datagram in &mut video {
                number = number.wrapping_add(1);
                datagram[2..4].copy_from_slice(&number.to_be_bytes());
                let packet = Packet::read(datagram);
                back += u32::from(guard.is_returned(packet, datagram, None, now));
            }
            guard.next_batch();
            back
        });
    });
    let mut report = vec![0x80, 200, 0, 6];
    report.resize(28, 0);
    let reports = vec![report; BATCH.into()];
    group.bench_function("filter", |bencher| {
        let passing = |report: &&Vec<u8>| rtcp::sender_report(report).is_some();
        bencher.iter(|| black_box(&reports).iter().filter(passing).count());
    });
    group.finish();
}

criterion_group!(benches, packet_path);
criterion_main!(benches);
