//! The packet path allocates nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod net;

use forward::Pass;
use model::Gate;
use net::{Relay, alone, closed_port, edge, encoder, group, rtp};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, with a count.
struct Counting;

#[expect(unsafe_code, reason = "an allocator is unsafe by contract")]
// SAFETY: everything is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn packets_cost_no_allocation() {
    alone("packets_cost_no_allocation", || {
        let (relay, source, edge) = (Relay::start(), group("239.1.1.1", 5004), edge());
        let target = edge.local_addr().unwrap();
        let flows = [Pass::Everything, Pass::SenderReports, Pass::Multiplexed]
            .map(|pass| relay.flow_of(&source, target, pass, Gate::Open));
        // The first refusal sends a notice. The test never reads it, so there is no other.
        let refused = relay.flow(&source, closed_port());
        let (encoder, large, small) = (encoder(), rtp(1, 1200), rtp(2, 300));
        let mut reply = [0; 2048];
        let mut exchange = |rounds| {
            for _ in 0..rounds {
                for packet in [&large, &large, &small] {
                    encoder.send_to(packet, (source.address, source.port)).unwrap();
                }
                for _ in 0..6 {
                    edge.recv(&mut reply).unwrap();
                }
                edge.send_to(&small, flows[0].local()).unwrap();
            }
        };
        // Until the last output is in place, fewer copies arrive.
        while flows[2].counters().packets == 0 || refused.counters().refusals == 0 {
            encoder.send_to(&small, (source.address, source.port)).unwrap();
        }
        exchange(20);
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        exchange(1000);
        assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0);
        assert!(refused.counters().refusals > 0);
    });
}
