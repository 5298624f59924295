//! ICMP errors: a true one counts, and a forged one changes nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod net;

use forward::{Flow, FlowEvent, Source};
use net::{PATIENCE, Relay, alone, edge_behind, edge_behind_with, encoder, group, receive, rtp};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::Read;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// The Internet checksum (RFC 1071).
fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let pairs = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u64 =
        pairs.map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0))).sum();
    let folded = (0..4).fold(sum, |sum, _| (sum & 0xffff) + (sum >> 16));
    (!u16::try_from(folded).unwrap()).to_be_bytes()
}

/// An IP packet: `protocol` is UDP, ICMP or ICMPv6.
fn ip(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut packet = vec![0x45, 0];
            packet.extend((length + 20).to_be_bytes());
            packet.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
            packet.extend([from.octets(), to.octets()].concat());
            packet.extend(payload);
            packet
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend(length.to_be_bytes());
            packet.extend([protocol, 64]);
            packet.extend([from.octets(), to.octets()].concat());
            packet.extend(payload);
            packet
        }
        _ => unreachable!(),
    }
}

/// A host that invents ICMP errors about a flow.
struct Forger {
    raw: Socket,
    local: SocketAddr,
    target: SocketAddr,
}

impl Forger {
    fn new(flow: &Flow) -> Forger {
        let target = flow.target();
        let raw = Protocol::from(libc::IPPROTO_RAW);
        let raw = Socket::new(Domain::for_address(target), Type::RAW, Some(raw)).unwrap();
        let here = if target.is_ipv4() { "198.51.100.1" } else { "2001:db8:1::1" };
        let local = SocketAddr::new(here.parse().unwrap(), flow.local().port());
        Forger { raw, local, target }
    }

    /// Sends an error as if from `offender`, quoting this much of a datagram of the flow.
    fn send(&self, offender: IpAddr, kind: u8, code: u8, quote: &[u8]) {
        self.send_about(self.local.port(), self.target.port(), offender, (kind, code), quote);
    }

    /// The same, about a datagram between these ports.
    fn send_about(
        &self,
        local: u16,
        target: u16,
        offender: IpAddr,
        (kind, code): (u8, u8),
        quote: &[u8],
    ) {
        let mut udp = [local.to_be_bytes(), target.to_be_bytes()].concat();
        udp.extend(u16::try_from(8 + quote.len()).unwrap().to_be_bytes());
        udp.extend([0, 0]);
        udp.extend(quote);
        let quoted = ip(self.local.ip(), self.target.ip(), 17, &udp);
        let mut error = vec![kind, code, 0, 0, 0, 0, 0, 0];
        error.extend(quoted);
        let (here, length) = (self.local.ip(), u16::try_from(error.len()).unwrap().to_be_bytes());
        let (protocol, sum) = match (offender, here) {
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let pseudo = [&length[..], &[0, 58]].concat();
                (58, checksum(&[&from.octets(), &to.octets(), &pseudo, &error]))
            }
            _ => (1, checksum(&[&error])),
        };
        error[2..4].copy_from_slice(&sum);
        let to = SockAddr::from(SocketAddr::new(here, 0));
        self.raw.send_to(&ip(offender, here, protocol, &error), &to).unwrap();
    }

    fn edge(&self) -> IpAddr {
        self.target.ip()
    }

    /// One that is neither the edge nor this host.
    fn stranger(&self) -> IpAddr {
        let v4 = self.target.is_ipv4();
        if v4 { "203.0.113.66" } else { "2001:db8:77::66" }.parse().unwrap()
    }
}

/// A flow to an edge behind a link, with packets to send.
struct Stage {
    relay: Relay,
    flow: Flow,
    source: Source,
    encoder: UdpSocket,
    edge: UdpSocket,
    forger: Forger,
    next: u16,
}

impl Stage {
    fn new(edge_address: &str) -> Stage {
        Stage::at(edge_behind("mtu 1500", edge_address))
    }

    fn at(edge: UdpSocket) -> Stage {
        let (relay, source) = (Relay::start(), group("239.1.1.1", 5004));
        let flow = relay.flow(&source, edge.local_addr().unwrap());
        let forger = Forger::new(&flow);
        Stage { relay, flow, source, encoder: encoder(), edge, forger, next: 0 }
    }

    /// Sends a packet to the flow's source.
    fn send(&mut self) -> Vec<u8> {
        let packet = rtp(self.next, 1000);
        self.next += 1;
        self.encoder.send_to(&packet, (self.source.address, self.source.port)).unwrap();
        packet
    }

