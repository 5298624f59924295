//! Finds packets that came back in a loop, so that they are not forwarded again and again.
//!
//! A forwarded packet may come back in spite of all care: through a group that it was never meant to
//! reach, or through a program on another host. So each source remembers its recent packets. If one
//! comes again from the same sender, it is a duplicate, as networks make them, and passes. From any
//! other sender it came back, and is dropped.
//!
//! The kernel is asked for senders only for a moment after a stream begins, and while packets repeat.
//! Otherwise the guard costs one stored number per packet.

use crate::recent::Recent;
use rtp::{Header, Packet, rtcp};
use std::hash::{DefaultHasher, Hasher};
use std::net::SocketAddr;

/// How many packets a track remembers at first: three seconds of an ordinary video.
const WINDOW: usize = 1024;

/// For how many batches the kernel is asked for senders after a stream begins or a packet repeats.
const WATCH: u8 = 32;

/// After how many milliseconds without a new packet another sender may take over: a restarted
/// encoder may send the same packets again. All looped packets have come back by then.
const SILENCE: u64 = 3000;

/// How often a sender report may repeat while its sender is unknown: a network may duplicate it.
const REPEATS: u8 = 2;

/// How many SSRCs are followed: media may share a port.
const TRACKS: usize = 2;

/// The recent packets of one source.
#[derive(Debug)]
pub(crate) struct LoopGuard {
    tracks: [Option<Track>; TRACKS],
    reports: [Option<Report>; TRACKS],
    /// The track or report that the next new SSRC replaces.
    next: usize,
    /// For how many more batches senders are wanted.
    watch: u8,
}

/// The recent packets of one SSRC.
#[derive(Debug)]
struct Track {
    ssrc: u32,
    recent: Recent<u16>,
    /// The sender of new packets, if it is known.
    sender: Option<SocketAddr>,
    /// When the last new packet came, in coarse milliseconds.
    last_new: u64,
}

/// The last sender report of one SSRC.
#[derive(Debug)]
struct Report {
    ssrc: u32,
    /// A hash of the whole packet. Most encoders put another time into each report.
    mark: u64,
    /// Its sender, if it is known.
    sender: Option<SocketAddr>,
    /// When that sender last sent it, in coarse milliseconds.
    last: u64,
    repeats: u8,
}

impl Default for LoopGuard {
    fn default() -> Self {
        Self { tracks: [None, None], reports: [None, None], next: 0, watch: WATCH }
    }
}

impl LoopGuard {
    /// Whether the senders of the next batch are wanted: always if only RTCP comes, which is rare.
    pub(crate) fn wants_senders(&self) -> bool {
        let only_reports = self.tracks[0].is_none() && self.tracks[1].is_none();
        self.watch > 0 || (only_reports && self.reports.iter().any(Option::is_some))
    }

    /// A batch is over.
    pub(crate) fn next_batch(&mut self) {
        self.watch = self.watch.saturating_sub(1);
    }

    /// Takes in a datagram that came at `now`, in coarse milliseconds. `sender` is `None` unless the
    /// kernel was asked for it. True if the datagram came back in a loop.
    pub(crate) fn is_returned(
        &mut self,
        packet: Packet,
        datagram: &[u8],
        sender: Option<SocketAddr>,
        now: u64,
    ) -> bool {
        match packet {
            Packet::Rtp(header) => self.is_rtp_returned(header, short_mark(datagram), sender, now),
            Packet::Rtcp => rtcp::sender_report(datagram).is_some_and(|report| {
                self.is_report_returned(report.ssrc, mark(datagram), sender, now)
            }),
            Packet::Other => false,
        }
    }

    fn is_rtp_returned(
        &mut self,
        header: Header,
        mark: u16,
        sender: Option<SocketAddr>,
        now: u64,
    ) -> bool {
        let Header { ssrc, sequence, .. } = header;
        let known =
            self.tracks.iter().position(|track| track.as_ref().is_some_and(|t| t.ssrc == ssrc));
        let at = known.unwrap_or_else(|| self.begin(ssrc, now));
        let Some(track) = &mut self.tracks[at] else { return false };
        if track.recent.remember(sequence, mark, now) {
            track.last_new = now;
            track.sender = sender.or(track.sender);
            return false;
        }
        self.watch = WATCH;
        let Some((first, sender)) = track.sender.zip(sender) else { return false };
        if now.saturating_sub(track.last_new) >= SILENCE {
            track.sender = Some(sender);
            return false;
        }
        first != sender
    }

    /// Begins to follow an SSRC, in place of another if there are too many. Returns its index.
    fn begin(&mut self, ssrc: u32, now: u64) -> usize {
        self.next = (self.next + 1) % TRACKS;
        // SSRCs that take turns must not cost an allocation each time.
        let old = self.tracks[self.next].take().map(|old| old.recent);
        let mut recent = old.unwrap_or_else(|| Recent::new(WINDOW));
        recent.clear(WINDOW, now);
        self.tracks[self.next] = Some(Track { ssrc, recent, sender: None, last_new: now });
        self.watch = WATCH;
        self.next
    }

    /// Some encoders send the same report again and again. From its own sender that is no loop.
    fn is_report_returned(
        &mut self,
        ssrc: u32,
        mark: u64,
        sender: Option<SocketAddr>,
        now: u64,
    ) -> bool {
        let new = Report { ssrc, mark, sender, last: now, repeats: 0 };
        let known = self.reports.iter_mut().flatten().find(|report| report.ssrc == ssrc);
        let Some(report) = known else {
            self.next = (self.next + 1) % TRACKS;
            self.reports[self.next] = Some(new);
            return false;
        };
        if report.mark != mark || now.saturating_sub(report.last) >= SILENCE {
            *report = new;
            return false;
        }
        self.watch = WATCH;
        report.repeats = report.repeats.saturating_add(1);
        match report.sender.zip(sender) {
            Some((own, sender)) if own == sender => {
                report.last = now;
                false
            }
            Some(_) => true,
            None => report.repeats > REPEATS,
        }
    }
}

/// A hash that tells an RTP packet from others of its SSRC: of its header, its length and the
/// beginning of its payload, because a restarted encoder may reuse sequence numbers. Never 0.
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

#[cfg(test)]
#[path = "loop_guard/tests.rs"] // The benchmark includes this file by its path.
mod tests;
