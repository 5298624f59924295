//! Packets that come back: that a source has had already, and that another host sends here again.
//!
//! Whatever is forwarded may find its way back in spite of all care: through a group that it was
//! never meant to reach, or a program on another host. Sent on again, it would go round for ever.
//! So each source remembers what came lately. A packet that comes again from the one who sent it is
//! a duplicate such as networks make, and passes; from anybody else it has come back, and ends here.
//!
//! Who sent a packet is asked of the kernel only for a moment when a stream begins, and while packets
//! come again: otherwise none of this costs more than a number to note.

use rtp::{Header, Packet, rtcp};
use std::hash::{DefaultHasher, Hasher};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};

/// How many packets are remembered at first: three seconds of an ordinary video.
const WINDOW: usize = 1024;

/// For how many milliseconds packets are to be remembered, which is longer than a way back should
/// take. Where they come too fast for the room there is, more is made.
const SPAN: u64 = 2000;

/// Room grows to so many times as much at once at most, for it may have been a burst.
const STEP: usize = 8;

/// The most room there is: a place for every sequence number, a second of half a gigabit.
const LARGEST: usize = 1 << 16;

/// For how many batches senders are asked for since a stream began or a packet came again.
const WATCH: u8 = 32;

/// After how many milliseconds without anything new whoever sends on is the sender: an encoder that
/// begins anew may well send the same again. What was on its way back has come by then.
const SILENCE: u64 = 3000;

/// How often a sender report may come again. Nobody sends one twice, but a network may double it.
const REPEATS: u8 = 2;

/// Where medias share a port there are as many SSRCs. More than these would be forgotten at once.
const TRACKS: usize = 2;

/// What came lately at one source.
#[derive(Debug, Default)]
pub(crate) struct Returns {
    tracks: [Option<Track>; TRACKS],
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
    /// Their marks, by as many of the sequence number's low bits as there is room for; 0 is none.
    seen: Vec<u16>,
    /// How many new ones came since `turned`.
    news: usize,
    /// When all places were last gone through, in coarse milliseconds.
    turned: u64,
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
            Packet::Rtcp => rtcp::sender_report(datagram)
                .is_some_and(|report| self.see_report(report.ssrc, mark(datagram))),
            Packet::Other => false,
        }
    }

    fn see_rtp(&mut self, header: Header, mark: u16, sender: Option<SocketAddr>, now: u64) -> bool {
        let Header { ssrc, sequence, .. } = header;
        let known =
            self.tracks.iter().position(|track| track.as_ref().is_some_and(|t| t.ssrc == ssrc));
        let at = known.unwrap_or_else(|| self.begin(ssrc, now));
        let Some(track) = &mut self.tracks[at] else { return false };
        if track.note(sequence, mark, now) {
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

    /// Follows one more SSRC, in the place of another if there are many; gives its place.
    fn begin(&mut self, ssrc: u32, now: u64) -> usize {
        self.next = (self.next + 1) % TRACKS;
        // Two that take turns must not cost an allocation each time.
        let mut seen = self.tracks[self.next].take().map(|old| old.seen).unwrap_or_default();
        seen.clear();
        seen.resize(WINDOW, 0);
        self.tracks[self.next] =
            Some(Track { ssrc, seen, news: 0, turned: now, sender: None, fresh: now });
        self.watch = WATCH;
        self.next
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
    /// Notes a packet; false if it is one that came before.
    fn note(&mut self, sequence: u16, mark: u16, now: u64) -> bool {
        let place = usize::from(sequence) & (self.seen.len() - 1);
        if std::mem::replace(&mut self.seen[place], mark) == mark {
            return false;
        }
        self.news += 1;
        if self.news == self.seen.len() {
            self.turn(sequence, now);
        }
        true
    }

    /// Makes room for what comes within [`SPAN`], if the last `news` packets came faster than that.
    fn turn(&mut self, last: u16, now: u64) {
        let took = now.saturating_sub(self.turned).max(1);
        let times = usize::try_from(SPAN.div_ceil(took)).unwrap_or(STEP).min(STEP);
        let old = self.seen.len();
        let room = (old * times.next_power_of_two()).min(LARGEST);
        if room > old {
            let mut seen = vec![0; room];
            for number in (0..old).map(|ago| usize::from(last).wrapping_sub(ago)) {
                seen[number & (room - 1)] = self.seen[number & (old - 1)];
            }
            self.seen = seen;
        }
        (self.news, self.turned) = (0, now);
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
#[path = "returns/tests.rs"] // For the benchmark, which takes this file in by its path.
mod tests;
