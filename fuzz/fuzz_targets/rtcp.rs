//! Fuzzes reading RTCP from an edge.
#![no_main]

mod event {
    pub(crate) use forward::Feedback;
}
#[allow(dead_code)]
#[path = "../../crates/forward/src/rtcp.rs"]
mod rtcp;

use event::Feedback;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    let told: Vec<Feedback> = rtcp::feedback(datagram).collect();
    assert!(told.len() <= datagram.len() / 4);
    for feedback in told {
        if let Feedback::ReceiverReport { blocks } = feedback {
            assert!(datagram.len() >= 8 + 24 * usize::from(blocks));
        }
    }
    if rtcp::begins_with_sender_report(datagram) {
        assert!(datagram.len() >= 28 && rtcp::is_rtcp(datagram));
    }
});
