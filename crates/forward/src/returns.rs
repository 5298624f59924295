//! Packets that come back: that a source has had already, and that another host sends here again.
//!
//! Whatever is forwarded may find its way back in spite of all care: through a group that it was
//! never meant to reach, or a program on another host. Sent on again, it would go round for ever.
//! So each source remembers what came lately. A packet that comes again from the one who sent it is
//! a duplicate such as networks make, and passes; from anybody else it has come back, and ends here.
//!
//! Who sent a packet is asked of the kernel only for a moment when a stream begins, and while packets
//! come again: otherwise none of this costs more than a number to note.

use crate::packet::{Header, Packet};
use crate::rtcp;
use std::hash::{DefaultHasher, Hasher};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};

/// How many packets are remembered.
const WINDOW: usize = 1024;

/// For how many batches senders are asked for since a stream began or a packet came again.
const WATCH: u8 = 32;

/// After how many milliseconds without anything new whoever sends on is the sender: an encoder that
/// begins anew may well send the same again.
const SILENCE: u64 = 1000;

/// How often a sender report may come again. Nobody sends one twice, but a network may double it.
const REPEATS: u8 = 2;

/// Where medias share a port there are as many SSRCs. More than these would be forgotten at once.
const TRACKS: usize = 2;

/// What came lately at one source.
#[derive(Debug, Default)]
pub(crate) struct Returns {
    tracks: [Option<Box<Track>>; TRACKS],
    reports: [Option<Report>; TRACKS],
    /// The track or the report that the next new SSRC takes the place of.
    next: usize,
    /// Batches left to ask senders for.
    watch: u8,
}

/// The recent packets of one SSRC.
#[derive(Debug)]
struct Track {
    ssrc: u32,
    /// Their marks, by sequence number; 0 is none.
    seen: [u16; WINDOW],
    /// The one who sends what is new, as far as that is known.
    sender: Option<SocketAddr>,
    /// When the last new packet came, in coarse milliseconds.
    fresh: u64,
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

    /// Sees a datagram that came at `now` (in coarse milliseconds), and that was read as `packet`,
    /// with its sender where that is known; true if it has come back.
    pub(crate) fn see(
        &mut self,
        packet: Packet,
        datagram: &[u8],
        sender: Option<SocketAddr>,
        now: u64,
    ) -> bool {
        match packet {
            Packet::Rtp(header) => self.see_rtp(header, short_mark(datagram), sender, now),
            Packet::Rtcp => rtcp::reporting_sender(datagram)
                .is_some_and(|ssrc| self.see_report(ssrc, mark(datagram))),
            Packet::Stranger => false,
        }
    }

    fn see_rtp(&mut self, header: Header, mark: u16, sender: Option<SocketAddr>, now: u64) -> bool {
        let Header { ssrc, sequence, .. } = header;
        let Some(track) = self.tracks.iter_mut().flatten().find(|track| track.ssrc == ssrc) else {
            self.begin(ssrc);
            return false;
        };
        let place = usize::from(sequence) % WINDOW;
        if track.seen[place] != mark {
            track.seen[place] = mark;
            track.fresh = now;
            track.sender = sender.or(track.sender);
            return false;
        }
        self.watch = WATCH;
        let Some((first, sender)) = track.sender.zip(sender) else { return false };
        if now.saturating_sub(track.fresh) >= SILENCE {
            track.sender = Some(sender);
            return false;
        }
        first != sender
    }

