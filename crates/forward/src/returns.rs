//! Packets that come back: that a source has had already, and that another host sends here again.
//!
//! Whatever is forwarded may find its way back in spite of all care: through a group that it was
//! never meant to reach, or a program on another host. Sent on again, it would go round for ever.
//! So each source remembers what came lately. A packet that comes again from the one who sent it is
//! a duplicate such as networks make, and passes; from anybody else it has come back, and ends here.
//!
//! Who sent a packet is asked of the kernel only for a moment when a stream begins, and while packets
//! come again: otherwise none of this costs more than a bit to set.

use crate::rtcp;
use rtp_rs::RtpReader;
use std::hash::{DefaultHasher, Hasher};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};

/// How many sequence numbers back are remembered.
const WINDOW: u16 = 4096;
const WORDS: usize = WINDOW as usize / 64;

/// For how many batches senders are asked for since a stream began or a packet came again.
const WATCH: u8 = 32;

/// How often a sender report may come again. Nobody sends one twice, but a network may double it.
const REPEATS: u8 = 2;

/// Where medias share a port there are as many SSRCs. More than these would be forgotten at once.
const TRACKS: usize = 2;

/// What came lately at one source.
#[derive(Debug, Default)]
pub(crate) struct Returns {
    tracks: [Option<Track>; TRACKS],
    reports: [Option<Report>; TRACKS],
    /// The track and the report that the next new SSRC takes the place of.
    next: usize,
    /// Batches left to ask senders for.
    watch: u8,
}

/// The recent packets of one SSRC.
#[derive(Debug)]
struct Track {
    ssrc: u32,
    newest: u16,
    /// A bit for each of the last sequence numbers, by the number's remainder.
    seen: [u64; WORDS],
    /// The one who sends what is new, as far as that is known.
    sender: Option<SocketAddr>,
    /// The number after one that was far behind: if it comes, the sequence began anew.
    awaited: Option<u16>,
}

/// The last sender report of one SSRC.
#[derive(Debug)]
struct Report {
    ssrc: u32,
    /// A hash of all of its packet: the time in it makes each another one.
    mark: u64,
    repeats: u8,
}

impl Returns {
    /// Whether the senders of the next batch are wanted.
    pub(crate) fn wants_senders(&self) -> bool {
        self.watch > 0
    }

    /// A batch is over.
    pub(crate) fn next_batch(&mut self) {
        self.watch = self.watch.saturating_sub(1);
    }

    /// Sees a datagram, with its sender where that is known; true if it has come back.
    pub(crate) fn see(&mut self, datagram: &[u8], sender: Option<SocketAddr>) -> bool {
        if rtcp::is_rtcp(datagram) {
            let sender = rtcp::reporting_sender(datagram);
            return sender.is_some_and(|ssrc| self.see_report(ssrc, mark(datagram)));
        }
        let Ok(packet) = RtpReader::new(datagram) else { return false };
        self.see_packet(packet.ssrc(), packet.sequence_number().into(), sender)
    }

    fn see_packet(&mut self, ssrc: u32, number: u16, sender: Option<SocketAddr>) -> bool {
        let Some(track) = self.tracks.iter_mut().flatten().find(|track| track.ssrc == ssrc) else {
            self.next = (self.next + 1) % TRACKS;
            self.tracks[self.next] = Some(Track::begin(ssrc, number, sender));
            self.watch = WATCH;
            return false;
        };
        if !track.repeats(number, sender) {
            return false;
        }
        self.watch = WATCH;
        track.sender.zip(sender).is_some_and(|(first, sender)| first != sender)
    }

    fn see_report(&mut self, ssrc: u32, mark: u64) -> bool {
        let known = self.reports.iter_mut().flatten().find(|report| report.ssrc == ssrc);
        let Some(report) = known else {
            self.next = (self.next + 1) % TRACKS;
            self.reports[self.next] = Some(Report { ssrc, mark, repeats: 0 });
            return false;
        };
        if report.mark != mark {
            *report = Report { ssrc, mark, repeats: 0 };
            return false;
        }
        report.repeats = report.repeats.saturating_add(1);
        self.watch = WATCH;
        report.repeats > REPEATS
    }
}

