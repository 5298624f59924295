//! Receiver statistics and receiver reports (RFC 3550, sections 6.4 and 6.5, appendix A).

use std::time::{Duration, Instant};

use crate::packet::Packet;
use crate::rtcp::{self, SenderReport};
use crate::sequence::Sequence;

/// The most and the least that 24 bits with a sign hold.
const LOST: (i64, i64) = (-(1 << 23), (1 << 23) - 1);

/// Counts the RTP packets of one media as they arrive.
#[derive(Debug)]
pub struct Receiver {
    /// The RTP clock in Hz.
    clock: Option<u32>,
    began: Option<Instant>,
    sequence: Sequence,
    /// In units of the RTP clock.
    jitter: f64,
    /// The arrival of the last packet less its timestamp, in units of the RTP clock.
    transit: Option<f64>,
    /// The last sender report, and when it came.
    report: Option<(SenderReport, Instant)>,
    /// SSRC, expected and received packets at the last report.
    reported: (u32, u64, u64),
}

/// A report block (RFC 3550, 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// The sender that it is about.
    pub ssrc: u32,
    /// The packets lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// The packets lost in all; a signed number of 24 bits.
    pub lost: i32,
    /// The highest sequence number, extended by the count of its wraps.
    pub highest: u32,
    /// The jitter in units of the RTP clock.
    pub jitter: u32,
    /// LSR: the middle of the last sender report's NTP time.
    pub last_report: u32,
    /// DLSR: the age of that report in 65536ths of a second.
    pub since_report: u32,
}

impl Receiver {
    /// Nothing has arrived yet. Without a clock no jitter is measured.
    pub fn new(clock: Option<u32>) -> Self {
        Self {
            clock,
            began: None,
            sequence: Sequence::default(),
            jitter: 0.0,
            transit: None,
            report: None,
            reported: (0, 0, 0),
        }
    }

    /// Takes in a packet of the RTP port; true if it is RTP.
    pub fn rtp(&mut self, packet: &[u8], now: Instant) -> bool {
        let (Packet::Rtp(header), Some([_, _, _, _, stamp @ ..])) =
            (Packet::read(packet), packet.first_chunk::<8>())
        else {
            return false;
        };
        if self.sequence.span().is_none_or(|span| span.ssrc() != header.ssrc) {
            (self.jitter, self.transit, self.report) = (0.0, None, None);
        }
        self.sequence.push(header);
        let came = now.saturating_duration_since(*self.began.get_or_insert(now));
        if let Some(clock) = self.clock {
            self.measure(u32::from_be_bytes(*stamp), came, clock);
        }
        true
    }

    /// Measures the jitter (RFC 3550, A.8).
    fn measure(&mut self, stamp: u32, came: Duration, clock: u32) {
        let transit = came.as_secs_f64() * f64::from(clock) - f64::from(stamp);
        if let Some(before) = self.transit.replace(transit) {
            let cycle = f64::from(u32::MAX) + 1.0;
            // A timestamp that wraps is no jitter.
            let step = (transit - before).abs() % cycle;
            let step = step.min(cycle - step);
            self.jitter += (step - self.jitter) / 16.0;
        }
    }

    /// Takes in a packet of the RTCP port.
    pub fn rtcp(&mut self, packet: &[u8], now: Instant) {
        let ssrc = self.sequence.span().map(crate::Span::ssrc);
        if let Some(report) = rtcp::sender_report(packet).filter(|one| Some(one.ssrc) == ssrc) {
            self.report = Some((report, now));
        }
    }

