//! What a datagram is.

use rtp_rs::RtpReader;

/// A datagram, as far as a scan looks into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// RTP (RFC 3550, 5.1).
    Rtp(Header),
    /// RTCP, which may travel on the RTP port (RFC 5761).
    Rtcp,
    /// Neither.
    Stranger,
}

/// What matters of an RTP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
}

impl Packet {
    pub(crate) fn read(datagram: &[u8]) -> Self {
        if forward::is_rtcp(datagram) {
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
