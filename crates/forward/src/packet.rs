//! What a datagram is: read once, for all who want to know.

use crate::rtcp;
use rtp_rs::RtpReader;

/// A datagram, as far as anybody here looks into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet {
    /// RTP (RFC 3550, 5.1).
    Rtp(Header),
    /// RTCP, which may travel on the RTP port (RFC 5761).
    Rtcp,
    /// Neither.
    Stranger,
}

/// What matters of an RTP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Who sends the stream.
    pub ssrc: u32,
    /// What kind of content it is, as the SDP says.
    pub payload_type: u8,
    /// The packet's number, which wraps.
    pub sequence: u16,
}

impl Packet {
    /// Reads a datagram's first bytes; whatever they are, they are one of the three.
    pub fn read(datagram: &[u8]) -> Self {
        if rtcp::is_rtcp(datagram) {
            return Self::Rtcp;
        }
        RtpReader::new(datagram).map_or(Self::Stranger, |rtp| {
            Self::Rtp(Header {
                ssrc: rtp.ssrc(),
                payload_type: rtp.payload_type(),
                sequence: rtp.sequence_number().into(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtp_rtcp_and_neither() {
        let rtp = [0x80, 0xe0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 7];
        let header = Header { ssrc: 7, payload_type: 96, sequence: 9 };
        assert_eq!(Packet::read(&rtp), Packet::Rtp(header));
        assert_eq!(Packet::read(&[0x80, 200, 0, 6, 0, 0, 0, 9, 0, 0, 0, 0]), Packet::Rtcp);
        // An MPEG transport stream, text, nothing, and a header that is cut off.
        for stranger in [&[0x47; 188][..], b"hello, is anybody there?", b"", &rtp[..11]] {
            assert_eq!(Packet::read(stranger), Packet::Stranger);
        }
    }
}
