use super::*;
use proptest::prelude::*;

fn encoder() -> SocketAddr {
    "10.9.0.2:40000".parse().unwrap()
}

fn stranger() -> SocketAddr {
    "[2001:db8::7]:9".parse().unwrap()
}

fn read(guard: &mut LoopGuard, packet: &[u8], sender: Option<SocketAddr>) -> bool {
    guard.is_returned(Packet::read(packet), packet, sender, 5)
}

/// Takes in a packet as the ingest does: with the sender only if it is wanted, one packet a batch.
fn see(guard: &mut LoopGuard, packet: &[u8], sender: SocketAddr, now: u64) -> bool {
    let sender = guard.wants_senders().then_some(sender);
    let back = guard.is_returned(Packet::read(packet), packet, sender, now);
    guard.next_batch();
    back
}

/// Takes in a packet with this sender.
fn see_from(guard: &mut LoopGuard, packet: &[u8], sender: Option<SocketAddr>, now: u64) -> bool {
    guard.is_returned(Packet::read(packet), packet, sender, now)
}

fn report(time: u8, more: usize) -> Vec<u8> {
    let mut report = vec![0x80, 200, 0, 6, 0, 0, 0, 7, time];
    report.resize(28 + more, 0);
    report
}

fn rtp(ssrc: u8, number: u16, content: u8) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    vec![0x80, 96, high, low, 0, 0, 0, 0, 0, 0, 0, ssrc, content, 1, 2, 3]
}

#[test]
fn a_repeat_from_another_sender_came_back_and_a_duplicate_did_not() {
    let mut guard = LoopGuard::default();
    for number in 0..100 {
        assert!(!see(&mut guard, &rtp(7, number, 1), encoder(), 5));
        assert!(!see(&mut guard, &rtp(7, number, 1), encoder(), 5), "a duplicate");
    }
    for number in 100..200 {
        assert!(!see(&mut guard, &rtp(7, number, 1), encoder(), 5));
        assert!(see(&mut guard, &rtp(7, number, 1), stranger(), 5));
    }
}

/// How many of these many packets a second of one stream are found to have come back when each
/// does so after this many milliseconds, once a few seconds have gone by.
fn found(rate: u64, delay: u64) -> u64 {
    let mut guard = LoopGuard::default();
    let content = |number: u64| rtp(7, u16::try_from(number % 65_536).unwrap(), 1);
    let (mut found, behind) = (0, delay * rate / 1000);
    for number in 0..7 * rate {
        // A round of the numbers later it is another packet.
        let mut packet = content(number);
        packet[5] = u8::try_from(number / 65_536).unwrap();
        let now = 1 + number * 1000 / rate;
        assert!(!see_from(&mut guard, &packet, Some(encoder()), now), "what is new");
        if let Some(earlier) = number.checked_sub(behind).filter(|_| number >= 5 * rate) {
            let mut packet = content(earlier);
            packet[5] = u8::try_from(earlier / 65_536).unwrap();
            found += u64::from(see_from(&mut guard, &packet, Some(stranger()), now));
        }
    }
    found
}

#[test]
fn finds_a_packet_that_comes_back_a_second_later_at_any_rate() {
    for rate in [50, 320, 1000, 2500, 10_000, 30_000, 60_000] {
        assert_eq!(found(rate, 1000), 2 * rate, "{rate} packets a second");
    }
    assert_eq!(found(320, 3000), 640);
}

#[test]
fn only_a_fast_stream_has_a_larger_track() {
    let mut guard = LoopGuard::default();
    let room = |guard: &LoopGuard| guard.tracks.iter().flatten().map(|t| t.recent.places()).max();
    for number in 0..5000 {
        see_from(&mut guard, &rtp(7, number, 1), None, 1 + u64::from(number) * 3);
    }
    assert_eq!(room(&guard), Some(WINDOW), "320 a second");
    for number in 0..60_000 {
        see_from(&mut guard, &rtp(7, number, 2), None, 20_000 + u64::from(number) / 20);
    }
    assert_eq!(room(&guard), Some(crate::recent::LARGEST), "20,000 a second");
    for ssrc in [8, 9] {
        see_from(&mut guard, &rtp(ssrc, 1, 1), None, 30_000);
    }
    assert_eq!(room(&guard), Some(WINDOW));
}

