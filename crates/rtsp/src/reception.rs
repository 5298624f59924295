//! What has arrived of a media, as a receiver report tells it (RFC 3550, 6.4.1 and appendix A).

use std::time::{Duration, Instant};

/// The fixed part of an RTP header, in bytes.
const RTP_HEADER: usize = 12;
/// An RTP sequence number has 16 bits.
const CYCLE: u32 = 1 << 16;
/// A step of the sequence larger than this, back or forth, is a new beginning (RFC 3550, A.1).
const LARGEST_STEP: u16 = 3000;

/// The numbers of one sender.
#[derive(Clone, Debug)]
struct Sender {
    ssrc: u32,
    first: u32,
    /// The highest sequence number, the cycles above it.
    highest: u32,
    received: u32,
    /// Expected and received when the last report was made.
    reported: (u32, u32),
    /// In units of the RTP clock.
    jitter: f64,
    /// When the last packet came, against when it should have: in units of the RTP clock.
    transit: Option<f64>,
    /// The middle of the last sender report's time, and when that came.
    report: Option<(u32, Instant)>,
}

/// What has arrived of a media.
#[derive(Clone, Debug)]
pub(crate) struct Reception {
    clock: Option<u32>,
    began: Instant,
    sender: Option<Sender>,
}

/// A report block (RFC 3550, 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) ssrc: u32,
    /// In 256ths.
    pub(crate) fraction_lost: u8,
    /// 24 bits, signed.
    pub(crate) lost: i32,
    pub(crate) highest: u32,
    pub(crate) jitter: u32,
    /// LSR and DLSR.
    pub(crate) last_report: u32,
    pub(crate) since_report: u32,
}

impl Reception {
    /// Nothing yet of a media with this clock in Hz.
    pub(crate) fn new(clock: Option<u32>, now: Instant) -> Self {
        Self { clock, began: now, sender: None }
    }

    /// Notes an RTP packet; true if it is one.
    pub(crate) fn see(&mut self, packet: &[u8], now: Instant) -> bool {
        let Some(&[first, _, s1, s0, t3, t2, t1, t0, i3, i2, i1, i0]) =
            packet.first_chunk::<RTP_HEADER>()
        else {
            return false;
        };
        if first >> 6 != 2 {
            return false;
        }
        let sequence = u16::from_be_bytes([s1, s0]);
        let stamp = u32::from_be_bytes([t3, t2, t1, t0]);
        let ssrc = u32::from_be_bytes([i3, i2, i1, i0]);
        let came = now.saturating_duration_since(self.began);
        let mut known = self.sender.take_if(|sender| sender.ssrc == ssrc);
        let known = known.take_if(|sender| sender.follows(sequence));
        let sender = self.sender.insert(known.unwrap_or_else(|| Sender::new(ssrc, sequence)));
        sender.received = sender.received.wrapping_add(1);
        if let Some(clock) = self.clock {
            sender.arrive(stamp, came, clock);
        }
        true
    }

    /// Notes an RTCP packet: the time of a sender report goes back to its sender.
    pub(crate) fn see_report(&mut self, packet: &[u8], now: Instant) {
        let Some((&[first, 200, _, _, ssrc @ .., _, _, m3, m2, m1, m0, _, _], _)) =
            packet.split_first_chunk::<16>()
        else {
            return;
        };
        let ssrc = u32::from_be_bytes(ssrc);
        let sender = self.sender.as_mut().filter(|sender| sender.ssrc == ssrc && first >> 6 == 2);
        if let Some(sender) = sender {
            sender.report = Some((u32::from_be_bytes([m3, m2, m1, m0]), now));
        }
    }

    /// What is to be reported; none if nothing came yet.
    pub(crate) fn block(&mut self, now: Instant) -> Option<Block> {
        self.sender.as_mut().map(|sender| sender.block(now))
    }
}

impl Sender {
    fn new(ssrc: u32, sequence: u16) -> Self {
        // A cycle up, so that packets from before the first are no less than nothing.
        let first = CYCLE + u32::from(sequence);
        Self {
            ssrc,
            first,
            highest: first,
            received: 0,
            reported: (0, 0),
            jitter: 0.0,
            transit: None,
            report: None,
        }
    }

    /// Takes a sequence number in; false if the sender has begun anew.
    fn follows(&mut self, sequence: u16) -> bool {
        let [_, _, high, low] = self.highest.to_be_bytes();
        let last = u16::from_be_bytes([high, low]);
        let ahead = sequence.wrapping_sub(last);
        if ahead < LARGEST_STEP {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
            return true;
        }
        last.wrapping_sub(sequence) < LARGEST_STEP
    }

    /// Counts the jitter (RFC 3550, A.8).
    fn arrive(&mut self, stamp: u32, came: Duration, clock: u32) {
        let came = came.as_secs_f64() * f64::from(clock);
        let transit = came - f64::from(stamp);
        if let Some(before) = self.transit.replace(transit) {
            let cycle = f64::from(u32::MAX) + 1.0;
            // A timestamp that has come round is no jitter.
            let step = (transit - before).abs() % cycle;
            let step = step.min(cycle - step);
            self.jitter += (step - self.jitter) / 16.0;
        }
    }

