//! Scans in a network namespace.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../../forward/tests/net/mod.rs"]
mod net;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use catalog::sdp::Session;
use control::{ScanFault, ScanResult, Verdict};
use forward::Source;
use net::{PATIENCE, Relay, alone, edge, encoder, encoder_at, group, receive};
use scan::{Listening, Media, Scan};

/// A media of one payload type.
fn media(source: &Source, payload_type: u8) -> Media {
    let sdp = format!("v=0\nm=video 5004 RTP/AVP {payload_type}\n");
    let session = Session::parse(sdp.as_bytes()).unwrap();
    let formats = session.media[0].formats.clone();
    Media { stream: "news".into(), label: "video".into(), sources: vec![source.clone()], formats }
}

fn packet(payload_type: u8, ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend([1; 88]);
    packet
}

/// Sends packets with these sequence numbers.
fn send(from: &UdpSocket, to: &Source, payload_type: u8, ssrc: u32, numbers: &[u16]) {
    for number in numbers {
        let sent = from.send_to(&packet(payload_type, ssrc, *number), (to.address, to.port));
        assert_eq!(sent.unwrap(), 100);
    }
}

/// Listens until the results are `enough`.
fn until(scan: &mut Scan, enough: impl Fn(&[ScanResult]) -> bool) -> Vec<ScanResult> {
    let began = Instant::now();
    loop {
        scan.listen(Duration::from_millis(10));
        let results = scan.results();
        if enough(&results) {
            return results;
        }
        assert!(began.elapsed() < PATIENCE, "{results:?}");
    }
}

fn open(media_list: Vec<Media>) -> Scan {
    Scan::alone(media_list, false).unwrap()
}

#[test]
fn tells_active_media_from_others() {
    alone("tells_active_media_from_others", || {
        let groups: Vec<Source> = [
            ("239.1.1.1", 5004),
            ("239.1.1.1", 5006),
            ("239.1.1.2", 5004),
            ("239.1.1.3", 5004),
            ("ff15::1", 5004),
        ]
        .map(|(address, port)| group(address, port))
        .into();
        let [video, silent, wrong, strange, v6] = &groups[..] else { panic!() };
        let mut scan = open(groups.iter().map(|group| media(group, 96)).collect());
        let from = encoder();
        send(&from, video, 96, 7, &[1, 2, 4]);
        send(&from, wrong, 97, 7, &[1, 2, 4]);
        let from_v6 = encoder_at("2001:db8::1");
        send(&from_v6, v6, 96, 9, &[65_535, 0]);
        for _ in 0..3 {
            from.send_to(&[0x47; 188], (strange.address, strange.port)).unwrap();
        }
        // RTCP that strays to the RTP port proves nothing.
        from.send_to(&[0x80, 200, 0, 1, 0, 0, 0, 7], (silent.address, silent.port)).unwrap();
        let results = until(&mut scan, |results| {
            let [video, _, wrong, strange, v6] = results else { panic!() };
            video.packets() == 3
                && v6.packets() == 2
                && !wrong.foreign.is_empty()
                && strange.strangers == 3
        });
        let verdicts: Vec<_> = results.iter().map(ScanResult::verdict).collect();
        let [active, not] = [Verdict::Active, Verdict::NotActive];
        assert_eq!(verdicts, [active, not, not, not, active]);
        let sender = &results[0].senders[0];
        assert_eq!((sender.ssrc, sender.lost, sender.bytes), (7, 1, 300));
        assert_eq!(sender.address, from.local_addr().unwrap());
        assert_eq!(sender.payload_types, [96]);
        assert_eq!(results[4].senders[0].address, from_v6.local_addr().unwrap());
        assert_eq!((&results[2].foreign[..], results[2].strangers), (&[97][..], 0));
        assert_eq!(results[1].strangers, 0);
    });
}

#[test]
fn tells_apart_media_that_share_a_port() {
    alone("tells_apart_media_that_share_a_port", || {
        let port = group("239.1.1.1", 5004);
        let mut media_list: Vec<Media> = [96, 97, 98].map(|pt| media(&port, pt)).into();
        media_list.push(Media { stream: "other".into(), ..media(&port, 98) });
        let mut scan = open(media_list);
        let from = encoder();
        send(&from, &port, 96, 1, &[1, 2]);
        send(&from, &port, 97, 2, &[1, 2, 3]);
        let results = until(&mut scan, |results| results[0].packets() + results[1].packets() == 5);
        assert_eq!((results[0].packets(), results[1].packets()), (2, 3));
        // A packet of another media of the same stream is no stranger.
        assert_eq!(results[3].foreign, [96, 97]);
        assert_eq!((results[2].verdict(), results[2].foreign.len()), (Verdict::NotActive, 0));
    });
}

#[test]
fn counts_only_the_allowed_sender() {
    alone("counts_only_the_allowed_sender", || {
        for (address, allowed, other) in
            [("232.1.1.1", "192.0.2.9", "192.0.2.1"), ("ff35::1", "2001:db8::9", "2001:db8::1")]
        {
            let any = group(address, 5004);
            let one = Source { senders: vec![allowed.parse().unwrap()], ..any.clone() };
            let mut scan = open(vec![media(&one, 96), media(&any, 96)]);
            send(&encoder_at(other), &any, 96, 1, &[1, 2]);
            send(&encoder_at(allowed), &any, 96, 2, &[1, 2]);
            let results =
                until(&mut scan, |results| results[0].packets() + results[1].packets() == 6);
            assert_eq!((results[0].senders.len(), results[1].senders.len()), (1, 2), "{address}");
            assert_eq!(results[0].senders[0].ssrc, 2);
        }
    });
}

