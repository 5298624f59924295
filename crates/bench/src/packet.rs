//! A test packet: an RTP header (RFC 3550), then a number and the time of sending.

/// Version 2, no padding, no extension, no CSRC; payload type 96.
const RTP: [u8; 2] = [0x80, 96];

/// The length of the shortest test packet, in bytes.
pub(crate) const SHORTEST: usize = 28;

/// The contents of a test packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Packet {
    /// Its number in its flow, from 0.
    pub(crate) number: u64,
    /// When it was sent: CLOCK_MONOTONIC, in nanoseconds.
    pub(crate) sent: u64,
}

impl Packet {
    /// Writes it to the front of a datagram of at least [`SHORTEST`] bytes.
    pub(crate) fn write(self, ssrc: u32, datagram: &mut [u8]) {
        let [.., high, low] = self.number.to_be_bytes();
        // A 90 kHz clock's ticks; only the low 32 bits count.
        let [.., a, b, c, d] = (self.sent / 11_111).to_be_bytes();
        let [s0, s1, s2, s3] = ssrc.to_be_bytes();
        datagram[..12].copy_from_slice(&[RTP[0], RTP[1], high, low, a, b, c, d, s0, s1, s2, s3]);
        datagram[12..20].copy_from_slice(&self.number.to_be_bytes());
        datagram[20..28].copy_from_slice(&self.sent.to_be_bytes());
    }

    /// Reads a datagram; `None` if it is not a test packet.
    pub(crate) fn read(datagram: &[u8]) -> Option<Packet> {
        let number = *datagram.get(12..)?.first_chunk()?;
        let sent = *datagram.get(20..)?.first_chunk()?;
        let packet = Packet { number: u64::from_be_bytes(number), sent: u64::from_be_bytes(sent) };
        datagram.starts_with(&RTP).then_some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let packet = Packet { number: 0x1_0203, sent: 987_654_321 };
        let mut datagram = [0xff; 40];
        packet.write(7, &mut datagram);
        assert_eq!(Packet::read(&datagram), Some(packet));
        assert_eq!(Packet::read(&datagram[..SHORTEST]), Some(packet));
        assert_eq!(datagram[..4], [0x80, 96, 0x02, 0x03]);
        assert_eq!(datagram[8..12], [0, 0, 0, 7]);
    }

    #[test]
    fn other_datagrams_are_not_test_packets() {
        assert_eq!(Packet::read(&[]), None);
        assert_eq!(Packet::read(&[0x80; 40]), None);
        assert_eq!(Packet::read(&[0x80, 96, 0, 0]), None);
    }
}
