//! Decides whether an ICMP error is true: whether it quotes a packet that the flow sent lately.
//!
//! Anybody who can send a packet to this host can invent ICMP errors. So an error counts only if the
//! quoted packet is one that was sent: its first 12 bytes have the RTP header with SSRC, sequence
//! number and timestamp, or in RTCP the SSRC and the time of a sender report. An attacker who does not
//! see the stream cannot know these.
//!
//! An error without a quote counts only from an edge that quotes no packets (see [`Quoting`]), only as
//! "port unreachable", and only if the flow sent a packet within the last seconds.

use crate::icmp::{IcmpError, Meaning, QUOTE};
use crate::quoting::Quoting;
use crate::recent::Recent;
use model::PayloadTypes;
use rtp::rtcp;
use std::net::IpAddr;
use std::sync::Arc;

/// How many packets a flow remembers at first: two seconds of audio.
const WINDOW: usize = 256;

/// How long an error without a quote may take after the last packet, in milliseconds.
const SPAN: u64 = 2000;

/// The verdict about an ICMP error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Finding {
    /// The edge refused a packet: RTP with this number, if the error quotes it.
    Refused { sequence: Option<u16> },
    /// A firewall on the way rejects the flow.
    Firewalled { offender: IpAddr },
    /// The edge can't be reached.
    Unreachable { errno: i32, offender: IpAddr },
    /// A true error that says nothing about the edge.
    Harmless,
    /// No packet of the flow fits it.
    Forged,
}

/// The memory of a flow, to check errors.
#[derive(Debug)]
pub(crate) struct Evidence {
    edge: IpAddr,
    /// The source's payload types that are RTP although they look like RTCP.
    named: PayloadTypes,
    sent: Recent<u32>,
    /// When the last packet was sent, in coarse milliseconds; 0 is never.
    last: u64,
    quoting: Arc<Quoting>,
}

/// A packet's sequence number, or a number that stands for it, and its mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Key {
    number: u16,
    mark: u32,
    rtp: bool,
}

impl Evidence {
    pub(crate) fn new(edge: IpAddr, named: PayloadTypes, quoting: Arc<Quoting>) -> Evidence {
        // No ICMP error answers a packet to a group.
        let places = if edge.is_multicast() { 1 } else { WINDOW };
        Evidence { edge, named, sent: Recent::new(places), last: 0, quoting }
    }

    /// Remembers a packet that was sent at `now`, in coarse milliseconds.
    pub(crate) fn sent(&mut self, datagram: &[u8], now: u64) {
        self.last = now;
        if let Some(begin) = datagram.first_chunk()
            && !self.edge.is_multicast()
        {
            let Key { number, mark, .. } = self.key(begin);
            self.sent.remember(number, mark, now);
        }
    }

    /// Decides about an error that came at `now`.
    pub(crate) fn examine(&self, error: &IcmpError, now: u64) -> Finding {
        let Some(offender) = error.offender else { return Finding::Forged };
        let meaning = error.meaning();
        let from_edge = offender == self.edge;
        let Some(quote) = &error.quote else {
            let recent = self.last != 0 && now.saturating_sub(self.last) <= SPAN;
            let fits = meaning == Meaning::PortUnreachable && from_edge && recent;
            return match fits && self.quoting.may_omit_quote(self.edge, now) {
                true => Finding::Refused { sequence: None },
                false => Finding::Forged,
            };
        };
        let Key { number, mark, rtp } = self.key(quote);
        if !self.sent.holds(number, mark) {
            return Finding::Forged;
        }
        match meaning {
            Meaning::PortUnreachable if from_edge => {
                self.quoting.quoted();
                Finding::Refused { sequence: rtp.then_some(number) }
            }
            // A router's firewall may reject with "port unreachable", too.
            Meaning::PortUnreachable | Meaning::Prohibited => Finding::Firewalled { offender },
            Meaning::Unreachable => Finding::Unreachable { errno: error.errno, offender },
            Meaning::Other => Finding::Harmless,
        }
    }

    /// The RTP sequence number of a packet, if it is RTP.
    pub(crate) fn sequence(&self, datagram: &[u8]) -> Option<u16> {
        let key = self.key(datagram.first_chunk()?);
        key.rtp.then_some(key.number)
    }

