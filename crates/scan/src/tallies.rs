//! What has come in for all medias.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use forward::Source;
use rtp::Packet;

use crate::deaf::Deaf;
use crate::heard::Heard;
use crate::media::Media;
use crate::tally::Tally;

/// The medias that are listened for, each with its count.
#[derive(Debug)]
pub(crate) struct Tallies {
    medias: Vec<Media>,
    /// One for each media.
    tallies: Vec<Tally>,
    began: Instant,
}

/// A source, and the places among all of the medias that arrive there.
pub(crate) type Shared = (Source, Vec<usize>);

/// A datagram that came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    pub(crate) packet: Packet,
    /// In bytes.
    pub(crate) length: usize,
    pub(crate) from: SocketAddr,
    /// How many were dropped before it.
    pub(crate) drops: u32,
}

impl Tallies {
    pub(crate) fn new(medias: Vec<Media>) -> Self {
        let tallies = medias.iter().map(|_| Tally::default()).collect();
        Self { medias, tallies, began: Instant::now() }
    }

    /// How many medias there are.
    pub(crate) fn count(&self) -> usize {
        self.medias.len()
    }

    /// Every source of these medias, once.
    pub(crate) fn sources(&self) -> Vec<Shared> {
        let mut sources: Vec<Shared> = Vec::new();
        let mut known: HashMap<&Source, usize> = HashMap::new();
        for (place, media) in self.medias.iter().enumerate() {
            for source in &media.sources {
                let at = *known.entry(source).or_insert(sources.len());
                match sources.get_mut(at) {
                    Some((_, places)) => places.push(place),
                    None => sources.push((source.clone(), vec![place])),
                }
            }
        }
        sources
    }

    /// A source of these medias can't be listened to.
    pub(crate) fn miss(&mut self, places: &[usize], deaf: &Deaf) {
        for place in places {
            if let Some(tally) = self.tallies.get_mut(*place) {
                tally.deaf.push(deaf.clone());
            }
        }
    }

    /// Tells a datagram to the medias that arrive where it came. RTP that another media of the same
    /// stream lists is that one's business alone.
    pub(crate) fn tell(&mut self, places: &[usize], arrived: Arrived) {
        let at = self.began.elapsed();
        let Self { medias, tallies, .. } = self;
        let Arrived { packet, length, from, drops } = arrived;
        for &place in places {
            let (Some(media), Some(tally)) = (medias.get(place), tallies.get_mut(place)) else {
                continue;
            };
            if tally.ended.is_some() {
                continue;
            }
            tally.drops += u64::from(drops);
            match packet {
                Packet::Rtp(header) if media.lists(header.payload_type) => {
                    tally.hear(header, true, length, from, at);
                }
                Packet::Rtp(header) => {
                    let others = places.iter().filter_map(|place| medias.get(*place));
                    let mut own = others.filter(|other| other.stream == media.stream);
                    if !own.any(|other| other.lists(header.payload_type)) {
                        tally.hear(header, false, length, from, at);
                    }
                }
                Packet::Rtcp => {}
                Packet::Other => tally.hear_stranger(),
            }
        }
    }

    /// Ends what is active for sure. True if anything ended.
    pub(crate) fn end_sure(&mut self) -> bool {
        let now = self.began.elapsed();
        let fresh = self.tallies.iter_mut().filter(|tally| tally.ended.is_none());
        let mut sure = fresh.filter(|tally| tally.is_sure()).peekable();
        let any = sure.peek().is_some();
        sure.for_each(|tally| tally.ended = Some(now));
        any
    }

    /// Whether all of these have ended.
    pub(crate) fn have_ended(&self, places: &[usize]) -> bool {
        let mut tallies = places.iter().filter_map(|place| self.tallies.get(*place));
        tallies.all(|tally| tally.ended.is_some())
    }

    /// What has been heard of each media until now, in the order in which they were given.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        let now = self.began.elapsed();
        self.tallies.iter().map(|tally| tally.heard(now)).collect()
    }
}