    /// Follows one more SSRC, in the place of another if there are many.
    fn begin(&mut self, ssrc: u32) {
        self.next = (self.next + 1) % TRACKS;
        let track = Track { ssrc, seen: [0; WINDOW], sender: None, fresh: 0 };
        match &mut self.tracks[self.next] {
            // Two that take turns must not cost an allocation each time.
            Some(old) => **old = track,
            none => *none = Some(Box::new(track)),
        }
        self.watch = WATCH;
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

/// Tells an RTP packet from others of its SSRC by its header, its length and how its payload begins:
/// an encoder that begins anew may use the numbers of before. Never 0.
fn short_mark(datagram: &[u8]) -> u16 {
    let mut begin = [0; 32];
    let length = datagram.len().min(begin.len());
    begin[..length].copy_from_slice(&datagram[..length]);
    let (words, _) = begin.as_chunks::<8>();
    let mark = words.iter().fold(datagram.len() as u64, |mark, word| {
        let mixed = (mark ^ u64::from_ne_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed.rotate_left(29)
    });
    let [high, low, ..] = mark.to_be_bytes();
    u16::from_be_bytes([high, low]).max(1)
}

fn mark(datagram: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(datagram);
    hasher.finish()
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

    fn read(returns: &mut Returns, packet: &[u8], sender: Option<SocketAddr>) -> bool {
        returns.see(Packet::read(packet), packet, sender, 5)
    }

    /// As the ingest does: the sender is told only where it is wanted; each packet a batch.
    fn see(returns: &mut Returns, packet: &[u8], sender: SocketAddr, now: u64) -> bool {
        let sender = returns.wants_senders().then_some(sender);
        let back = returns.see(Packet::read(packet), packet, sender, now);
        returns.next_batch();
        back
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
    fn a_packet_from_another_sender_has_come_back_and_a_duplicate_has_not() {
        let mut returns = Returns::default();
        for number in 0..100 {
            assert!(!see(&mut returns, &rtp(7, number, 1), encoder(), 5));
            assert!(!see(&mut returns, &rtp(7, number, 1), encoder(), 5), "a duplicate");
        }
        for number in 100..200 {
            assert!(!see(&mut returns, &rtp(7, number, 1), encoder(), 5));
            assert!(see(&mut returns, &rtp(7, number, 1), stranger(), 5));
        }
    }

    #[test]
    fn one_packet_does_not_go_round() {
        let mut returns = Returns::default();
        for number in 0..100 {
            assert!(!see(&mut returns, &rtp(7, number, 1), encoder(), 5));
        }
        assert!(!returns.wants_senders(), "nobody is asked for while all is new");
        let mut passed =
            |sender| (0..100).filter(|_| !see(&mut returns, &rtp(7, 99, 1), sender, 6)).count();
        assert_eq!(passed(stranger()), 1, "the first only arouses suspicion");
        assert_eq!(passed(encoder()), 100, "who sent it may send it again");
    }

    #[test]
    fn an_encoder_that_begins_anew_loses_nothing() {
        let mut returns = Returns::default();
        let mut passed = |sender, content, now| {
            let packets = (0..500).map(|number| rtp(7, number, content));
            packets.filter(|packet| !see(&mut returns, packet, sender, now)).count()
        };
        assert_eq!(passed(encoder(), 1, 1000), 500);
        assert_eq!(passed(stranger(), 2, 1001), 500, "other content");
        assert_eq!(passed(encoder(), 2, 3000), 500, "the same, after a while");
    }

    #[test]
    fn medias_on_one_port_are_told_apart() {
        let mut returns = Returns::default();
        let mut back = 0;
        for number in 0..50 {
            for ssrc in [7, 8] {
                assert!(!read(&mut returns, &rtp(ssrc, number, 1), Some(encoder())));
                back += u32::from(read(&mut returns, &rtp(ssrc, number, 1), Some(stranger())));
            }
        }
        // Of each the first packet is not remembered.
        assert_eq!(back, 98);
    }

    #[test]
    fn a_sender_report_does_not_go_round_for_ever() {
        let mut returns = Returns::default();
        let mut passed =
            |report: &[u8]| (0..9).filter(|_| !read(&mut returns, report, None)).count();
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
        fn no_bytes_make_it_panic(all in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..50)) {
            let mut returns = Returns::default();
            for bytes in all {
                read(&mut returns, &bytes, None);
            }
        }
    }
}