#[test]
fn two_encoders_of_one_stream_pass_once_and_either_may_stop() {
    let mut guard = LoopGuard::default();
    let (one, two) = (encoder(), stranger());
    let mut passed = Vec::new();
    let mut send = |number: u16, from: &[SocketAddr]| {
        for sender in from {
            if !see(&mut guard, &rtp(7, number, 1), *sender, u64::from(number) * 3) {
                passed.push(number);
            }
        }
    };
    (1..200).for_each(|number| send(number, &[one, two]));
    (200..300).for_each(|number| send(number, &[two]));
    (300..400).for_each(|number| send(number, &[two, one]));
    (400..500).for_each(|number| send(number, &[one]));
    // When the other encoder is back, senders are wanted only after its first packet.
    assert_eq!(passed.len(), 500);
    passed.dedup();
    assert_eq!(passed, (1..500).collect::<Vec<_>>(), "none is missing");
}

#[test]
fn one_packet_does_not_loop() {
    let mut guard = LoopGuard::default();
    for number in 0..100 {
        assert!(!see(&mut guard, &rtp(7, number, 1), encoder(), 5));
    }
    assert!(!guard.wants_senders(), "nobody is asked for while all is new");
    let mut passed =
        |sender| (0..100).filter(|_| !see(&mut guard, &rtp(7, 99, 1), sender, 6)).count();
    assert_eq!(passed(stranger()), 1, "the first only arouses suspicion");
    assert_eq!(passed(encoder()), 100, "who sent it may send it again");
}

#[test]
fn a_restarted_encoder_loses_nothing() {
    let mut guard = LoopGuard::default();
    let mut passed = |sender, content, now| {
        let packets = (0..500).map(|number| rtp(7, number, content));
        packets.filter(|packet| !see(&mut guard, packet, sender, now)).count()
    };
    assert_eq!(passed(encoder(), 1, 1000), 500);
    assert_eq!(passed(stranger(), 2, 1001), 500, "other content");
    assert_eq!(passed(encoder(), 2, 5000), 500, "the same, after a while");
}

#[test]
fn tells_apart_media_on_one_port() {
    let mut guard = LoopGuard::default();
    let mut back = 0;
    for number in 0..50 {
        for ssrc in [7, 8] {
            assert!(!read(&mut guard, &rtp(ssrc, number, 1), Some(encoder())));
            back += u32::from(read(&mut guard, &rtp(ssrc, number, 1), Some(stranger())));
        }
    }
    assert_eq!(back, 100);
}

#[test]
fn a_sender_report_does_not_loop() {
    let mut guard = LoopGuard::default();
    let mut passed = |report: &[u8]| (0..9).filter(|_| !read(&mut guard, report, None)).count();
    assert_eq!(passed(&report(1, 0)), 3);
    assert_eq!(passed(&report(2, 0)), 3);
    assert_eq!(passed(&report(2, 4)), 3);
    let receiver = [0x80, 201, 0, 1, 0, 0, 0, 7];
    assert_eq!(passed(&receiver), 9);
}

#[test]
fn a_sender_report_without_a_time_is_no_loop_from_its_own_sender() {
    let (mut guard, report) = (LoopGuard::default(), report(0, 0));
    for now in (0..60_000).step_by(1000) {
        assert!(guard.wants_senders());
        assert!(!see(&mut guard, &report, encoder(), now));
        assert!(see(&mut guard, &report, stranger(), now + 100));
    }
    assert!(!see(&mut guard, &report, stranger(), 70_000), "the encoder moved");
}

proptest! {
    #[test]
    fn accepts_any_bytes(all in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..50)) {
        let mut guard = LoopGuard::default();
        for bytes in all {
            read(&mut guard, &bytes, None);
        }
    }
}

/// How often a stream of two seconds, 320 packets a second, passes within half a minute if whatever
/// passes is sent here again after so many milliseconds.
fn passed_in_a_loop(delay: u64) -> usize {
    let mut guard = LoopGuard::default();
    let mut due = std::collections::BTreeMap::<u64, Vec<(Vec<u8>, SocketAddr)>>::new();
    for number in 0..640 {
        due.entry(1 + number * 3)
            .or_default()
            .push((rtp(7, u16::try_from(number).unwrap(), 1), encoder()));
    }
    let mut passed = 0;
    while let Some((now, packets)) = due.pop_first().filter(|(now, _)| *now < 30_000) {
        for (packet, sender) in packets {
            if !see(&mut guard, &packet, sender, now) {
                passed += 1;
                due.entry(now + delay).or_default().push((packet, stranger()));
            }
        }
    }
    passed
}

#[test]
fn nothing_loops_after_the_encoder_stops() {
    for delay in [1, 10, 100, 500, 1000, 1500, 2000] {
        let passed = passed_in_a_loop(delay);
        assert!((640..650).contains(&passed), "{passed} passed, back after {delay} ms");
    }
}