impl Track {
    fn begin(ssrc: u32, number: u16, sender: Option<SocketAddr>) -> Track {
        let mut seen = [0; WORDS];
        let (word, bit) = place(number);
        seen[word] = bit;
        Track { ssrc, newest: number, seen, sender, awaited: None }
    }

    /// Takes a packet in; true if it was there before.
    fn repeats(&mut self, number: u16, sender: Option<SocketAddr>) -> bool {
        let step = number.wrapping_sub(self.newest).cast_signed();
        let (word, bit) = place(number);
        if step > 0 {
            self.forget(step.unsigned_abs());
            self.newest = number;
            self.sender = sender.or(self.sender);
        } else if step.unsigned_abs() >= WINDOW {
            if self.awaited == Some(number) {
                *self = Track::begin(self.ssrc, number, sender);
            } else {
                self.awaited = Some(number.wrapping_add(1));
            }
            return false;
        }
        self.awaited = None;
        let there = self.seen[word] & bit != 0;
        self.seen[word] |= bit;
        there
    }

    /// Makes room for so many numbers after the newest.
    fn forget(&mut self, step: u16) {
        if step >= WINDOW {
            self.seen = [0; WORDS];
            return;
        }
        for ahead in 1..=step {
            let (word, bit) = place(self.newest.wrapping_add(ahead));
            self.seen[word] &= !bit;
        }
    }
}

fn mark(datagram: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(datagram);
    hasher.finish()
}

/// The word and the bit of a sequence number.
fn place(number: u16) -> (usize, u64) {
    let at = number % WINDOW;
    (usize::from(at / 64), 1 << (at % 64))
}

/// The one who sent a packet back, on its way from the worker to whoever asks. The worker puts one
/// in only when the last has been taken out, so that neither waits for the other.
#[derive(Debug, Default)]
pub(crate) struct Sighting {
    full: AtomicBool,
    high: AtomicU64,
    low: AtomicU64,
    port: AtomicU16,
}

impl Sighting {
    pub(crate) fn put(&self, sender: SocketAddr) {
        if self.full.load(Ordering::Acquire) {
            return;
        }
        let address = match sender.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        let [high, low] = halves(address);
        self.high.store(high, Ordering::Relaxed);
        self.low.store(low, Ordering::Relaxed);
        self.port.store(sender.port(), Ordering::Relaxed);
        self.full.store(true, Ordering::Release);
    }

    pub(crate) fn take(&self) -> Option<SocketAddr> {
        if !self.full.load(Ordering::Acquire) {
            return None;
        }
        let (high, low) = (self.high.load(Ordering::Relaxed), self.low.load(Ordering::Relaxed));
        let address = Ipv6Addr::from(u128::from(high) << 64 | u128::from(low));
        let sender =
            SocketAddr::new(IpAddr::V6(address).to_canonical(), self.port.load(Ordering::Relaxed));
        self.full.store(false, Ordering::Release);
        Some(sender)
    }
}