    /// Sends a packet, which must reach the edge.
    fn pass(&mut self) -> Vec<u8> {
        let packet = self.send();
        assert_eq!(receive(&self.edge), packet);
        packet
    }

    /// Waits until this many forged errors were counted.
    fn await_forged(&self, count: u64) {
        let began = Instant::now();
        while self.flow.counters().forged < count {
            assert!(began.elapsed() < PATIENCE, "{:?}", self.flow.counters());
        }
    }
}

/// Forges errors with every type and code, and quotes of any length. All are forged.
fn forge_everything(stage: &mut Stage, round: u8) -> u64 {
    let v4 = stage.forger.edge().is_ipv4();
    let kinds: &[u8] = if v4 { &[3, 11, 12] } else { &[1, 3, 4] };
    let mut invented = rtp(stage.next, 1000);
    invented[8..12].copy_from_slice(&[round, 1, 2, 3]);
    let mut sent = 0;
    for offender in [stage.forger.edge(), stage.forger.stranger()] {
        for (kind, code) in kinds.iter().flat_map(|kind| (0..16).map(move |code| (*kind, code))) {
            stage.forger.send(offender, kind, code, &invented[..500]);
            stage.forger.send(offender, kind, code, b"");
            stage.forger.send(offender, kind, code, &invented[..11]);
            sent += 3;
        }
        // The kernel keeps these from the socket's error queue, or has its own rules for them.
        for kind in if v4 { [0, 4, 5, 200] } else { [2, 137, 100, 200] } {
            stage.forger.send(offender, kind, 0, &invented[..500]);
        }
    }
    sent
}

/// The edge refuses one packet, so that it is known to quote packets. Then it takes them again.
fn refuse_once(stage: &mut Stage) {
    let at = stage.edge.local_addr().unwrap();
    let quote = stage.pass();
    stage.forger.send(
        at.ip(),
        if at.is_ipv4() { 3 } else { 1 },
        if at.is_ipv4() { 3 } else { 4 },
        &quote,
    );
    let refused = FlowEvent::Refused { sequence: Some(stage.next - 1) };
    stage.relay.wait_for(|event| event == refused);
}

#[test]
fn forged_errors_change_nothing() {
    alone("forged_errors_change_nothing", || expect_no_change("198.51.100.2"));
}

#[test]
fn forged_ipv6_errors_change_nothing() {
    alone("forged_ipv6_errors_change_nothing", || expect_no_change("2001:db8:1::2"));
}

fn expect_no_change(address: &str) {
    let mut stage = Stage::new(address);
    let mut forged = 0;
    for round in 0..20 {
        forged += forge_everything(&mut stage, round);
        stage.pass();
    }
    // The kernel turns some codes away, and a full queue keeps no more.
    stage.await_forged(forged / 2);
    let counters = stage.flow.counters();
    assert_eq!((counters.refusals, counters.lost), (0, 0), "{counters:?}");
    assert_eq!(stage.relay.events(), []);
    assert!(stage.flow.take_forger().is_some());
}

#[test]
fn a_flood_of_forged_errors_loses_no_packet() {
    alone("a_flood_of_forged_errors_loses_no_packet", || {
        let mut stage = Stage::new("198.51.100.2");
        let began = Instant::now();
        for number in 0..2000_u32 {
            stage.pass();
            for _ in 0..10 {
                let invented = [&[0x80, 96][..], &number.to_be_bytes(), &[9; 100]].concat();
                stage.forger.send(stage.forger.edge(), 3, 3, &invented);
            }
        }
        let counters = stage.flow.counters();
        assert_eq!((counters.refusals, counters.lost), (0, 0), "{counters:?}");
        assert_eq!((counters.packets, stage.relay.events()), (2000, vec![]));
        assert!(counters.forged > 2000, "{counters:?} in {:?}", began.elapsed());
    });
}

#[test]
fn a_closed_port_refuses_the_packet_that_it_quotes() {
    let test = "a_closed_port_refuses_the_packet_that_it_quotes";
    alone(test, || expect_refusal("198.51.100.2"));
}

#[test]
fn a_closed_ipv6_port_refuses_the_packet_that_it_quotes() {
    let test = "a_closed_ipv6_port_refuses_the_packet_that_it_quotes";
    alone(test, || expect_refusal("2001:db8:1::2"));
}

