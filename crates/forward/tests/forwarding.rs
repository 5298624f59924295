//! Packets go through unchanged, in order, and only where they belong.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod net;

use forward::{Media, OpenError, Pass, Path, Settings, Source};
use model::Gate;
use net::{PATIENCE, Relay, alone, edge, edge_at, encoder, encoder_at, group, receive, rtp};
use std::net::{Ipv6Addr, UdpSocket};
use std::time::{Duration, Instant};

/// Sends datagrams of many sizes through, and expects every one at each edge.
fn expect_all_through(encoder: &UdpSocket, source: &Source, edges: &[&UdpSocket]) {
    let sizes = [12, 1200, 1200, 1200, 700, 1316, 1316, 1400, 12, 13, 60_000, 1200, 1200];
    let sent: Vec<_> = (0..).zip(sizes).map(|(number, size)| rtp(number, size)).collect();
    for packet in &sent {
        encoder.send_to(packet, (source.address, source.port)).unwrap();
    }
    for edge in edges {
        for packet in &sent {
            assert!(receive(edge) == *packet, "a packet of {} bytes came changed", packet.len());
        }
    }
}

#[test]
fn bytes_and_order_are_kept() {
    alone("bytes_and_order_are_kept", || {
        let (relay, source, edge) = (Relay::start(), group("239.1.1.1", 5004), edge());
        let flow = relay.flow(&source, edge.local_addr().unwrap());
        expect_all_through(&encoder(), &source, &[&edge]);
        drop(relay);
        let counters = flow.counters();
        assert_eq!((counters.received, counters.packets, counters.lost), (13, 13, 0));
        assert_eq!((counters.gaps, counters.ssrc_changes, counters.refusals), (0, 0, 0));
        assert!(counters.idle.is_some());
    });
}

#[test]
fn the_largest_and_the_empty_datagram_go_through() {
    alone("the_largest_and_the_empty_datagram_go_through", || {
        let (relay, source, edge) = (Relay::start(), group("239.1.1.1", 5004), edge());
        let _flow = relay.flow(&source, edge.local_addr().unwrap());
        let encoder = encoder();
        for size in [65_507, 0, 0, 65_507, 1] {
            let packet: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
            encoder.send_to(&packet, (source.address, source.port)).unwrap();
            assert!(receive(&edge) == packet, "the packet of {size} bytes came changed");
        }
    });
}

#[test]
fn a_source_goes_to_several_edges() {
    alone("a_source_goes_to_several_edges", || {
        let (relay, source) = (Relay::start(), group("239.1.1.1", 5004));
        let (one, two, three) = (edge(), edge(), edge());
        let _flows =
            [&one, &two, &three].map(|edge| relay.flow(&source, edge.local_addr().unwrap()));
        let encoder = encoder();
        // The first packets may come before the last output is in place.
        three.set_nonblocking(true).unwrap();
        while three.recv(&mut [0; 9]).is_err() {
            encoder.send_to(b"early", (source.address, source.port)).unwrap();
            assert_eq!(receive(&one), b"early");
        }
        three.set_nonblocking(false).unwrap();
        encoder.send_to(b"begin", (source.address, source.port)).unwrap();
        for edge in [&one, &two, &three] {
            while receive(edge) != b"begin" {}
        }
        expect_all_through(&encoder, &source, &[&one, &two, &three]);
    });
}

#[test]
fn ipv6_goes_through() {
    alone("ipv6_goes_through", || {
        let edge = edge_at((Ipv6Addr::LOCALHOST, 0).into());
        let relay = Relay::start();
        for address in ["ff15::7", "ff12::7", "2001:db8::9"] {
            let source = group(address, 5004);
            let _flow = relay.flow(&source, edge.local_addr().unwrap());
            expect_all_through(&encoder_at("2001:db8::1"), &source, &[&edge]);
        }
    });
}

#[test]
fn unicast_goes_through() {
    alone("unicast_goes_through", || {
        let (relay, edge) = (Relay::start(), edge());
        let source = Source { interface: None, ..group("192.0.2.9", 5004) };
        let _flow = relay.flow(&source, edge.local_addr().unwrap());
        expect_all_through(&encoder(), &source, &[&edge]);
    });
}

#[test]
fn groups_and_ports_do_not_mix() {
    alone("groups_and_ports_do_not_mix", || {
        let relay = Relay::start_with(Settings { workers: 3, ..Settings::default() });
        let sources =
            [("239.1.1.1", 5004), ("239.1.1.1", 5006), ("239.1.1.2", 5004)].map(|(group, port)| {
                let (source, edge) = (net::group(group, port), edge());
                let flow = relay.flow(&source, edge.local_addr().unwrap());
                (source, edge, flow)
            });
        let encoder = encoder();
        for round in 0..20 {
            for (number, (source, ..)) in (0..).zip(&sources) {
                encoder.send_to(&[round, number], (source.address, source.port)).unwrap();
            }
        }
        for round in 0..20 {
            for (number, (_, edge, _)) in (0..).zip(&sources) {
                assert_eq!(receive(edge), [round, number]);
            }
        }
    });
}

#[test]
fn interfaces_do_not_mix() {
    alone("interfaces_do_not_mix", || {
        for (address, from) in [("239.1.1.1", "192.0.2.1"), ("ff15::1", "2001:db8::1")] {
            let (relay, here, there) = (Relay::start(), edge(), edge());
            let source = group(address, 5004);
            let apart = Source { interface: Some("lo".to_owned()), ..source.clone() };
            let _flows = [(&source, &here), (&apart, &there)]
                .map(|(source, edge)| relay.flow(source, edge.local_addr().unwrap()));
            for _ in 0..3 {
                encoder_at(from).send_to(b"here", (source.address, source.port)).unwrap();
                assert_eq!(receive(&here), b"here");
            }
            // One worker serves both in turn, so the other edge would have got some by now.
            there.set_nonblocking(true).unwrap();
            assert!(there.recv(&mut [0; 9]).is_err(), "{apart} got what came on air0");
        }
    });
}

