//! A reader of RTCP (RFC 3550, section 6).

use model::PayloadTypes;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const APPLICATION: u8 = 204;

/// The length of a sender report without report blocks, after the four bytes of header.
const SENDER_INFO: usize = 24;

/// An edge's feedback about a media that it receives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Feedback {
    /// A receiver report came, or a sender report with report blocks.
    ReceiverReport,
    /// The number of viewers, as Darwin Streaming Server counts them (APP `QTSS`, field `ey`).
    Viewers(u32),
}

/// The beginning of a sender report (RFC 3550, 6.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SenderReport {
    /// The sender's synchronisation source.
    pub ssrc: u32,
    /// The middle 32 bits of its NTP time: what a receiver report returns as LSR.
    pub ntp_middle: u32,
}

/// True for RTCP, false for RTP, where both share a port (RFC 5761, section 4). `named` are the
/// payload types that are RTP although they look like RTCP.
pub fn is_rtcp(datagram: &[u8], named: PayloadTypes) -> bool {
    let [first, second @ 192..=223, ..] = datagram else { return false };
    first >> 6 == 2 && !named.contains(second & 0x7f)
}

/// Reads the sender report that a compound packet begins with; `None` if the compound begins with
/// anything else, or with a truncated report.
pub fn sender_report(datagram: &[u8]) -> Option<SenderReport> {
    let first = packets(datagram).next().filter(|packet| packet.kind == SENDER_REPORT)?;
    let body = first.body.first_chunk::<SENDER_INFO>()?;
    let [a, b, c, d, _, _, e, f, g, h, ..] = *body;
    Some(SenderReport {
        ssrc: u32::from_be_bytes([a, b, c, d]),
        ntp_middle: u32::from_be_bytes([e, f, g, h]),
    })
}

/// Reads the feedback in a compound packet from an edge. Malformed packets are skipped.
pub fn feedback(datagram: &[u8]) -> impl Iterator<Item = Feedback> {
    packets(datagram).filter_map(|packet| match packet.kind {
        RECEIVER_REPORT if packet.holds_blocks(4) => Some(Feedback::ReceiverReport),
        // An edge that sends media itself puts its report blocks into sender reports.
        SENDER_REPORT if packet.count > 0 && packet.holds_blocks(SENDER_INFO) => {
            Some(Feedback::ReceiverReport)
        }
        APPLICATION => viewers(packet.body).map(Feedback::Viewers),
        _ => None,
    })
}

/// One packet of a compound.
#[derive(Clone, Copy, Debug)]
struct Packet<'a> {
    /// The number of report blocks, sources or chunks (five bits).
    count: u8,
    kind: u8,
    /// All after the four bytes of header.
    body: &'a [u8],
}

impl Packet<'_> {
    /// Whether the body is long enough for `count` report blocks after `before` bytes.
    fn holds_blocks(self, before: usize) -> bool {
        self.body.len() >= before + 24 * usize::from(self.count)
    }
}

/// The packets of a compound, up to its end or to the first malformed packet.
fn packets(mut datagram: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    std::iter::from_fn(move || {
        let (&[first, kind, high, low], rest) = datagram.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([high, low])) * 4;
        let body = rest.get(..length).filter(|_| first >> 6 == 2)?;
        datagram = &rest[length..];
        Some(Packet { count: first & 0x1f, kind, body })
    })
}

/// Reads the number of viewers in Darwin Streaming Server's APP packet `QTSS`.
///
/// The body holds: SSRC, name, another SSRC, a version and a length in words, then fields of name
/// (2 bytes), version, length and value.
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

    /// A compound of Darwin Streaming Server 6.0.3: RR without a block, SDES, APP `QTSS`.
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

    fn report() -> Vec<u8> {
        let mut report = vec![0x80, 200, 0, 6, 0, 0, 0, 7, 0, 0, 1, 2, 3, 4, 0, 0];
        report.resize(28, 0);
        report
    }

    #[test]
    fn reads_the_viewer_count_of_darwin() {
        assert_eq!(darwin(7).len(), 72);
        let read: Vec<_> = feedback(&darwin(7)).collect();
        assert_eq!(read, [Feedback::ReceiverReport, Feedback::Viewers(7)]);
    }

    #[test]
    fn reads_receiver_reports_with_blocks() {
        let mut packet = vec![0x81, 201, 0, 7];
        packet.extend([0; 28]);
        packet.extend([0x81, 203, 0, 1, 1, 2, 3, 4]);
        assert_eq!(feedback(&packet).collect::<Vec<_>>(), [Feedback::ReceiverReport]);
    }

    #[test]
    fn skips_a_report_that_claims_more_than_it_holds() {
        assert_eq!(feedback(&[0x9f, 201, 0, 1, 0, 0, 0, 0]).count(), 0);
        assert_eq!(feedback(&[0x80, 201, 0, 9, 0, 0, 0, 0]).count(), 0);
    }

    #[test]
    fn reads_only_a_whole_sender_report_at_the_beginning() {
        let read = SenderReport { ssrc: 7, ntp_middle: 0x0102_0304 };
        assert_eq!(sender_report(&report()), Some(read));
        for other in [&report()[..27], &darwin(1), &[0x80, 200, 0, 1, 0, 0, 0, 0], &[0x80, 96], &[]]
        {
            assert_eq!(sender_report(other), None);
        }
    }

    #[test]
    fn tells_rtcp_from_rtp() {
        assert!(is_rtcp(&report(), PayloadTypes::default()));
        assert!(!is_rtcp(&[0x80, 96, 0, 1], PayloadTypes::default()));
        assert!(!is_rtcp(&[0x80, 0xe0, 0, 1], PayloadTypes::default()));
        assert!(!is_rtcp(&[0x00, 200], PayloadTypes::default()));
        assert!(!is_rtcp(&[0x80], PayloadTypes::default()));
    }

    proptest! {
        #[test]
        fn accepts_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (is_rtcp(&bytes, PayloadTypes::default()), sender_report(&bytes), feedback(&bytes).count());
        }

        #[test]
        fn accepts_a_damaged_packet(eyes: u32, at in 0_usize..72, byte: u8, end in 0_usize..=72) {
            let mut packet = darwin(eyes);
            packet[at] = byte;
            prop_assert!(feedback(&packet[..end]).count() <= 18);
        }

        #[test]
        fn reads_any_count(eyes: u32, after in prop::collection::vec(any::<u8>(), 0..20)) {
            let mut packet = darwin(eyes);
            packet.extend(after);
            prop_assert!(feedback(&packet).any(|read| read == Feedback::Viewers(eyes)));
        }
    }
}
