//! Who sends.

use std::net::SocketAddr;
use std::time::Duration;

use rtp::{Header, Sequence, Span};
use serde::{Deserialize, Serialize};

use crate::heard::millis;

/// An RTP stream that arrived: one SSRC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// Its synchronisation source.
    pub ssrc: u32,
    /// Where its last packet came from.
    pub address: SocketAddr,
    /// The payload types of its packets, in the order in which they came.
    pub payload_types: Vec<u8>,
    /// How many packets came.
    pub packets: u64,
    /// How many bytes of UDP payload came.
    pub bytes: u64,
    /// How many packets are missing in the sequence.
    pub lost: u64,
    /// When its first packet came, counted from the beginning of the scan.
    #[serde(rename = "first_ms", with = "millis")]
    pub first: Duration,
    /// When its last one came.
    #[serde(rename = "last_ms", with = "millis")]
    pub last: Duration,
}

/// A sender as it is followed.
#[derive(Debug)]
pub(crate) struct Voice {
    pub(crate) sender: Sender,
    sequence: Sequence,
    /// Its packets are RTP for sure.
    pub(crate) believed: bool,
}

impl Voice {
    pub(crate) fn new(header: Header, address: SocketAddr, at: Duration) -> Self {
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
        Self { sender, sequence: Sequence::default(), believed: false }
    }

    /// Takes in a packet of this SSRC, `length` bytes long.
    pub(crate) fn hear(
        &mut self,
        header: Header,
        length: usize,
        address: SocketAddr,
        at: Duration,
    ) {
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
        self.believed |= self.sequence.span().is_some_and(Span::is_confirmed);
    }
}