    /// The next report block; `None` before the first RTP packet.
    pub fn block(&mut self, now: Instant) -> Option<ReportBlock> {
        let span = self.sequence.span()?;
        let (expected, received) = (span.expected(), span.received());
        let begins = (span.ssrc(), 0, 0);
        let (ssrc, expected_before, received_before) = self.reported;
        // A span that is younger than the last report begins with nothing.
        let known =
            ssrc == span.ssrc() && expected_before <= expected && received_before <= received;
        let (_, before, received_before) = if known { self.reported } else { begins };
        self.reported = (span.ssrc(), expected, received);
        let lately = expected - before;
        let lost_lately = lately.saturating_sub(received - received_before);
        let fraction = (lost_lately << 8).checked_div(lately).unwrap_or(0);
        let lost = i64::try_from(expected).unwrap_or(0) - i64::try_from(received).unwrap_or(0);
        let (last_report, since_report) = match self.report {
            Some((report, at)) => {
                (report.ntp_middle, in_65536ths(now.saturating_duration_since(at)))
            }
            None => (0, 0),
        };
        Some(ReportBlock {
            ssrc: span.ssrc(),
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: i32::try_from(lost.clamp(LOST.0, LOST.1)).unwrap_or(0),
            highest: span.highest(),
            jitter: whole(self.jitter),
            last_report,
            since_report,
        })
    }
}

/// A duration in 65536ths of a second.
fn in_65536ths(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros() * 65_536 / 1_000_000).unwrap_or(u32::MAX)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
fn whole(number: f64) -> u32 {
    number as u32
}

/// The receiver as RTCP knows it.
#[derive(Clone, Debug)]
pub struct Reporter {
    ssrc: u32,
    /// A random CNAME: it tells nothing about this host (RFC 7022).
    name: String,
}

impl Reporter {
    /// A receiver with an SSRC and a CNAME made of a random number.
    pub fn new(random: u64) -> Self {
        let [a, b, c, d, ..] = random.to_be_bytes();
        Self { ssrc: u32::from_be_bytes([a, b, c, d]), name: format!("{random:016x}") }
    }

    /// A compound packet: a receiver report, SDES with the CNAME, and BYE if it is the last.
    pub fn compound(&self, block: Option<ReportBlock>, bye: bool) -> Vec<u8> {
        let mut packet = Vec::with_capacity(72);
        let count = u8::from(block.is_some());
        packet.extend([0x80 | count, 201, 0, 1 + 6 * count]);
        packet.extend(self.ssrc.to_be_bytes());
        if let Some(block) = block {
            let [_, lost @ ..] = block.lost.to_be_bytes();
            packet.extend(block.ssrc.to_be_bytes());
            packet.push(block.fraction_lost);
            packet.extend(lost);
            for word in [block.highest, block.jitter, block.last_report, block.since_report] {
                packet.extend(word.to_be_bytes());
            }
        }
        self.describe(&mut packet);
        if bye {
            packet.extend([0x81, 203, 0, 1]);
            packet.extend(self.ssrc.to_be_bytes());
        }
        packet
    }

    /// Writes SDES. Its one item is a kind, a length and a text, with zeroes up to a whole word.
    fn describe(&self, packet: &mut Vec<u8>) {
        let mut item = vec![1, u8::try_from(self.name.len()).unwrap_or(0)];
        item.extend(self.name.bytes());
        item.push(0);
        item.resize(item.len().next_multiple_of(4), 0);
        let words = 1 + item.len() / 4;
        packet.extend([0x81, 202, 0, u8::try_from(words).unwrap_or(0)]);
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(item);
    }
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

    fn sender_report(ssrc: u32) -> Vec<u8> {
        let mut report = vec![0x80, 200, 0, 6];
        report.extend(ssrc.to_be_bytes());
        report.extend([0xaa, 0xaa, 1, 2, 3, 4, 0xbb, 0xbb]);
        report.extend([0; 12]);
        report
    }

    #[test]
    fn losses_are_reported_in_all_and_since_the_last_report() {
        let now = Instant::now();
        let mut receiver = Receiver::new(Some(90_000));
        assert_eq!(receiver.block(now), None);
        for sequence in [65_533, 65_534, 1, 0, 2] {
            assert!(receiver.rtp(&packet(sequence, 0, 7), now));
        }
        let block = receiver.block(now).unwrap();
        assert_eq!((block.ssrc, block.highest, block.lost), (7, 65_536 + 2, 1));
        assert_eq!(block.fraction_lost, 42, "one of six, in 256ths");
        let block = receiver.block(now).unwrap();
        assert_eq!((block.lost, block.fraction_lost), (1, 0), "nothing was lost since");
    }