fn expect_refusal(address: &str) {
    let mut stage = Stage::new(address);
    stage.pass();
    // Connected to another port, the edge's socket takes no packet of the flow.
    stage.edge.connect((stage.forger.local.ip(), 9)).unwrap();
    let sequence = Some(stage.next);
    stage.send();
    stage.relay.wait_for(|event| event == FlowEvent::Refused { sequence });
    assert_eq!(stage.flow.counters().forged, 0);
}

/// Answers the next test datagram as a BSD does: without a quote.
fn answer_test(stage: &Stage, wire: &mut Socket) {
    let mut frame = [0; 2048];
    loop {
        let length = wire.read(&mut frame).unwrap();
        let [a, b, c, d] = [20, 21, 22, 23].map(|at| frame[at]);
        let (local, target) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        if length == 40 && frame[9] == 17 && target != stage.forger.target.port() {
            let edge = stage.forger.edge();
            return stage.forger.send_about(local, target, edge, (3, 3), b"");
        }
    }
}

#[test]
fn an_edge_that_answers_a_test_without_a_quote_needs_none() {
    alone("an_edge_that_answers_a_test_without_a_quote_needs_none", || {
        let silent = &["ip route add blackhole 198.51.100.1"];
        let mut stage = Stage::at(edge_behind_with("mtu 1500", "198.51.100.2", silent));
        let all = Protocol::from(i32::from(u16::try_from(libc::ETH_P_ALL).unwrap().to_be()));
        let mut wire = Socket::new(Domain::PACKET, Type::DGRAM, Some(all)).unwrap();
        stage.pass();
        stage.forger.send(stage.forger.edge(), 3, 3, b"");
        answer_test(&stage, &mut wire);
        stage.pass();
        stage.forger.send(stage.forger.edge(), 3, 3, b"");
        stage.relay.wait_for(|event| event == FlowEvent::Refused { sequence: None });
        let counters = stage.flow.counters();
        assert_eq!((counters.refusals, counters.forged), (1, 1));
    });
}

#[test]
fn an_error_without_a_quote_is_believed_only_from_an_edge_that_answers_no_test() {
    alone("an_error_without_a_quote_is_believed_only_from_an_edge_that_answers_no_test", || {
        // None of the edge's own errors comes back.
        let silent = &["ip route add blackhole 198.51.100.1"];
        let mut stage = Stage::at(edge_behind_with("mtu 1500", "198.51.100.2", silent));
        stage.forger.send(stage.forger.edge(), 3, 3, b"");
        stage.await_forged(1);
        let began = Instant::now();
        while stage.flow.counters().refusals == 0 {
            assert!(began.elapsed() < PATIENCE, "{:?}", stage.flow.counters());
            stage.pass();
            stage.forger.send(stage.forger.stranger(), 3, 3, b"");
            stage.forger.send(stage.forger.edge(), 3, 3, b"");
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(began.elapsed() > Duration::from_secs(5), "three tests take longer");
        stage.relay.wait_for(|event| event == FlowEvent::Refused { sequence: None });
        refuse_once(&mut stage);
        let counters = stage.flow.counters();
        stage.forger.send(stage.forger.edge(), 3, 3, b"");
        stage.await_forged(counters.forged + 1);
        assert_eq!(stage.flow.counters().refusals, counters.refusals);
    });
}

#[test]
fn a_firewall_and_a_router_say_who_they_are() {
    alone("a_firewall_and_a_router_say_who_they_are", || {
        let mut stage = Stage::new("198.51.100.2");
        let offender = stage.forger.stranger();
        for code in [3, 9, 10, 13] {
            let quote = stage.pass();
            stage.forger.send(offender, 3, code, &quote);
            let firewalled = FlowEvent::Firewalled { offender: Some(offender) };
            stage.relay.wait_for(|event| event == firewalled);
        }
        let quote = stage.pass();
        stage.forger.send(offender, 3, 1, &quote);
        let unreachable =
            FlowEvent::Unreachable { errno: libc::EHOSTUNREACH, offender: Some(offender) };
        stage.relay.wait_for(|event| event == unreachable);
        // "Fragmentation needed", with a small MTU: packets pass, and still in one piece.
        let quote = stage.pass();
        stage.forger.send(offender, 3, 4, &quote);
        stage.pass();
        std::thread::sleep(Duration::from_millis(50));
        let counters = stage.flow.counters();
        assert_eq!((counters.refusals, counters.forged, counters.lost), (0, 0, 0));
        assert_eq!(stage.relay.events(), []);
    });
}
