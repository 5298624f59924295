//! A reader of RTCP (RFC 3550, section 6), as far as a relay has to understand it.

use crate::event::Feedback;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const GOODBYE: u8 = 203;
const APPLICATION: u8 = 204;

/// True for RTCP, false for RTP, where both share a port (RFC 5761, section 4).
pub(crate) fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 192..=223, ..] if first >> 6 == 2)
}

/// True for a compound packet whose first is a whole sender report.
pub(crate) fn begins_with_sender_report(datagram: &[u8]) -> bool {
    matches!(packets(datagram).next(), Some(Packet { kind: SENDER_REPORT, body, .. }) if body.len() >= 24)
}

/// The SSRC of the sender report that a compound packet begins with.
pub(crate) fn reporting_sender(datagram: &[u8]) -> Option<u32> {
    let first = packets(datagram).next().filter(|packet| packet.kind == SENDER_REPORT)?;
    first.body.first_chunk().copied().map(u32::from_be_bytes)
}

/// What a packet from an edge says. Whatever is malformed says nothing.
pub(crate) fn feedback(datagram: &[u8]) -> impl Iterator<Item = Feedback> {
    packets(datagram).filter_map(|packet| match packet.kind {
        RECEIVER_REPORT => packet.report_blocks(4),
        // An edge that sends, too, reports in its sender reports.
        SENDER_REPORT if packet.count > 0 => packet.report_blocks(24),
        GOODBYE => Some(Feedback::Goodbye),
        APPLICATION => viewers(packet.body).map(Feedback::Viewers),
        _ => None,
    })
}

/// One packet of a compound.
#[derive(Clone, Copy, Debug)]
struct Packet<'a> {
    /// The five bits that count reports, sources or chunks.
    count: u8,
    kind: u8,
    /// What follows the four bytes of header.
    body: &'a [u8],
}

impl Packet<'_> {
    fn report_blocks(self, before: usize) -> Option<Feedback> {
        let needed = before + 24 * usize::from(self.count);
        (self.body.len() >= needed).then_some(Feedback::ReceiverReport { blocks: self.count })
    }
}

/// The packets of a compound, up to the end or to what is malformed.
fn packets(mut datagram: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    std::iter::from_fn(move || {
        let (&[first, kind, high, low], rest) = datagram.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([high, low])) * 4;
        let body = rest.get(..length).filter(|_| first >> 6 == 2)?;
        datagram = &rest[length..];
        Some(Packet { count: first & 0x1f, kind, body })
    })
}

/// The number of viewers in Darwin Streaming Server's APP packet `QTSS`: after SSRC and name
/// come an SSRC, a version and a length in words, then fields of name, version, length, value.
fn viewers(app: &[u8]) -> Option<u32> {
    let (_ssrc, rest) = app.split_first_chunk::<4>()?;
    let mut fields = rest.strip_prefix(b"QTSS")?.get(8..)?;
    loop {
        let (&[a, b, _version, length], rest) = fields.split_first_chunk()?;
        let value = rest.get(..usize::from(length))?;
        if [a, b] == *b"ey" {
            return value.first_chunk().copied().map(u32::from_be_bytes);
        }
        fields = rest.get(value.len().next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What Darwin Streaming Server 6.0.3 sends back: RR without a block, SDES, APP `QTSS`.
    fn darwin(eyes: u32) -> Vec<u8> {
        let mut packet = vec![0x80, 0xc9, 0, 1, 1, 2, 3, 4];
        packet.extend([0x81, 0xca, 0, 6, 1, 2, 3, 4, 1, 14]);
        packet.extend(b"QTSS1700000000\0\0\0\0");
        packet.extend([0x80, 0xcc, 0, 8, 1, 2, 3, 4]);
        packet.extend(b"QTSS\0\0\0\0\0\0\0\x04ey\0\x0c");
        packet.extend(eyes.to_be_bytes());
        packet.extend(eyes.to_be_bytes());
        packet.extend([0; 4]);
        packet
    }

    fn sender_report() -> Vec<u8> {
        let mut report = vec![0x80, 200, 0, 6];
        report.extend([0; 24]);
        report
    }

    #[test]
    fn darwin_tells_its_viewers() {
        assert_eq!(darwin(7).len(), 72);
        let told: Vec<_> = feedback(&darwin(7)).collect();
        assert_eq!(told, [Feedback::ReceiverReport { blocks: 0 }, Feedback::Viewers(7)]);
    }

    #[test]
    fn reports_and_goodbyes_are_told() {
        let mut packet = vec![0x81, 201, 0, 7];
        packet.extend([0; 28]);
        packet.extend([0x81, 203, 0, 1, 1, 2, 3, 4]);
        let told: Vec<_> = feedback(&packet).collect();
        assert_eq!(told, [Feedback::ReceiverReport { blocks: 1 }, Feedback::Goodbye]);
    }

    #[test]
    fn a_report_that_claims_more_than_it_holds_says_nothing() {
        assert_eq!(feedback(&[0x9f, 201, 0, 1, 0, 0, 0, 0]).count(), 0);
        assert_eq!(feedback(&[0x80, 201, 0, 9, 0, 0, 0, 0]).count(), 0);
    }

    #[test]
    fn only_a_whole_sender_report_begins() {
        assert!(begins_with_sender_report(&sender_report()));
        assert!(!begins_with_sender_report(&sender_report()[..27]));
        assert!(!begins_with_sender_report(&darwin(1)));
        assert!(!begins_with_sender_report(&[0x80, 200, 0, 1, 0, 0, 0, 0]));
        assert!(!begins_with_sender_report(&[0x80, 96, 0, 1]));
        assert!(!begins_with_sender_report(&[]));
    }

    #[test]
    fn rtcp_is_told_from_rtp() {
        assert!(is_rtcp(&sender_report()));
        assert!(!is_rtcp(&[0x80, 96, 0, 1]));
        assert!(!is_rtcp(&[0x80, 0xe0, 0, 1]));
        assert!(!is_rtcp(&[0x00, 200]));
        assert!(!is_rtcp(&[0x80]));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (is_rtcp(&bytes), begins_with_sender_report(&bytes), feedback(&bytes).count());
        }

        #[test]
        fn no_damage_makes_it_panic(eyes: u32, at in 0_usize..72, byte: u8, end in 0_usize..=72) {
            let mut packet = darwin(eyes);
            packet[at] = byte;
            prop_assert!(feedback(&packet[..end]).count() <= 18);
        }

        #[test]
        fn any_count_is_read(eyes: u32, after in prop::collection::vec(any::<u8>(), 0..20)) {
            let mut packet = darwin(eyes);
            packet.extend(after);
            prop_assert!(feedback(&packet).any(|told| told == Feedback::Viewers(eyes)));
        }
    }
}
