//! Counts what arrives of one media.

use std::net::SocketAddr;
use std::time::Duration;

use control::{ScanFault, ScanResult, Sender};
use rtp::{Header, Sequence, Span};

/// How many senders are followed, so that a flood of invented SSRCs takes no more memory than this.
const MAX_SENDERS: usize = 64;

/// The running count of one media.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    own: Vec<Follower>,
    /// RTP of payload types that no media lists.
    foreign: Vec<Follower>,
    strangers: u64,
    pub(crate) faults: Vec<ScanFault>,
    /// When the scan stopped listening to this media, counted from its beginning.
    pub(crate) ended: Option<Duration>,
}

/// A sender and its sequence.
#[derive(Debug)]
struct Follower {
    sender: Sender,
    sequence: Sequence,
    /// Its packets are RTP for sure.
    confirmed: bool,
}

impl Tally {
    /// Counts RTP of `length` bytes. `own`: it has a payload type of this media.
    pub(crate) fn add(
        &mut self,
        header: Header,
        own: bool,
        length: usize,
        from: SocketAddr,
        at: Duration,
    ) {
        let followers = if own { &mut self.own } else { &mut self.foreign };
        let known = followers.iter().position(|one| one.sender.ssrc == header.ssrc);
        let index = known.unwrap_or_else(|| {
            if followers.len() >= MAX_SENDERS {
                // The oldest unconfirmed sender makes room, or else the oldest.
                let unconfirmed = followers.iter().position(|one| !one.confirmed);
                followers.remove(unconfirmed.unwrap_or(0));
            }
            followers.push(Follower::new(header, from, at));
            followers.len() - 1
        });
        if let Some(follower) = followers.get_mut(index) {
            follower.add(header, length, from, at);
        }
    }

    /// Counts a datagram that is neither RTP nor RTCP.
    pub(crate) fn add_stranger(&mut self) {
        self.strangers = self.strangers.saturating_add(1);
    }

    /// Whether RTP of this media came for sure.
    pub(crate) fn is_sure(&self) -> bool {
        self.own.iter().any(|one| one.confirmed)
    }

    /// What arrived until `now`, counted from the beginning of the scan.
    pub(crate) fn result(&self, now: Duration) -> ScanResult {
        let confirmed = |followers: &[Follower]| -> Vec<Sender> {
            followers.iter().filter(|one| one.confirmed).map(|one| one.sender.clone()).collect()
        };
        let unconfirmed = self.own.iter().chain(&self.foreign).filter(|one| !one.confirmed);
        let unconfirmed: u64 = unconfirmed.map(|one| one.sender.packets).sum();
        let mut senders = confirmed(&self.own);
        senders.sort_by_key(|sender| std::cmp::Reverse(sender.packets));
        let foreign = confirmed(&self.foreign);
        let mut foreign: Vec<u8> = foreign.into_iter().flat_map(|one| one.payload_types).collect();
        foreign.sort_unstable();
        foreign.dedup();
        ScanResult {
            listened: self.ended.unwrap_or(now),
            senders,
            foreign,
            strangers: self.strangers.saturating_add(unconfirmed),
            drops: 0,
            faults: self.faults.clone(),
        }
    }
}

impl Follower {
    fn new(header: Header, address: SocketAddr, at: Duration) -> Self {
        let sender = Sender {
            ssrc: header.ssrc,
            address,
            payload_types: Vec::new(),
            packets: 0,
            bytes: 0,
            lost: 0,
            first: at,
            last: at,
        };
        Self { sender, sequence: Sequence::default(), confirmed: false }
    }

    fn add(&mut self, header: Header, length: usize, address: SocketAddr, at: Duration) {
        let sender = &mut self.sender;
        sender.address = address;
        sender.packets += 1;
        sender.bytes += length as u64;
        sender.last = at;
        if !sender.payload_types.contains(&header.payload_type) {
            sender.payload_types.push(header.payload_type);
        }
        self.sequence.push(header);
        sender.lost = self.sequence.missing();
        self.confirmed |= self.sequence.span().is_some_and(Span::is_confirmed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "10.9.0.2:41000";

    fn add(tally: &mut Tally, own: bool, ssrc: u32, payload_type: u8, sequence: u16, at: u64) {
        let header = Header { ssrc, payload_type, sequence, timestamp: 0 };
        let at = Duration::from_millis(at);
        tally.add(header, own, 12, FROM.parse().unwrap(), at);
    }

    #[test]
    fn the_second_packet_confirms_a_sender() {
        let mut tally = Tally::default();
        add(&mut tally, true, 7, 96, 65_535, 10);
        assert!(!tally.is_sure());
        // The same packet again proves nothing, nor does a far-off number.
        add(&mut tally, true, 7, 96, 65_535, 20);
        add(&mut tally, true, 7, 96, 30_000, 20);
        assert!(!tally.is_sure());
        let result = tally.result(Duration::from_secs(1));
        assert_eq!((result.senders.len(), result.strangers), (0, 3));

        add(&mut tally, true, 8, 96, 65_535, 30);
        add(&mut tally, true, 8, 97, 1, 40);
        assert!(tally.is_sure());
        let result = tally.result(Duration::from_secs(1));
        let [sender] = &result.senders[..] else { panic!("{result:?}") };
        assert_eq!((sender.ssrc, sender.packets, sender.lost), (8, 2, 1));
        assert_eq!((sender.bytes, sender.payload_types.as_slice()), (24, &[96, 97][..]));
        assert_eq!((sender.first.as_millis(), sender.last.as_millis()), (30, 40));
    }

    #[test]
    fn foreign_payload_types_are_listed_and_prove_nothing() {
        let mut tally = Tally::default();
        for sequence in 0..9 {
            add(&mut tally, false, 7, 97, sequence, 0);
        }
        add(&mut tally, false, 8, 33, 5, 0);
        tally.add_stranger();
        let result = tally.result(Duration::from_secs(1));
        assert!(!tally.is_sure() && result.senders.is_empty());
        assert_eq!((result.foreign, result.strangers), (vec![97], 2));
    }

    #[test]
    fn invented_senders_take_no_more_memory_and_displace_no_real_one() {
        let mut tally = Tally::default();
        for sequence in 0..3000 {
            add(&mut tally, true, 7, 96, sequence, 0);
            add(&mut tally, true, 1000 + u32::from(sequence), 96, sequence, 0);
        }
        assert_eq!(tally.own.len(), MAX_SENDERS);
        let result = tally.result(Duration::ZERO);
        assert_eq!((result.senders.len(), result.senders[0].packets), (1, 3000));
    }
}
