//! Fuzzes reading RTCP from an edge, and the statistics of a receiver.
#![no_main]

use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use rtp::rtcp;

fuzz_target!(|datagram: &[u8]| {
    assert!(rtcp::feedback(datagram).count() <= datagram.len() / 4);
    if rtcp::sender_report(datagram).is_some() {
        assert!(datagram.len() >= 28);
    }
    let (mut receiver, now) = (rtp::Receiver::new(Some(90_000)), Instant::now());
    for packet in datagram.chunks(40) {
        receiver.rtp(packet, now);
        receiver.rtcp(packet, now);
        receiver.block(now);
    }
});
