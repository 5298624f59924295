//! Counts arrivals: packets of each flow, duplicates, and delays.

use crate::packet::Packet;
use crate::percentile::Percentiles;
use serde::Serialize;

/// The packets of one flow that have arrived, one bit each.
#[derive(Clone, Debug, Default)]
struct Seen {
    bits: Vec<u64>,
    /// The number after the highest that has arrived.
    next: u64,
}

impl Seen {
    /// Notes a number; false if it has arrived before.
    fn note(&mut self, number: u64) -> bool {
        let Ok(word) = usize::try_from(number / 64) else { return false };
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        let bit = 1 << (number % 64);
        let new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        new
    }
}

/// The tallies of all flows, in the order of their sockets.
#[derive(Debug)]
pub(crate) struct Tally {
    seen: Vec<Seen>,
    delays: Vec<u64>,
    arrived: Arrived,
}

/// The report of what has arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Arrived {
    /// Packets, without duplicates.
    packets: u64,
    /// Duplicates.
    duplicates: u64,
    /// Packets that arrived after a later packet of their flow.
    late: u64,
    /// Datagrams that are not test packets.
    strange: u64,
    /// Flows with at least one packet.
    flows: usize,
    /// When the first packet was sent, and when it arrived.
    first: Option<(u64, u64)>,
    /// The delays from sender to sink, in nanoseconds.
    delay: Percentiles,
}

impl Tally {
    pub(crate) fn new(flows: usize) -> Tally {
        Tally {
            seen: vec![Seen::default(); flows],
            delays: Vec::new(),
            arrived: Arrived::default(),
        }
    }

    /// Notes a datagram of a flow that arrived at `now`.
    pub(crate) fn note(&mut self, flow: usize, datagram: &[u8], now: u64) {
        let Some(packet) = Packet::read(datagram) else {
            self.arrived.strange += 1;
            return;
        };
        let seen = &mut self.seen[flow];
        self.arrived.first.get_or_insert((packet.sent, now));
        if packet.number < seen.next {
            self.arrived.late += 1;
        }
        seen.next = seen.next.max(packet.number + 1);
        if seen.note(packet.number) {
            self.arrived.packets += 1;
            self.delays.push(now.saturating_sub(packet.sent));
        } else {
            self.arrived.duplicates += 1;
        }
    }

    /// The arrivals since the last call.
    pub(crate) fn take(&mut self) -> Arrived {
        let mut arrived = std::mem::take(&mut self.arrived);
        arrived.flows = self.seen.iter().filter(|seen| seen.next > 0).count();
        arrived.delay = Percentiles::of(&mut self.delays);
        self.delays.clear();
        self.seen.fill(Seen::default());
        arrived
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::SHORTEST;

    fn datagram(number: u64) -> [u8; SHORTEST] {
        let mut datagram = [0; SHORTEST];
        Packet { number, sent: 1000 }.write(0, &mut datagram);
        datagram
    }

    #[test]
    fn packets_are_counted_once_and_in_their_flow() {
        let mut tally = Tally::new(3);
        for number in [0, 2, 1, 2, 200] {
            tally.note(0, &datagram(number), 1000 + number);
        }
        tally.note(2, &datagram(0), 1000);
        tally.note(2, b"no RTP", 1000);
        let arrived = tally.take();
        assert_eq!((arrived.packets, arrived.duplicates, arrived.late), (5, 1, 2));
        assert_eq!((arrived.strange, arrived.flows), (1, 2));
        assert_eq!(arrived.first, Some((1000, 1000)));
        assert_eq!(arrived.delay.median, 1);
    }

    #[test]
    fn a_taken_tally_begins_anew() {
        let mut tally = Tally::new(1);
        tally.note(0, &datagram(5), 1000);
        tally.take();
        assert_eq!(tally.take(), Arrived::default());
        tally.note(0, &datagram(5), 1000);
        assert_eq!(tally.take().packets, 1);
    }
}
