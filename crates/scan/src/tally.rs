//! What has come in for one media.

use std::net::SocketAddr;
use std::time::Duration;

use rtp::Header;

use crate::deaf::Deaf;
use crate::heard::Heard;
use crate::sender::{Sender, Voice};

/// Who floods a port with made-up SSRCs takes no more memory than this many.
const MAX_VOICES: usize = 64;

/// The running count of one media.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    own: Vec<Voice>,
    /// RTP of payload types that nobody listed.
    foreign: Vec<Voice>,
    strangers: u64,
    pub(crate) deaf: Vec<Deaf>,
    pub(crate) drops: u64,
    /// When nothing more was listened for, counted from the beginning of the scan.
    pub(crate) ended: Option<Duration>,
}

impl Tally {
    /// Takes in RTP of `length` bytes; `own`: of a payload type of this media.
    pub(crate) fn hear(
        &mut self,
        header: Header,
        own: bool,
        length: usize,
        from: SocketAddr,
        at: Duration,
    ) {
        let voices = if own { &mut self.own } else { &mut self.foreign };
        let known = voices.iter().position(|voice| voice.sender.ssrc == header.ssrc);
        let place = known.unwrap_or_else(|| {
            if voices.len() >= MAX_VOICES {
                // Those that never said a second word go first, the oldest of them before all.
                let doubtful = voices.iter().position(|voice| !voice.believed);
                voices.remove(doubtful.unwrap_or(0));
            }
            voices.push(Voice::new(header, from, at));
            voices.len() - 1
        });
        if let Some(voice) = voices.get_mut(place) {
            voice.hear(header, length, from, at);
        }
    }

    /// Takes in what is neither RTP nor RTCP.
    pub(crate) fn hear_stranger(&mut self) {
        self.strangers = self.strangers.saturating_add(1);
    }

    /// Whether RTP of this media has come for sure.
    pub(crate) fn is_sure(&self) -> bool {
        self.own.iter().any(|voice| voice.believed)
    }

    /// What was heard until `now`, counted from the beginning of the scan.
    pub(crate) fn heard(&self, now: Duration) -> Heard {
        let believed = |voices: &[Voice]| -> Vec<Sender> {
            voices.iter().filter(|v| v.believed).map(|voice| voice.sender.clone()).collect()
        };
        let doubtful = self.own.iter().chain(&self.foreign).filter(|voice| !voice.believed);
        let doubtful: u64 = doubtful.map(|voice| voice.sender.packets).sum();
        let mut senders = believed(&self.own);
        senders.sort_by_key(|sender| std::cmp::Reverse(sender.packets));
        let foreign = believed(&self.foreign);
        let mut foreign: Vec<u8> = foreign.into_iter().flat_map(|one| one.payload_types).collect();
        foreign.sort_unstable();
        foreign.dedup();
        Heard {
            listened: self.ended.unwrap_or(now),
            senders,
            foreign,
            strangers: self.strangers.saturating_add(doubtful),
            drops: self.drops,
            deaf: self.deaf.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "10.9.0.2:41000";

    fn hear(tally: &mut Tally, own: bool, ssrc: u32, payload_type: u8, sequence: u16, at: u64) {
        let header = Header { ssrc, payload_type, sequence, timestamp: 0 };
        let at = Duration::from_millis(at);
        tally.hear(header, own, 12, FROM.parse().unwrap(), at);
    }

    #[test]
    fn a_sender_is_believed_from_its_second_packet_on() {
        let mut tally = Tally::default();
        hear(&mut tally, true, 7, 96, 65_535, 10);
        assert!(!tally.is_sure());
        // The same packet once more proves nothing, nor does one from nowhere.
        hear(&mut tally, true, 7, 96, 65_535, 20);
        hear(&mut tally, true, 7, 96, 30_000, 20);
        assert!(!tally.is_sure());
        let heard = tally.heard(Duration::from_secs(1));
        assert_eq!((heard.senders.len(), heard.strangers), (0, 3));

        hear(&mut tally, true, 8, 96, 65_535, 30);
        hear(&mut tally, true, 8, 97, 1, 40);
        assert!(tally.is_sure());
        let heard = tally.heard(Duration::from_secs(1));
        let [sender] = &heard.senders[..] else { panic!("{heard:?}") };
        assert_eq!((sender.ssrc, sender.packets, sender.lost), (8, 2, 1));
        assert_eq!((sender.bytes, sender.payload_types.as_slice()), (24, &[96, 97][..]));
        assert_eq!((sender.first.as_millis(), sender.last.as_millis()), (30, 40));
    }

    #[test]
    fn foreign_payload_types_are_named_and_prove_nothing() {
        let mut tally = Tally::default();
        for sequence in 0..9 {
            hear(&mut tally, false, 7, 97, sequence, 0);
        }
        hear(&mut tally, false, 8, 33, 5, 0);
        tally.hear_stranger();
        let heard = tally.heard(Duration::from_secs(1));
        assert!(!tally.is_sure() && heard.senders.is_empty());
        assert_eq!((heard.foreign, heard.strangers), (vec![97], 2));
    }

    #[test]
    fn made_up_senders_take_no_more_memory_and_displace_no_real_one() {
        let mut tally = Tally::default();
        for sequence in 0..3000 {
            hear(&mut tally, true, 7, 96, sequence, 0);
            hear(&mut tally, true, 1000 + u32::from(sequence), 96, sequence, 0);
        }
        assert_eq!(tally.own.len(), MAX_VOICES);
        let heard = tally.heard(Duration::ZERO);
        assert_eq!((heard.senders.len(), heard.senders[0].packets), (1, 3000));
    }
}