    #[test]
    fn a_sender_that_restarts_is_counted_anew() {
        let now = Instant::now();
        let mut receiver = Receiver::new(None);
        for (sequence, ssrc) in [(10, 7), (11, 7), (40_000, 7), (40_001, 7)] {
            receiver.rtp(&packet(sequence, 0, ssrc), now);
        }
        assert_eq!(receiver.block(now).unwrap().lost, 0);
        receiver.rtp(&packet(5, 0, 8), now);
        let block = receiver.block(now).unwrap();
        assert_eq!((block.ssrc, block.highest, block.lost), (8, 5, 0));
    }

    #[test]
    fn jitter_is_that_of_arrival_against_the_timestamps() {
        let began = Instant::now();
        let (mut even, mut late) = (Receiver::new(Some(1000)), Receiver::new(Some(1000)));
        let close = u32::MAX - 100;
        for step in 0..200_u16 {
            let at = began + Duration::from_millis(20 * u64::from(step));
            let packet = packet(step, close.wrapping_add(20 * u32::from(step)), 7);
            even.rtp(&packet, at);
            late.rtp(&packet, at + Duration::from_millis(u64::from(step % 2) * 16));
        }
        assert_eq!(even.block(began).unwrap().jitter, 0);
        assert!((15..=16).contains(&late.block(began).unwrap().jitter));
    }

    #[test]
    fn a_sender_report_is_returned_with_its_age() {
        let now = Instant::now();
        let mut receiver = Receiver::new(None);
        receiver.rtp(&packet(1, 0, 7), now);
        receiver.rtcp(&sender_report(8), now);
        assert_eq!(receiver.block(now).unwrap().last_report, 0, "that is another sender's");
        receiver.rtcp(&sender_report(7), now);
        let block = receiver.block(now + Duration::from_millis(500)).unwrap();
        assert_eq!((block.last_report, block.since_report), (0x0102_0304, 32_768));
    }

    #[test]
    fn a_compound_is_a_report_a_name_and_perhaps_a_goodbye() {
        let reporter = Reporter::new(0x0102_0304_0506_0708);
        let empty = reporter.compound(None, false);
        assert_eq!(empty[..12], [0x80, 201, 0, 1, 1, 2, 3, 4, 0x81, 202, 0, 6]);
        assert_eq!(empty.len(), 36);
        let block = ReportBlock {
            ssrc: 1,
            fraction_lost: 2,
            lost: -3,
            highest: 4,
            jitter: 5,
            last_report: 6,
            since_report: 7,
        };
        let whole = reporter.compound(Some(block), true);
        assert_eq!(whole[..8], [0x81, 201, 0, 7, 1, 2, 3, 4]);
        let block = [0, 0, 0, 1, 2, 255, 255, 253, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7];
        assert_eq!(whole[8..32], block);
        assert_eq!(whole[36..47], *b"\x01\x02\x03\x04\x01\x1001020");
        assert_eq!(whole[60..], [0x81, 203, 0, 1, 1, 2, 3, 4]);
    }

    proptest! {
        #[test]
        fn no_packets_make_it_panic(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..50),
            numbers in prop::collection::vec(any::<(u16, u32)>(), 1..50),
        ) {
            let now = Instant::now();
            let mut receiver = Receiver::new(Some(u32::MAX));
            for packet in packets {
                receiver.rtp(&packet, now);
                receiver.rtcp(&packet, now);
                receiver.block(now);
            }
            for (sequence, stamp) in numbers {
                prop_assert!(receiver.rtp(&packet(sequence, stamp, 1), now));
                prop_assert!(receiver.block(now).is_some());
            }
        }
    }
}