    /// RTP is indexed by its sequence number, so that the memory holds consecutive packets. All else
    /// is indexed by its mark.
    fn key(&self, begin: &[u8; QUOTE]) -> Key {
        let [a, b, high, low, rest @ ..] = *begin;
        let first = u64::from(u32::from_be_bytes([a, b, high, low]));
        let mixed = (first ^ u64::from_be_bytes(rest)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed.rotate_left(29) ^ first).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let [m0, m1, m2, m3, n0, n1, ..] = mixed.to_be_bytes();
        let rtp = a >> 6 == 2 && !rtcp::is_rtcp(begin, self.named);
        let number = if rtp { [high, low] } else { [n0, n1] };
        let mark = u32::from_be_bytes([m0, m1, m2, m3]).max(1);
        Key { number: u16::from_be_bytes(number), mark, rtp }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EDGE: &str = "198.51.100.7";
    const STRANGER: &str = "203.0.113.66";

    fn evidence() -> Evidence {
        let quoting = Arc::new(Quoting::omitted());
        Evidence::new(EDGE.parse().unwrap(), PayloadTypes::default(), quoting)
    }

    fn rtp(ssrc: u32, sequence: u16, timestamp: u32) -> [u8; QUOTE] {
        let mut packet = [0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        packet[2..4].copy_from_slice(&sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        packet[8..].copy_from_slice(&ssrc.to_be_bytes());
        packet
    }

    fn error(kind: u8, code: u8, offender: &str, quote: Option<[u8; QUOTE]>) -> IcmpError {
        let offender = Some(offender.parse().unwrap());
        IcmpError { v6: false, kind, code, errno: 113, offender, quote }
    }

    fn refusal(quote: [u8; QUOTE]) -> IcmpError {
        error(3, 3, EDGE, Some(quote))
    }

    #[test]
    fn a_refusal_quotes_a_packet_that_was_sent() {
        let mut evidence = evidence();
        (0..100).for_each(|number| evidence.sent(&rtp(7, number, 9), 5));
        let sent = refusal(rtp(7, 42, 9));
        assert_eq!(evidence.examine(&sent, 6), Finding::Refused { sequence: Some(42) });
        for other in [rtp(8, 42, 9), rtp(7, 42, 8), rtp(7, 200, 9)] {
            assert_eq!(evidence.examine(&refusal(other), 6), Finding::Forged);
        }
        (100..400).for_each(|number| evidence.sent(&rtp(7, number, 9), 5 + u64::from(number) * 20));
        assert_eq!(evidence.examine(&sent, 9000), Finding::Forged, "that was long ago");
    }

    #[test]
    fn a_sender_report_is_evidence_without_a_number() {
        let mut evidence = evidence();
        let report = |time| [0x80, 200, 0, 6, 0, 0, 0, 7, 1, 2, 3, time];
        evidence.sent(&report(4), 5);
        assert_eq!(evidence.examine(&refusal(report(4)), 6), Finding::Refused { sequence: None });
        assert_eq!(evidence.examine(&refusal(report(5)), 6), Finding::Forged);
    }

    #[test]
    fn only_the_edge_refuses_and_others_prohibit_or_can_not_reach() {
        let mut evidence = evidence();
        let packet = rtp(7, 1, 9);
        evidence.sent(&packet, 5);
        let offender = STRANGER.parse().unwrap();
        let firewalled = Finding::Firewalled { offender };
        let unreachable = Finding::Unreachable { errno: 113, offender };
        for ((kind, code), found) in [
            ((3, 0), unreachable),
            ((3, 1), unreachable),
            ((3, 3), firewalled),
            ((3, 4), Finding::Harmless),
            ((3, 9), firewalled),
            ((3, 10), firewalled),
            ((3, 13), firewalled),
            ((11, 0), unreachable),
            ((12, 0), Finding::Harmless),
        ] {
            let true_error = error(kind, code, STRANGER, Some(packet));
            assert_eq!(evidence.examine(&true_error, 6), found, "{kind}/{code}");
            let invented = error(kind, code, EDGE, Some(rtp(9, 1, 9)));
            assert_eq!(evidence.examine(&invented, 6), Finding::Forged, "{kind}/{code}");
            let short = error(kind, code, STRANGER, None);
            assert_eq!(evidence.examine(&short, 6), Finding::Forged, "{kind}/{code}");
        }
        let v6 = |kind, code| IcmpError { v6: true, ..error(kind, code, EDGE, Some(packet)) };
        let edge = EDGE.parse().unwrap();
        assert_eq!(evidence.examine(&v6(1, 4), 6), Finding::Refused { sequence: Some(1) });
        assert_eq!(evidence.examine(&v6(1, 1), 6), Finding::Firewalled { offender: edge });
        let unreachable = Finding::Unreachable { errno: 113, offender: edge };
        assert_eq!(evidence.examine(&v6(1, 3), 6), unreachable);
        assert_eq!(evidence.examine(&v6(2, 0), 6), Finding::Harmless);
    }

    #[test]
    fn an_edge_that_once_quoted_a_packet_must_quote_again() {
        let mut evidence = evidence();
        let short = error(3, 3, EDGE, None);
        assert_eq!(evidence.examine(&short, 5), Finding::Forged, "nothing was sent yet");
        evidence.sent(&rtp(7, 1, 9), 5);
        assert_eq!(evidence.examine(&short, 6), Finding::Refused { sequence: None });
        assert_eq!(evidence.examine(&short, 6 + SPAN), Finding::Forged, "nothing was sent lately");
        evidence.examine(&refusal(rtp(8, 1, 9)), 6);
        assert_eq!(evidence.examine(&short, 6), Finding::Refused { sequence: None });
        evidence.examine(&refusal(rtp(7, 1, 9)), 6);
        assert_eq!(evidence.examine(&short, 6), Finding::Forged);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_last_seconds_are_remembered_at_any_rate(rate in 1_u64..40_000, ago in 0_u64..1000) {
            let mut evidence = evidence();
            let packet = |number: u64| {
                let [.., high, low] = number.to_be_bytes();
                rtp(7, u16::from_be_bytes([high, low]), u32::try_from(number / 4).unwrap())
            };
            let sent = 4 * rate;
            (0..sent).for_each(|number| evidence.sent(&packet(number), 1 + number * 1000 / rate));
            let quoted = (sent - 1).saturating_sub(ago * rate / 1000);
            prop_assert_ne!(evidence.examine(&refusal(packet(quoted)), 4001), Finding::Forged);
        }
    }
}
