//! Sending to groups, and packets that come back in a loop.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod net;

use forward::{Flow, Media, Multicast, Pass, Path, Source};
use model::Gate;
use net::{PATIENCE, Relay, alone, edge, encoder, encoder_at, group, receive, rtp};
use socket2::{Domain, InterfaceIndexOrAddress, Socket, Type};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Instant;

/// A unicast address of this host, as an encoder sends to.
fn own(port: u16) -> Source {
    Source {
        address: "192.0.2.1".parse().unwrap(),
        port,
        senders: Vec::new(),
        peer: None,
        interface: None,
        named: Default::default(),
    }
}

fn copy(relay: &Relay, source: &Source, target: SocketAddr, ttl: u8, interface: &str) -> Flow {
    let multicast = Some(Multicast { ttl, interface: Some(interface.to_owned()) });
    let rtp = Path { source: source.clone(), target, pass: Pass::Everything, multicast };
    relay.plane.open(7, &[Media { rtp, rtcp: None }], Gate::Open).unwrap().remove(0)
}

/// A receiver that has joined a group on `air0`.
fn member(group: SocketAddr) -> UdpSocket {
    let socket = Socket::new(Domain::for_address(group), Type::DGRAM, None).unwrap();
    socket.bind(&group.into()).unwrap();
    let air = nix::net::if_::if_nametoindex("air0").unwrap();
    match group.ip() {
        IpAddr::V4(group) => {
            let on = InterfaceIndexOrAddress::Index(air);
            socket.join_multicast_v4_n(&group, &on).unwrap();
        }
        IpAddr::V6(group) => socket.join_multicast_v6(&group, air).unwrap(),
    }
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_recv_buffer_size(8 << 20).unwrap();
    socket.into()
}

#[test]
fn a_group_and_an_edge_get_every_packet() {
    alone("a_group_and_an_edge_get_every_packet", || {
        for target in ["239.255.1.2:5004", "[ff15::2]:5004"] {
            let (relay, source, edge) = (Relay::start(), own(5004), edge());
            let target = target.parse().unwrap();
            let member = member(target);
            let _copy = copy(&relay, &source, target, 1, "air0");
            let _flow = relay.flow(&source, edge.local_addr().unwrap());
            let encoder = encoder();
            let packets: Vec<_> = (0..200_u16).map(|n| rtp(n, 100 + usize::from(n % 7))).collect();
            for packet in &packets {
                encoder.send_to(packet, ("192.0.2.1", 5004)).unwrap();
            }
            for packet in &packets {
                assert!(receive(&member) == *packet, "the group's came changed");
                assert!(receive(&edge) == *packet, "the edge's came changed");
            }
        }
    });
}

#[test]
fn a_missing_interface_is_named() {
    alone("a_missing_interface_is_named", || {
        let relay = Relay::start();
        let multicast = Some(Multicast { ttl: 1, interface: Some("nosuch0".to_owned()) });
        let target = "239.255.1.2:5004".parse().unwrap();
        let rtp = Path { source: own(5004), target, pass: Pass::Everything, multicast };
        let error = relay.plane.open(7, &[Media { rtp, rtcp: None }], Gate::Open).unwrap_err();
        let said = error.to_string();
        assert_eq!(said, "can't send to 239.255.1.2:5004: there is no interface nosuch0");
    });
}

/// Sends a packet and waits until it was received and forwarded, or not.
fn send(flow: &Flow, encoder: &UdpSocket, source: &Source, packet: &[u8]) {
    let received = flow.counters().received;
    let late = Instant::now() + PATIENCE;
    encoder.send_to(packet, (source.address, source.port)).unwrap();
    while flow.counters().received == received {
        assert!(Instant::now() < late, "a packet was not received");
        std::thread::yield_now();
    }
}

#[test]
fn a_packet_that_another_host_repeats_is_dropped() {
    alone("a_packet_that_another_host_repeats_is_dropped", || {
        for source in [own(5004), group("239.1.1.1", 5004), group("ff15::1", 5004)] {
            let (relay, edge) = (Relay::start(), edge());
            let flow = relay.flow(&source, edge.local_addr().unwrap());
            let at = |v4, v6| encoder_at(if source.address.is_ipv4() { v4 } else { v6 });
            let encoder = at("192.0.2.1", "2001:db8::1");
            let stranger = at("192.0.2.9", "2001:db8::9");
            for number in 0..50 {
                let packet = rtp(number, 100);
                send(&flow, &encoder, &source, &packet);
                send(&flow, &stranger, &source, &packet);
            }
            let counters = flow.counters();
            assert_eq!(counters.received, 100, "{source}");
            // The sender is known when the second batch comes.
            assert!((49..=50).contains(&counters.returned), "{counters:?}");
            assert_eq!(counters.packets + counters.returned, 100);
            assert_eq!(flow.take_returned(), Some(stranger.local_addr().unwrap()));
            assert_eq!(flow.take_returned(), None);
        }
    });
}

#[test]
fn duplicates_of_the_network_pass() {
    alone("duplicates_of_the_network_pass", || {
        let (relay, source, edge) = (Relay::start(), group("239.1.1.1", 5004), edge());
        let flow = relay.flow(&source, edge.local_addr().unwrap());
        let encoder = encoder();
        for number in (0..100).flat_map(|number| [number, number]) {
            send(&flow, &encoder, &source, &rtp(number, 100));
        }
        assert_eq!((flow.counters().packets, flow.counters().returned), (200, 0));
        assert_eq!(flow.take_returned(), None);
    });
}