    fn block(&mut self, now: Instant) -> Block {
        let expected = self.highest.wrapping_sub(self.first).wrapping_add(1);
        let (before, received_before) = self.reported;
        self.reported = (expected, self.received);
        let lately = expected.wrapping_sub(before);
        let lost_lately = lately.saturating_sub(self.received.wrapping_sub(received_before));
        let fraction = (u64::from(lost_lately) << 8).checked_div(u64::from(lately)).unwrap_or(0);
        let lost = i64::from(expected) - i64::from(self.received);
        let most = (1 << 23) - 1;
        let (last_report, since_report) = match self.report {
            Some((middle, at)) => (middle, in_65536ths(now.saturating_duration_since(at))),
            None => (0, 0),
        };
        Block {
            ssrc: self.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: i32::try_from(lost.clamp(-most - 1, most)).unwrap_or(0),
            highest: self.highest.wrapping_sub(CYCLE),
            jitter: whole(self.jitter),
            last_report,
            since_report,
        }
    }
}

/// A duration in units of 1/65536 s.
fn in_65536ths(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros() * 65_536 / 1_000_000).unwrap_or(u32::MAX)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
fn whole(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(sequence: u16, stamp: u32, ssrc: u32) -> Vec<u8> {
        let mut packet = vec![0x80, 96];
        packet.extend(sequence.to_be_bytes());
        packet.extend(stamp.to_be_bytes());
        packet.extend(ssrc.to_be_bytes());
        packet
    }

    fn report(ssrc: u32) -> Vec<u8> {
        let mut report = vec![0x80, 200, 0, 6];
        report.extend(ssrc.to_be_bytes());
        report.extend([0xaa, 0xaa, 1, 2, 3, 4, 0xbb, 0xbb]);
        report.extend([0; 12]);
        report
    }

    #[test]
    fn what_is_lost_is_reported_for_all_time_and_for_lately() {
        let now = Instant::now();
        let mut reception = Reception::new(Some(90_000), now);
        assert_eq!(reception.block(now), None);
        for sequence in [65_533, 65_534, 1, 0, 2] {
            assert!(reception.see(&packet(sequence, 0, 7), now));
        }
        let block = reception.block(now).unwrap();
        assert_eq!((block.ssrc, block.highest, block.lost), (7, 65_536 + 2, 1));
        assert_eq!(block.fraction_lost, 42, "one of six, in 256ths");
        let block = reception.block(now).unwrap();
        assert_eq!((block.lost, block.fraction_lost), (1, 0), "nothing was lost since");
    }

    #[test]
    fn a_sender_that_begins_anew_is_counted_anew() {
        let now = Instant::now();
        let mut reception = Reception::new(None, now);
        for (sequence, ssrc) in [(10, 7), (11, 7), (40_000, 7), (40_001, 7)] {
            reception.see(&packet(sequence, 0, ssrc), now);
        }
        assert_eq!(reception.block(now).unwrap().lost, 0);
        reception.see(&packet(5, 0, 8), now);
        let block = reception.block(now).unwrap();
        assert_eq!((block.ssrc, block.highest, block.lost), (8, 5, 0));
    }

    #[test]
    fn jitter_is_that_of_arrival_against_the_timestamps() {
        let began = Instant::now();
        let mut even = Reception::new(Some(1000), began);
        let mut late = even.clone();
        let close = u32::MAX - 100;
        for step in 0..200_u16 {
            let at = began + Duration::from_millis(20 * u64::from(step));
            let packet = packet(step, close.wrapping_add(20 * u32::from(step)), 7);
            even.see(&packet, at);
            late.see(&packet, at + Duration::from_millis(u64::from(step % 2) * 16));
        }
        assert_eq!(even.block(began).unwrap().jitter, 0);
        assert!((15..=16).contains(&late.block(began).unwrap().jitter));
    }

    #[test]
    fn a_sender_report_comes_back_with_its_age() {
        let now = Instant::now();
        let mut reception = Reception::new(None, now);
        reception.see(&packet(1, 0, 7), now);
        reception.see_report(&report(8), now);
        assert_eq!(reception.block(now).unwrap().last_report, 0, "that is another sender's");
        reception.see_report(&report(7), now);
        let block = reception.block(now + Duration::from_millis(500)).unwrap();
        assert_eq!((block.last_report, block.since_report), (0x0102_0304, 32_768));
    }

    proptest! {
        #[test]
        fn no_packets_make_it_panic(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..50),
        ) {
            let now = Instant::now();
            let mut reception = Reception::new(Some(90_000), now);
            for packet in packets {
                reception.see(&packet, now);
                reception.see_report(&packet, now);
                reception.block(now);
            }
        }

        #[test]
        fn any_numbers_are_counted(numbers in prop::collection::vec(any::<(u16, u32)>(), 1..50)) {
            let now = Instant::now();
            let mut reception = Reception::new(Some(u32::MAX), now);
            for (sequence, stamp) in numbers {
                prop_assert!(reception.see(&packet(sequence, stamp, 1), now));
            }
            prop_assert!(reception.block(now).is_some());
        }
    }
}
