//! Links with a small MTU or without segmentation, and links that go and come back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod net;

use forward::{FlowEvent, Source};
use net::{
    PATIENCE, Relay, add_air, alone, edge, edge_behind, encoder_at, group, receive, rtp, run,
};
use std::net::IpAddr;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// Sends bursts of each size to an edge behind a link, and expects all of them there.
fn expect_bursts(edge: &UdpSocket, sizes: &[usize]) {
    let (relay, source) = (Relay::start(), group("239.1.1.1", 5004));
    let flow = relay.flow(&source, edge.local_addr().unwrap());
    let encoder = encoder_at("192.0.2.1");
    for size in sizes {
        let burst: Vec<_> = (0..40).map(|number| rtp(number, *size)).collect();
        for packet in &burst {
            encoder.send_to(packet, (source.address, source.port)).unwrap();
        }
        for packet in &burst {
            assert!(receive(edge) == *packet, "a packet of {size} bytes came changed");
        }
    }
    let counters = flow.counters();
    assert_eq!((counters.lost, counters.refusals), (0, 0));
}

#[test]
fn datagrams_larger_than_the_mtu_go_in_fragments() {
    alone("datagrams_larger_than_the_mtu_go_in_fragments", || {
        let edge = edge_behind("mtu 1500", "198.51.100.2");
        expect_bursts(&edge, &[1200, 1472, 1473, 1600, 1200]);
        expect_bursts(&edge, &[20_000, 1200]);
    });
}

#[test]
fn ipv6_datagrams_larger_than_the_mtu_go_in_fragments() {
    alone("ipv6_datagrams_larger_than_the_mtu_go_in_fragments", || {
        let edge = edge_behind("mtu 1500", "2001:db8:1::2");
        expect_bursts(&edge, &[1200, 1452, 1453, 1600, 1200]);
        expect_bursts(&edge, &[20_000, 1200]);
    });
}

#[test]
fn sends_over_a_link_without_segmentation() {
    alone("sends_over_a_link_without_segmentation", || {
        let edge = edge_behind("mtu 1500 gso_max_segs 1", "198.51.100.2");
        expect_bursts(&edge, &[1200, 300, 1200]);
    });
}

/// Sends from new sockets until the edge gets one: the interface may not be joined yet.
fn expect_return(edge: &UdpSocket, source: &Source, from: &str) {
    edge.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let late = Instant::now() + PATIENCE;
    while edge.recv(&mut [0; 9]).is_err() {
        assert!(Instant::now() < late, "{source} is not received again");
        // On the way up an interface may refuse to send.
        _ = encoder_at(from).send_to(b"back", (source.address, source.port));
    }
}

#[test]
fn a_group_is_received_again_when_its_interface_returns() {
    alone("a_group_is_received_again_when_its_interface_returns", || {
        let relay = Relay::start();
        let sources = [
            (group("239.1.1.1", 5004), "192.0.2.1"),
            (Source { interface: None, ..group("239.1.1.2", 5004) }, "192.0.2.1"),
            (
                Source {
                    senders: ["192.0.2.7", "192.0.2.9"].map(|one| one.parse().unwrap()).to_vec(),
                    peer: None,
                    ..group("232.1.1.1", 5004)
                },
                "192.0.2.9",
            ),
            (group("ff15::1", 5004), "2001:db8::1"),
        ];
        run("ip route add 239.0.0.0/8 dev air0");
        let flows = sources.map(|(source, from)| {
            let edge = edge();
            let flow = relay.flow(&source, edge.local_addr().unwrap());
            (source, from, edge, flow)
        });
        for _ in 0..3 {
            for (source, from, edge, _) in &flows {
                expect_return(edge, source, from);
            }
            run("ip link del air0");
            add_air();
            run("ip route add 239.0.0.0/8 dev air0");
        }
        for (source, from, edge, _) in &flows {
            expect_return(edge, source, from);
        }
    });
}

#[test]
fn an_interface_that_goes_down_and_up_is_received_again() {
    alone("an_interface_that_goes_down_and_up_is_received_again", || {
        let (relay, edge, source) = (Relay::start(), edge(), group("239.1.1.1", 5004));
        let _flow = relay.flow(&source, edge.local_addr().unwrap());
        for _ in 0..3 {
            expect_return(&edge, &source, "192.0.2.1");
            run("ip link set air0 down");
            run("ip link set air0 up");
        }
        expect_return(&edge, &source, "192.0.2.1");
    });
}

/// Waits until the plane's only worker has nothing to do: one that spins never sleeps.
fn await_rest() {
    let began = Instant::now();
    let resting = || {
        std::fs::read_dir("/proc/self/task").unwrap().any(|task| {
            let stat = std::fs::read_to_string(task.unwrap().path().join("stat"));
            stat.is_ok_and(|stat| stat.contains("(forward-0) S"))
        })
    };
    while !resting() {
        assert!(began.elapsed() < PATIENCE, "the worker finds no rest");
    }
}

#[test]
fn an_unreachable_host_raises_an_event_and_its_errors_are_read() {
    alone("an_unreachable_host_raises_an_event_and_its_errors_are_read", || {
        run("ip link set air0 mtu 1500");
        let own = ["192.0.2.1", "192.0.2.9", "2001:db8::1", "2001:db8::9"];
        let own = own.map(|address| address.parse::<IpAddr>().unwrap());
        for (nobody, errno) in [("192.0.2.77:6970", 113), ("[2001:db8::77]:6970", 113)] {
            let (relay, source) = (Relay::start(), group("239.1.1.1", 5004));
            let flow = relay.flow(&source, nobody.parse().unwrap());
            let encoder = encoder_at("192.0.2.1");
            for sequence in 0..40 {
                encoder.send_to(&rtp(sequence, 200), (source.address, source.port)).unwrap();
            }
            relay.wait_for(|event| match event {
                FlowEvent::Unreachable { errno: found, offender } => {
                    found == errno && offender.is_some_and(|offender| own.contains(&offender))
                }
                _ => false,
            });
            await_rest();
            assert_eq!(flow.counters().refusals, 0);
        }
    });
}
