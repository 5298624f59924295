//! Gates, filters, reports and refusals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod net;

use ::rtp::Feedback;
use forward::{FlowEvent, Pass};
use model::Gate;
use net::{Relay, alone, closed_port, edge, edge_at, encoder, group, receive, rtp};
use std::net::UdpSocket;

fn sender_report(number: u8) -> Vec<u8> {
    let mut report = vec![0x80, 200, 0, 6];
    report.resize(27, 0);
    report.push(number);
    report
}

#[test]
fn a_probe_passes_exactly_one_packet() {
    alone("a_probe_passes_exactly_one_packet", || {
        let (relay, source, edge) = (Relay::start(), group("239.1.1.1", 5004), edge());
        let flow = relay.flow_of(&source, edge.local_addr().unwrap(), Pass::Everything, Gate::Shut);
        let encoder = encoder();
        let send = |packet: &[u8]| {
            let before = flow.counters().received;
            encoder.send_to(packet, (source.address, source.port)).unwrap();
            while flow.counters().received == before {}
        };
        for round in 0..3 {
            send(b"shut out");
            flow.set_gate(Gate::Probe);
            send(&[round]);
            relay.wait_for(|event| matches!(event, FlowEvent::Probed { .. }));
            assert_eq!(flow.gate(), Gate::Shut);
            send(b"shut out");
        }
        flow.set_gate(Gate::Open);
        send(b"open");
        let got = [(); 4].map(|()| receive(&edge));
        assert_eq!(got, [vec![0], vec![1], vec![2], b"open".to_vec()]);
    });
}

#[test]
fn only_sender_reports_pass_their_filter() {
    alone("only_sender_reports_pass_their_filter", || {
        let (relay, source, edge) = (Relay::start(), group("239.1.1.1", 5005), edge());
        let target = edge.local_addr().unwrap();
        let _flow = relay.flow_of(&source, target, Pass::SenderReports, Gate::Open);
        let encoder = encoder();
        let receiver_report = [0x80, 201, 0, 1, 0, 0, 0, 9];
        for number in 0..9 {
            for packet in [&receiver_report[..], &sender_report(number), b"", b"junk"] {
                encoder.send_to(packet, (source.address, source.port)).unwrap();
            }
        }
        for number in 0..9 {
            assert_eq!(receive(&edge), sender_report(number));
        }
    });
}

#[test]
fn a_report_of_an_edge_raises_an_event_and_is_not_forwarded() {
    alone("a_report_of_an_edge_raises_an_event_and_is_not_forwarded", || {
        let (relay, source, edge) = (Relay::start(), group("239.1.1.1", 5005), edge());
        let flow = relay.flow(&source, edge.local_addr().unwrap());
        let mut darwin = vec![0x80, 0xc9, 0, 1, 1, 2, 3, 4, 0x80, 0xcc, 0, 8, 1, 2, 3, 4];
        darwin.extend(b"QTSS\0\0\0\0\0\0\0\x04ey\0\x0c\0\0\0\x03\0\0\0\x03\0\0\0\0");
        edge.send_to(b"junk", flow.local()).unwrap();
        edge.send_to(&darwin, flow.local()).unwrap();
        relay.wait_for(|event| event == FlowEvent::Report(Feedback::Viewers(3)));
        let counters = flow.counters();
        assert_eq!((counters.reports, counters.received, counters.packets), (2, 0, 0));
    });
}

#[test]
fn a_refusal_raises_an_event_without_another_send() {
    alone("a_refusal_raises_an_event_without_another_send", || {
        let (relay, source) = (Relay::start(), group("239.1.1.1", 5004));
        let flow = relay.flow(&source, closed_port());
        let encoder = encoder();
        for refusals in 1..4 {
            encoder.send_to(&rtp(1, 100), (source.address, source.port)).unwrap();
            relay.wait_for(|event| matches!(event, FlowEvent::Refused { .. }));
            assert_eq!(flow.counters().refusals, refusals);
        }
        assert_eq!(flow.counters().lost, 0);
    });
}

#[test]
fn the_first_packet_after_an_edge_returns_arrives() {
    alone("the_first_packet_after_an_edge_returns_arrives", || {
        let (relay, source) = (Relay::start(), group("239.1.1.1", 5004));
        let target = closed_port();
        let flow = relay.flow(&source, target);
        let encoder = encoder();
        for round in 0..20 {
            let received = flow.counters().received + 40;
            for number in 0..40 {
                encoder.send_to(&rtp(number, 900), (source.address, source.port)).unwrap();
            }
            while flow.counters().received < received {}
            let edge = edge_at(target);
            for number in 0..40 {
                let packet = rtp(number + 1000 + round, 900);
                encoder.send_to(&packet, (source.address, source.port)).unwrap();
                assert!(receive(&edge) == packet, "round {round}: a packet is missing");
            }
        }
        assert_eq!(flow.counters().lost, 0);
        assert!(flow.counters().refusals > 0);
    });
}

#[test]
fn edges_and_relays_come_and_go_while_packets_flow() {
    alone("edges_and_relays_come_and_go_while_packets_flow", || {
        let (relay, source, edge) = (Relay::start(), group("239.1.1.1", 5004), edge());
        let flow = relay.flow(&source, edge.local_addr().unwrap());
        let (encoder, other) = (encoder(), net::edge());
        let elsewhere = group("239.1.1.2", 5004);
        for number in 0..500 {
            let guest = relay.flow(&source, other.local_addr().unwrap());
            let _refused = relay.flow(&source, closed_port());
            let _apart = relay.flow(&elsewhere, other.local_addr().unwrap());
            encoder.send_to(&rtp(number, 500), (source.address, source.port)).unwrap();
            encoder.send_to(b"apart", (elsewhere.address, elsewhere.port)).unwrap();
            drop(guest);
            assert!(receive(&edge) == rtp(number, 500), "packet {number} is missing");
        }
        assert_eq!(flow.counters().gaps, 0);
    });
}

#[test]
fn a_source_ends_with_its_last_flow_and_can_be_opened_again() {
    alone("a_source_ends_with_its_last_flow_and_can_be_opened_again", || {
        let (relay, edge) = (Relay::start(), edge());
        let source = forward::Source { interface: None, ..group("192.0.2.9", 5004) };
        drop([(); 3].map(|()| relay.flow(&source, edge.local_addr().unwrap())));
        // A unicast port is taken as long as the source's socket is open.
        while UdpSocket::bind((source.address, source.port)).is_err() {}
        let _flow = relay.flow(&source, edge.local_addr().unwrap());
        encoder().send_to(b"again", (source.address, source.port)).unwrap();
        assert_eq!(receive(&edge), b"again");
    });
}

#[test]
fn dropping_the_plane_ends_its_flows() {
    alone("dropping_the_plane_ends_its_flows", || {
        let (relay, source) = (Relay::start(), group("192.0.2.9", 5004));
        let flow = relay.flow(&source, closed_port());
        drop(relay);
        UdpSocket::bind((source.address, source.port)).unwrap();
        flow.set_gate(Gate::Probe);
        assert_eq!(flow.counters().packets, 0);
    });
}