#[test]
fn only_the_chosen_senders_pass() {
    alone("only_the_chosen_senders_pass", || {
        for (address, wanted, second, other) in [
            ("232.1.1.1", "192.0.2.9", "192.0.2.8", "192.0.2.1"),
            ("ff35::4000:1", "2001:db8::9", "2001:db8::8", "2001:db8::1"),
            ("192.0.2.1", "192.0.2.9", "192.0.2.8", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::9", "2001:db8::8", "2001:db8::1"),
        ] {
            let (relay, edge) = (Relay::start(), edge());
            let senders = [second, wanted].map(|sender| sender.parse().unwrap()).to_vec();
            let source = Source { senders, ..group(address, 5004) };
            let _flow = relay.flow(&source, edge.local_addr().unwrap());
            for (sender, packet) in [
                (other, b"other 1"),
                (wanted, b"wanted1"),
                (other, b"other 2"),
                (second, b"wanted2"),
            ] {
                encoder_at(sender).send_to(packet, (source.address, source.port)).unwrap();
            }
            assert_eq!([receive(&edge), receive(&edge)], [b"wanted1", b"wanted2"], "{source}");
        }
    });
}

#[test]
fn named_payload_types_are_rtp() {
    alone("named_payload_types_are_rtp", || {
        let (relay, edge) = (Relay::start(), edge());
        let source = Source { named: [80].into_iter().collect(), ..group("239.1.1.1", 5004) };
        let target = edge.local_addr().unwrap();
        let to = (source.address, source.port);
        let path = Path { source, target, pass: Pass::Multiplexed, multicast: None };
        let flows = relay.plane.open(7, &[Media { rtp: path, rtcp: None }], Gate::Open).unwrap();
        for number in 1..=8 {
            let marker = if number % 4 == 0 { 0x80 } else { 0 };
            let packet = [0x80, marker | 80, 0, number, 0, 0, 0, 0, 0, 0, 0, 7];
            encoder_at("192.0.2.1").send_to(&packet, to).unwrap();
            assert_eq!(receive(&edge), packet);
        }
        assert_eq!(flows[0].counters().gaps, 0);
    });
}

#[test]
fn a_media_sends_from_an_even_and_an_odd_port() {
    alone("a_media_sends_from_an_even_and_an_odd_port", || {
        let _taken = UdpSocket::bind("0.0.0.0:7003").unwrap();
        for (source_ports, pairs) in [(None, 40), (Some(7001..=7008), 2)] {
            let relay =
                Relay::start_with(Settings { workers: 1, source_ports, ..Settings::default() });
            let path = |port| Path {
                source: group("239.1.1.1", port),
                target: edge().local_addr().unwrap(),
                pass: Pass::Everything,
                multicast: None,
            };
            let media = Media { rtp: path(5004), rtcp: Some(path(5005)) };
            let flows = relay.plane.open(7, &vec![media.clone(); pairs], Gate::Open).unwrap();
            for pair in flows.chunks(2) {
                let [even, odd] = [pair[0].local().port(), pair[1].local().port()];
                assert_eq!((even % 2, odd), (0, even + 1));
            }
            if pairs == 2 {
                let full =
                    relay.plane.open(8, std::slice::from_ref(&media), Gate::Open).unwrap_err();
                assert!(matches!(full, OpenError::NoPorts { .. }), "{full}");
                drop(flows);
                // The worker closes their sockets in its own time.
                while relay.plane.open(8, std::slice::from_ref(&media), Gate::Open).is_err() {}
            }
        }
    });
}

#[test]
fn counts_what_the_kernel_drops() {
    alone("counts_what_the_kernel_drops", || {
        let small = Settings { workers: 1, receive_buffer: 1, ..Settings::default() };
        let (relay, source, edge) = (Relay::start_with(small), group("239.1.1.1", 5004), edge());
        let flow = relay.flow(&source, edge.local_addr().unwrap());
        let (encoder, mut sent) = (encoder(), 0);
        let mut send = |packet: &[u8]| {
            encoder.send_to(packet, (source.address, source.port)).unwrap();
            sent += 1;
            sent
        };
        while flow.counters().drops == 0 {
            send(b"many");
        }
        // The count of drops comes with a later batch: the second of these makes one.
        edge.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        for last in [b"last", b"very"] {
            let mut got = *b"none";
            while got != *last {
                send(last);
                while got != *last && edge.recv(&mut got).is_ok() {}
            }
        }
        let sent = send(b"over");
        let late = Instant::now() + PATIENCE;
        while flow.counters().received + flow.counters().drops < sent {
            assert!(Instant::now() < late, "{sent} sent, but {:?}", flow.counters());
        }
        assert_eq!(flow.counters().received + flow.counters().drops, sent);
    });
}

#[test]
fn an_error_names_a_missing_interface() {
    let relay = Relay::start();
    let source = Source { interface: Some("nowhere0".to_owned()), ..group("239.1.1.1", 5004) };
    let target = edge().local_addr().unwrap();
    let rtp = Path { source, target, pass: Pass::Everything, multicast: None };
    let error = relay.plane.open(7, &[Media { rtp, rtcp: None }], Gate::Open).unwrap_err();
    assert!(matches!(&error, OpenError::NoInterface { interface, .. } if interface == "nowhere0"));
    assert!(error.to_string().contains("nowhere0"), "{error}");
}
