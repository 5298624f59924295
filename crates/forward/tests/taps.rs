//! Taps beside flows.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod net;

use ::rtp::{Header, Packet};
use forward::{OpenError, Source, Tapped};
use net::{PATIENCE, Relay, alone, edge, encoder_at, group, receive, rtp};
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::mpsc::{TryRecvError, sync_channel};

/// A port of this host.
fn port(number: u16) -> Source {
    let address = "192.0.2.9".parse().unwrap();
    Source {
        address,
        port: number,
        senders: Vec::new(),
        peer: None,
        interface: None,
        named: Default::default(),
    }
}

fn send(from: &UdpSocket, to: &Source, datagram: &[u8]) {
    from.send_to(datagram, (to.address, to.port)).unwrap();
}

#[test]
fn a_tap_gets_each_packet_and_takes_none_from_a_flow() {
    alone("a_tap_gets_each_packet_and_takes_none_from_a_flow", || {
        let (relay, edge, source) = (Relay::start(), edge(), port(5004));
        let _flow = relay.flow(&source, edge.local_addr().unwrap());
        let (to, tapped) = sync_channel(64);
        let mut taps = relay.plane.tap(std::slice::from_ref(&source), &to);
        let tap = taps.remove(0).unwrap();
        let from = encoder_at("192.0.2.1");
        for number in 0..20 {
            let sent = rtp(number, 100 + usize::from(number));
            send(&from, &source, &sent);
            assert_eq!(receive(&edge), sent);
            let header = Header { ssrc: 7, payload_type: 96, sequence: number, timestamp: 0 };
            let expected = Tapped {
                tap: 0,
                packet: Packet::Rtp(header),
                length: sent.len(),
                sender: from.local_addr().unwrap(),
            };
            assert_eq!(tapped.recv_timeout(PATIENCE), Ok(expected));
        }
        send(&from, &source, &[0x47; 188]);
        assert_eq!(tapped.recv_timeout(PATIENCE).unwrap().packet, Packet::Other);
        assert_eq!(tap.missed(), 0);
        drop((tap, to));
        // The flow continues while the tap closes, and afterwards.
        receive(&edge);
        let mut number = 21;
        while tapped.try_recv() != Err(TryRecvError::Disconnected) {
            send(&from, &source, &rtp(number, 100));
            assert_eq!(receive(&edge), rtp(number, 100));
            number += 1;
        }
    });
}

#[test]
fn a_flow_opens_and_closes_at_a_tapped_port() {
    alone("a_flow_opens_and_closes_at_a_tapped_port", || {
        let (relay, edge, source) = (Relay::start(), edge(), port(5004));
        let (to, tapped) = sync_channel(64);
        let other = group("239.1.1.1", 5004);
        let taps = relay.plane.tap(&[other, source.clone()], &to);
        let from = encoder_at("192.0.2.1");
        send(&from, &source, &rtp(1, 100));
        assert_eq!(tapped.recv_timeout(PATIENCE).unwrap().tap, 1);
        let flow = relay.flow(&source, edge.local_addr().unwrap());
        // The worker takes it in when it next looks.
        while flow.counters().packets == 0 {
            send(&from, &source, &rtp(2, 100));
            tapped.recv_timeout(PATIENCE).unwrap();
        }
        assert_eq!(receive(&edge), rtp(2, 100));
        drop(flow);
        send(&from, &source, &rtp(3, 100));
        assert_eq!(tapped.recv_timeout(PATIENCE).unwrap().tap, 1);
        // The port is free as soon as the last tap is gone.
        drop(taps);
        UdpSocket::bind((source.address, source.port)).unwrap();
    });
}

#[test]
fn a_slow_listener_misses_packets_and_delays_no_flow() {
    alone("a_slow_listener_misses_packets_and_delays_no_flow", || {
        let (relay, edge, source) = (Relay::start(), edge(), port(5004));
        let _flow = relay.flow(&source, edge.local_addr().unwrap());
        let (to, tapped) = sync_channel(3);
        let tap = relay.plane.tap(std::slice::from_ref(&source), &to).remove(0).unwrap();
        let from = encoder_at("192.0.2.1");
        for number in 0..20 {
            send(&from, &source, &rtp(number, 100));
            assert_eq!(receive(&edge), rtp(number, 100));
        }
        assert_eq!((tapped.try_iter().count(), tap.missed()), (3, 17));
    });
}

#[test]
fn a_port_that_another_program_has_is_an_error() {
    alone("a_port_that_another_program_has_is_an_error", || {
        let (relay, source) = (Relay::start(), port(5004));
        let _taken = UdpSocket::bind((source.address, source.port)).unwrap();
        let (to, _tapped) = sync_channel(3);
        let opened = relay.plane.tap(&[source, port(5006)], &to);
        let kind = |error: &OpenError| match error {
            OpenError::Source { error, .. } => Some(error.kind()),
            _ => None,
        };
        assert_eq!(opened[0].as_ref().err().and_then(kind), Some(ErrorKind::AddrInUse));
        assert!(opened[1].is_ok());
    });
}

#[test]
fn a_tap_gets_only_packets_to_its_own_address() {
    alone("a_tap_gets_only_packets_to_its_own_address", || {
        let relay = Relay::start();
        let of = |address: &str| Source { address: address.parse().unwrap(), ..port(5004) };
        let sources = ["127.0.0.1", "::1", "192.0.2.9"].map(of);
        let (to, tapped) = sync_channel(64);
        let _taps = relay.plane.tap(&sources, &to);
        let (v4, v6) = (UdpSocket::bind("0.0.0.0:0").unwrap(), UdpSocket::bind("[::]:0").unwrap());
        for (from, address, tap) in [
            // To nobody's address is to this host's own.
            (&v4, "0.0.0.0", Some(0)),
            (&v6, "::ffff:127.0.0.1", Some(0)),
            (&v6, "::ffff:192.0.2.9", Some(2)),
            (&v6, "::", Some(1)),
            (&v4, "127.0.0.2", None),
            (&v4, "192.0.2.1", None),
            (&v6, "2001:db8::1", None),
        ] {
            // A refusal is reported as an error of the next send.
            while from.send_to(address.as_bytes(), (address, 5004)).is_err() {}
            if tap.is_none() {
                while from.send_to(b"end", ("::ffff:127.0.0.1", 5004)).is_err()
                    && from.send_to(b"end", ("127.0.0.1", 5004)).is_err()
                {}
            }
            let next = tapped.recv_timeout(PATIENCE).unwrap();
            assert_eq!(Some(next.tap).filter(|_| next.length != 3), tap, "{address}");
        }
    });
}
