//! Recognises RTP and RTCP.

use model::PayloadTypes;
use rtp_rs::RtpReader;

use crate::rtcp;

/// A datagram, by what its first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet {
    /// RTP (RFC 3550, 5.1).
    Rtp(Header),
    /// RTCP, which may share a port with RTP (RFC 5761).
    Rtcp,
    /// Neither.
    Other,
}

/// The fields of an RTP header that a relay uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The synchronisation source: one for each sender of a media.
    pub ssrc: u32,
    /// The format of the content, by its number in the SDP.
    pub payload_type: u8,
    /// The packet's number. It wraps at 2^16.
    pub sequence: u16,
    /// The time of the content, in ticks of the format's clock. It wraps at 2^32.
    pub timestamp: u32,
}

impl Packet {
    /// Reads the first bytes of a datagram.
    pub fn read(datagram: &[u8]) -> Self {
        Self::read_with(datagram, PayloadTypes::default())
    }

    /// Reads the first bytes of a datagram. `named` are the payload types that are RTP although they
    /// look like RTCP.
    pub fn read_with(datagram: &[u8], named: PayloadTypes) -> Self {
        if rtcp::is_rtcp(datagram, named) {
            return Self::Rtcp;
        }
        RtpReader::new(datagram).map_or(Self::Other, |rtp| {
            Self::Rtp(Header {
                ssrc: rtp.ssrc(),
                payload_type: rtp.payload_type(),
                sequence: rtp.sequence_number().into(),
                timestamp: rtp.timestamp(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_rtp_from_rtcp_and_from_other_datagrams() {
        let rtp = [0x80, 0xe0, 0, 9, 0, 0, 1, 2, 0, 0, 0, 7];
        let header = Header { ssrc: 7, payload_type: 96, sequence: 9, timestamp: 258 };
        assert_eq!(Packet::read(&rtp), Packet::Rtp(header));
        assert_eq!(Packet::read(&[0x80, 200, 0, 6, 0, 0, 0, 9, 0, 0, 0, 0]), Packet::Rtcp);
        // An MPEG transport stream, text, nothing, and a truncated header.
        for other in [&[0x47; 188][..], b"hello, is anybody there?", b"", &rtp[..11]] {
            assert_eq!(Packet::read(other), Packet::Other);
        }
        // Payload type 72 with a marker looks like a sender report.
        let named = PayloadTypes::from_iter([72]);
        let marked = [0x80, 200, 0, 9, 0, 0, 1, 2, 0, 0, 0, 7];
        let header = Header { payload_type: 72, ..header };
        assert_eq!(Packet::read_with(&marked, named), Packet::Rtp(header));
        assert_eq!(Packet::read_with(&[0x80, 201, 0, 1], named), Packet::Rtcp);
    }
}