#[test]
fn a_plane_of_its_own_shares_groups_and_no_unicast_port() {
    alone("a_plane_of_its_own_shares_groups_and_no_unicast_port", || {
        let (relay, edge) = (Relay::start(), edge());
        let to = edge.local_addr().unwrap();
        let shared = group("239.1.1.1", 5004);
        let own =
            Source { address: "192.0.2.1".parse().unwrap(), interface: None, ..shared.clone() };
        let free = Source { port: 5006, ..own.clone() };
        let _flows = (relay.flow(&shared, to), relay.flow(&own, to));
        let mut scan = open([&shared, &own, &free].map(|source| media(source, 96)).into());
        let from = encoder();
        send(&from, &shared, 96, 7, &[1, 2]);
        send(&from, &free, 96, 7, &[1, 2]);
        let results = until(&mut scan, |results| results[0].packets() + results[2].packets() == 4);
        let verdicts: Vec<_> = results.iter().map(ScanResult::verdict).collect();
        assert_eq!(verdicts, [Verdict::Active, Verdict::Busy, Verdict::Active]);
        assert_eq!(results[1].faults, [ScanFault::Busy(own.to_string())]);
        assert_eq!(receive(&edge), packet(96, 7, 1));
        assert_eq!(receive(&edge), packet(96, 7, 2));
    });
}

#[test]
fn a_scan_on_a_plane_shares_its_unicast_ports() {
    alone("a_scan_on_a_plane_shares_its_unicast_ports", || {
        let (relay, edge) = (Relay::start(), edge());
        let unicast = Source {
            address: "192.0.2.1".parse().unwrap(),
            interface: None,
            ..group("239.1.1.1", 5004)
        };
        let idle = Source { port: 5006, ..unicast.clone() };
        let taken = Source { port: 5008, ..unicast.clone() };
        let _taken = UdpSocket::bind((taken.address, taken.port)).unwrap();
        let _flow = relay.flow(&unicast, edge.local_addr().unwrap());
        let mut media_list: Vec<Media> = [&unicast, &idle, &taken].map(|at| media(at, 96)).into();
        media_list.push(media(&unicast, 97));
        let mut scan = Scan::on(&relay.plane, media_list, false);
        let from = encoder();
        send(&from, &unicast, 96, 7, &[1, 2, 4]);
        send(&from, &unicast, 97, 8, &[1, 2]);
        let results = until(&mut scan, |results| results[0].packets() + results[3].packets() == 5);
        let verdicts: Vec<_> = results.iter().map(ScanResult::verdict).collect();
        let expected = [Verdict::Active, Verdict::NotActive, Verdict::Busy, Verdict::Active];
        assert_eq!(verdicts, expected);
        let sender = &results[0].senders[0];
        assert_eq!((sender.ssrc, sender.lost, sender.bytes), (7, 1, 300));
        assert_eq!(sender.address, from.local_addr().unwrap());
        for number in [1, 2, 4] {
            assert_eq!(receive(&edge), packet(96, 7, number));
        }
    });
}

#[test]
fn a_quick_scan_closes_the_ports_that_it_no_longer_needs() {
    alone("a_quick_scan_closes_the_ports_that_it_no_longer_needs", || {
        let relay = Relay::start();
        let first = Source {
            address: "192.0.2.1".parse().unwrap(),
            interface: None,
            ..group("239.1.1.1", 5004)
        };
        let second = Source { port: 5006, ..first.clone() };
        let media_list = [&first, &second].map(|at| media(at, 96));
        let mut scan = Scan::on(&relay.plane, media_list.into(), true);
        let from = encoder();
        send(&from, &first, 96, 7, &[1, 2]);
        until(&mut scan, |results| results[0].is_active());
        UdpSocket::bind((first.address, first.port)).unwrap();
        send(&from, &second, 96, 7, &[1, 2]);
        assert_eq!(scan.listen(PATIENCE), Listening::Over);
        assert!(scan.results().iter().all(ScanResult::is_active));
    });
}

#[test]
fn a_quick_scan_is_over_when_every_media_is_active() {
    alone("a_quick_scan_is_over_when_every_media_is_active", || {
        let (one, two) = (group("239.1.1.1", 5004), group("239.1.1.2", 5004));
        let layered = Media { sources: vec![one.clone(), two.clone()], ..media(&one, 97) };
        let mut scan = Scan::alone(vec![media(&one, 96), layered], true).unwrap();
        send(&encoder(), &one, 96, 1, &[1, 2]);
        until(&mut scan, |results| results[0].is_active());
        // This scan has ended, so more packets change nothing.
        send(&encoder(), &one, 96, 1, &[3, 9]);
        send(&encoder(), &two, 97, 1, &[1, 2]);
        assert_eq!(scan.listen(PATIENCE), Listening::Over);
        let results = scan.results();
        assert!(results.iter().all(ScanResult::is_active));
        assert_eq!((results[0].packets(), results[0].lost()), (2, 0));
        assert!(results[0].listened <= results[1].listened);
    });
}

#[test]
fn says_why_it_cannot_listen() {
    alone("says_why_it_cannot_listen", || {
        let gone = Source { interface: Some("nosuch0".into()), ..group("239.1.1.1", 5004) };
        let elsewhere =
            Source { address: "198.51.100.7".parse().unwrap(), interface: None, ..gone.clone() };
        let mut scan = open(vec![media(&gone, 96), media(&elsewhere, 96)]);
        assert_eq!(scan.listen(PATIENCE), Listening::Over);
        let results = scan.results();
        assert!(results.iter().all(|result| result.verdict() == Verdict::Failed));
        let said = results[0].faults[0].to_string();
        assert!(said.contains("there is no interface nosuch0"), "{said}");
        assert!(results[1].faults[0].to_string().contains("198.51.100.7:5004"), "{results:?}");
    });
}