fn halves(address: Ipv6Addr) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h] = address.segments().map(u64::from);
    [a << 48 | b << 32 | c << 16 | d, e << 48 | f << 32 | g << 16 | h]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoder() -> SocketAddr {
        "10.9.0.2:40000".parse().unwrap()
    }

    fn stranger() -> SocketAddr {
        "[2001:db8::7]:9".parse().unwrap()
    }

    /// As the ingest does: the sender is told only where it is wanted; each packet a batch.
    fn see(returns: &mut Returns, number: u16, sender: SocketAddr) -> bool {
        let sender = returns.wants_senders().then_some(sender);
        let back = returns.see_packet(7, number, sender);
        returns.next_batch();
        back
    }

    fn report(time: u8, more: usize) -> Vec<u8> {
        let mut report = vec![0x80, 200, 0, 6, 0, 0, 0, 7, time];
        report.resize(28 + more, 0);
        report
    }

    #[test]
    fn a_packet_from_another_sender_has_come_back_and_a_duplicate_has_not() {
        let mut returns = Returns::default();
        for number in 0..100 {
            assert!(!see(&mut returns, number, encoder()));
            assert!(!see(&mut returns, number, encoder()), "a duplicate");
        }
        let mut back = 0;
        for number in 100..200 {
            assert!(!see(&mut returns, number, encoder()));
            back += u32::from(see(&mut returns, number, stranger()));
        }
        assert_eq!(back, 100);
    }

    #[test]
    fn one_packet_does_not_go_round() {
        let mut returns = Returns::default();
        (0..100).for_each(|number| assert!(!see(&mut returns, number, encoder())));
        assert!(!returns.wants_senders());
        let passed = (0..100).filter(|_| !see(&mut returns, 99, stranger())).count();
        assert_eq!(passed, 1, "the first only arouses suspicion");
        let passed = (0..100).filter(|_| !see(&mut returns, 99, encoder())).count();
        assert_eq!(passed, 100, "who sent it may send it again");
    }

    #[test]
    fn nobody_is_asked_for_while_all_is_new() {
        let mut returns = Returns::default();
        assert!(!see(&mut returns, 0, encoder()));
        (0..WATCH).for_each(|_| returns.next_batch());
        for number in [1, 2, 5, 3, 4, 6, 7000, 7001, 60_000, 60_001, 30_000, 30_001] {
            assert!(!see(&mut returns, number, encoder()));
            assert!(!returns.wants_senders(), "{number}");
        }
        see(&mut returns, 30_001, encoder());
        assert!(returns.wants_senders());
        (0..WATCH).for_each(|_| returns.next_batch());
        assert!(!returns.wants_senders());
    }

    #[test]
    fn medias_on_one_port_are_told_apart() {
        let mut returns = Returns::default();
        let mut back = 0;
        for number in 0..50 {
            for ssrc in [7, 8] {
                assert!(!returns.see_packet(ssrc, number, Some(encoder())));
                back += u32::from(returns.see_packet(ssrc, number, Some(stranger())));
            }
        }
        assert_eq!(back, 100);
    }

    #[test]
    fn a_sender_report_does_not_go_round_for_ever() {
        let mut returns = Returns::default();
        let mut passed = |report: &[u8]| (0..9).filter(|_| !returns.see(report, None)).count();
        assert_eq!(passed(&report(1, 0)), 3);
        assert_eq!(passed(&report(2, 0)), 3);
        assert_eq!(passed(&report(2, 4)), 3);
        let receiver = [0x80, 201, 0, 1, 0, 0, 0, 7];
        assert_eq!(passed(&receiver), 9);
    }

    #[test]
    fn a_sighting_is_kept_until_it_is_taken() {
        let sighting = Sighting::default();
        assert_eq!(sighting.take(), None);
        sighting.put(encoder());
        sighting.put(stranger());
        assert_eq!(sighting.take(), Some(encoder()));
        assert_eq!(sighting.take(), None);
        sighting.put(stranger());
        assert_eq!(sighting.take(), Some(stranger()));
    }

    proptest! {
        #[test]
        fn exactly_what_was_there_is_there_again(
            start: u16,
            steps in prop::collection::vec(-50_i16..60, 1..500),
        ) {
            let mut track = Track::begin(7, start, None);
            let (mut seen, mut at) = (std::collections::HashSet::from([start]), start);
            for step in steps {
                at = at.wrapping_add_signed(step);
                // Only those within the window are remembered.
                let behind = track.newest.wrapping_sub(at).cast_signed();
                let expected = seen.contains(&at);
                if behind < WINDOW.cast_signed() {
                    prop_assert_eq!(track.repeats(at, None), expected);
                    seen.insert(at);
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic(all in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..50)) {
            let mut returns = Returns::default();
            for bytes in all {
                returns.see(&bytes, None);
            }
        }
    }
}
