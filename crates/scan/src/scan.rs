//! Listening to many media at once.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use control::{ScanAnswer, ScanFault, ScanResult, ScannedMedia, ScannedStream};
use forward::{OpenError, Plane, Settings, Source, StartError, Tap, Tapped};
use rtp::Packet;

use crate::media::Media;
use crate::tally::Tally;

/// How many datagrams may wait to be counted: a second of a busy stream.
const ROOM: usize = 8192;
/// The receive buffer of each source of a plane of the scan's own, in bytes.
const RECEIVE_BUFFER: usize = 1 << 20;

/// Whether a scan goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// Yes.
    On,
    /// No source is left: none could be opened, or the scan is quick and every media is active.
    Over,
}

/// A scan that runs. A flow that opens or closes meanwhile is not disturbed, even where its source
/// is a unicast port.
pub struct Scan {
    media: Vec<Media>,
    /// One for each media.
    tallies: Vec<Tally>,
    began: Instant,
    tapped: Receiver<Tapped>,
    /// By a tap's number: the indices of its media, and the tap while one of them needs it.
    taps: Vec<(Vec<usize>, Option<Tap>)>,
    quick: bool,
    /// Dropped after the taps.
    own: Option<Plane>,
}

impl Scan {
    /// Begins to listen to every source of these media, on a plane. If `quick`, the scan stops
    /// listening to a media that is active for sure.
    pub fn on(plane: &Plane, media: Vec<Media>, quick: bool) -> Self {
        let mut tallies: Vec<Tally> = media.iter().map(|_| Tally::default()).collect();
        let began = Instant::now();
        let (sources, shares): (Vec<Source>, Vec<Vec<usize>>) = sources(&media).into_iter().unzip();
        let (to, tapped) = sync_channel(ROOM);
        let mut taps = Vec::with_capacity(sources.len());
        for ((tap, source), share) in plane.tap(&sources, &to).into_iter().zip(&sources).zip(shares)
        {
            if let Err(error) = &tap {
                let fault = fault(source, error);
                share.iter().for_each(|at| tallies[*at].faults.push(fault.clone()));
            }
            taps.push((share, tap.ok()));
        }
        Self { media, tallies, began, tapped, taps, quick, own: None }
    }

    /// The same, on a plane of its own: for a process that has none.
    pub fn alone(media: Vec<Media>, quick: bool) -> Result<Self, StartError> {
        let settings =
            Settings { workers: 1, receive_buffer: RECEIVE_BUFFER, ..Settings::default() };
        let plane = Plane::start(settings, |_| {})?;
        let mut scan = Self::on(&plane, media, quick);
        scan.own = Some(plane);
        Ok(scan)
    }

    /// Listens for this long, or until no source is left. May be called again.
    pub fn listen(&mut self, time: Duration) -> Listening {
        let deadline = Instant::now().checked_add(time);
        while self.taps.iter().any(|(_, tap)| tap.is_some()) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match self.tapped.recv_timeout(left.unwrap_or(Duration::MAX)) {
                Ok(tapped) => self.take(tapped),
                Err(RecvTimeoutError::Timeout) => return Listening::On,
                // The plane has stopped.
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if left == Some(Duration::ZERO) {
                return Listening::On;
            }
        }
        Listening::Over
    }

    /// Counts a datagram for the media that arrive where it came. RTP that another media of the same
    /// stream lists does not concern the others.
    fn take(&mut self, Tapped { tap, packet, length, sender }: Tapped) {
        let at = self.began.elapsed();
        let Self { media, tallies, taps, quick, .. } = self;
        let Some((share, _)) = taps.get(tap) else { return };
        for &index in share {
            let (Some(own), Some(tally)) = (media.get(index), tallies.get_mut(index)) else {
                continue;
            };
            if tally.ended.is_some() {
                continue;
            }
            match packet {
                Packet::Rtp(header) if own.lists(header.payload_type) => {
                    tally.add(header, true, length, sender, at);
                    if *quick && tally.is_sure() {
                        tally.ended = Some(at);
                    }
                }
                Packet::Rtp(header) => {
                    let others = share.iter().filter_map(|index| media.get(*index));
                    let mut same = others.filter(|other| other.stream == own.stream);
                    if !same.any(|other| other.lists(header.payload_type)) {
                        tally.add(header, false, length, sender, at);
                    }
                }
                Packet::Rtcp => {}
                Packet::Other => tally.add_stranger(),
            }
        }
        let ended = |index: &usize| tallies.get(*index).is_none_or(|tally| tally.ended.is_some());
        if *quick && share.iter().any(ended) {
            taps.iter_mut().for_each(|(share, tap)| {
                tap.take_if(|_| share.iter().all(ended));
            });
        }
    }

    /// What arrived of each media so far, in the order in which they were given.
    pub fn results(&self) -> Vec<ScanResult> {
        let now = self.began.elapsed();
        let mut all: Vec<_> = self.tallies.iter().map(|tally| tally.result(now)).collect();
        for (share, tap) in &self.taps {
            let missed = tap.as_ref().map_or(0, Tap::missed);
            for at in share {
                all[*at].drops += missed;
            }
        }
        all
    }

    /// The results as the daemon's answer. The media of a stream must follow each other.
    pub fn answer(&self) -> ScanAnswer {
        let mut streams: Vec<ScannedStream> = Vec::new();
        for (media, result) in self.media.iter().zip(self.results()) {
            let scanned = ScannedMedia { media: media.label.clone(), from: media.from(), result };
            match streams.last_mut().filter(|last| last.name == media.stream) {
                Some(last) => last.media.push(scanned),
                None => {
                    streams
                        .push(ScannedStream { name: media.stream.clone(), media: vec![scanned] });
                }
            }
        }
        ScanAnswer { streams }
    }
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("media", &self.media.len()).finish_non_exhaustive()
    }
}

/// Every source of these media once, with the indices of its media.
fn sources(media: &[Media]) -> Vec<(Source, Vec<usize>)> {
    let mut sources: Vec<(Source, Vec<usize>)> = Vec::new();
    let mut known: HashMap<&Source, usize> = HashMap::new();
    for (index, media) in media.iter().enumerate() {
        for source in &media.sources {
            let at = *known.entry(source).or_insert(sources.len());
            match sources.get_mut(at) {
                Some((_, share)) => share.push(index),
                None => sources.push((source.clone(), vec![index])),
            }
        }
    }
    sources
}

fn fault(source: &Source, error: &OpenError) -> ScanFault {
    match error {
        // Many programs may join a group, so for a group this error has another cause.
        OpenError::Source { error, .. }
            if error.kind() == io::ErrorKind::AddrInUse && !source.address.is_multicast() =>
        {
            ScanFault::Busy(source.to_string())
        }
        error => ScanFault::Failed(error.to_string()),
    }
}
