//! What comes over the connection: RTSP messages, and packets interleaved with them.

use rtsp_types::{Message, ParseError};

/// The longest head of a message, in bytes: its first line and its headers.
pub const MAX_HEAD: usize = 16 * 1024;
/// The longest body, in bytes.
pub const MAX_BODY: usize = catalog::sdp::MAX_SDP;
/// How much is read ahead, in bytes: more than any message or packet is long.
const ROOM: usize = 256 * 1024;
/// Before a packet come `$`, its channel and its length (RFC 2326, 10.12).
const PREFIX: usize = 4;

/// Why the connection can't be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A message's first line and headers don't end.
    #[error("its headers have more than {MAX_HEAD} bytes")]
    LongHead,
    /// A message's body would be too long.
    #[error("its body has more than {MAX_BODY} bytes")]
    LongBody,
    /// That is no RTSP.
    #[error("it is no RTSP message")]
    Malformed,
}

/// One thing that came.
#[derive(Debug)]
pub enum Item<'a> {
    /// A response, or a request of the server's own.
    Message(Box<Message<Vec<u8>>>),
    /// A packet on a channel.
    Packet {
        /// The channel.
        channel: u8,
        /// The packet as it came, at most 65,535 bytes.
        payload: &'a [u8],
    },
}

/// Takes the bytes of a connection apart. It holds [`ROOM`] bytes, whatever comes, and looks at each
/// byte a bounded number of times, however few come at once.
#[derive(Debug)]
pub struct Reader {
    buffer: Box<[u8]>,
    /// What is filled and not yet taken.
    start: usize,
    end: usize,
    /// The next item is not whole with fewer bytes than this.
    needs: usize,
    /// So many bytes of the next item hold no end of a head.
    searched: usize,
}

impl Default for Reader {
    fn default() -> Self {
        let buffer = vec![0; ROOM].into_boxed_slice();
        Self { buffer, start: 0, end: 0, needs: 0, searched: 0 }
    }
}

impl Reader {
    /// Where more bytes may be put; never empty once [`Reader::next`] has given all it has.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end > ROOM / 2 {
            // What is left is a part of one item, and these are shorter than half of the room.
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        &mut self.buffer[self.end..]
    }

    /// So many bytes were put there.
    pub fn filled(&mut self, bytes: usize) {
        self.end = self.end.saturating_add(bytes).min(ROOM);
    }

    /// The next thing that is there as a whole. After an error nothing more can be read.
    #[expect(clippy::should_implement_trait, reason = "an item borrows the reader's bytes")]
    pub fn next(&mut self) -> Result<Option<Item<'_>>, ReadError> {
        while self.needs == 0 && self.start < self.end && b"\r\n".contains(&self.buffer[self.start])
        {
            // Some servers send blank lines between messages.
            self.start += 1;
        }
        let bytes = &self.buffer[self.start..self.end];
        match *bytes {
            [] => Ok(None),
            _ if bytes.len() < self.needs => Ok(None),
            [b'$', channel, high, low, ..] => {
                let length = PREFIX + usize::from(u16::from_be_bytes([high, low]));
                if bytes.len() < length {
                    self.needs = length;
                    return Ok(None);
                }
                let packet = self.start + PREFIX..self.start + length;
                self.take(length);
                Ok(Some(Item::Packet { channel, payload: &self.buffer[packet] }))
            }
            [b'$', ..] => {
                self.needs = PREFIX;
                Ok(None)
            }
            _ => self.message(),
        }
    }

    fn message(&mut self) -> Result<Option<Item<'_>>, ReadError> {
        let bytes = &self.buffer[self.start..self.end];
        let from = self.searched.saturating_sub(3);
        let end = bytes[from..].windows(4).position(|four| four == b"\r\n\r\n");
        let Some(head) = end.map(|end| from + end + 4) else {
            if bytes.len() > MAX_HEAD {
                return Err(ReadError::LongHead);
            }
            self.searched = bytes.len();
            self.needs = bytes.len() + 1;
            return Ok(None);
        };
        if head > MAX_HEAD {
            return Err(ReadError::LongHead);
        }
        match Message::parse(bytes) {
            Ok((message, length)) if length <= head + MAX_BODY => {
                self.take(length);
                Ok(Some(Item::Message(Box::new(message))))
            }
            Err(ParseError::Incomplete(Some(lacking))) => {
                let length = bytes.len().saturating_add(lacking.get());
                if length > head + MAX_BODY {
                    return Err(ReadError::LongBody);
                }
                self.needs = length;
                Ok(None)
            }
            Ok(_) => Err(ReadError::LongBody),
            Err(_) => Err(ReadError::Malformed),
        }
    }

    /// An item of so many bytes is taken.
    fn take(&mut self, length: usize) {
        self.start += length;
        (self.needs, self.searched) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds bytes in pieces of these sizes, in turn, and gives what came out, for people.
    fn read(bytes: &[u8], sizes: &[usize]) -> Result<Vec<String>, ReadError> {
        let mut reader = Reader::default();
        let (mut read, mut rest, mut sizes) = (Vec::new(), bytes, sizes.iter().cycle());
        loop {
            while let Some(item) = reader.next()? {
                read.push(match item {
                    Item::Packet { channel, payload } => format!("{channel}: {}", payload.len()),
                    Item::Message(message) => match *message {
                        Message::Response(response) => {
                            format!("{} {}", u16::from(response.status()), response.body().len())
                        }
                        Message::Request(request) => <&str>::from(request.method()).to_owned(),
                        Message::Data(_) => unreachable!("packets are read here"),
                    },
                });
            }
            if rest.is_empty() {
                return Ok(read);
            }
            let room = reader.room();
            assert!(!room.is_empty());
            let size = (*sizes.next().unwrap()).clamp(1, rest.len()).min(room.len());
            room[..size].copy_from_slice(&rest[..size]);
            reader.filled(size);
            rest = &rest[size..];
        }
    }

    fn packet(channel: u8, length: u16) -> Vec<u8> {
        let mut packet = vec![b'$', channel];
        packet.extend(length.to_be_bytes());
        packet.extend(std::iter::repeat_n(b'\n', usize::from(length)));
        packet
    }

    fn conversation() -> Vec<u8> {
        let mut bytes = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 5\r\n\r\nv=0\r\n".to_vec();
        bytes.extend(packet(0, 1200));
        bytes.extend(b"\r\n\r\nOPTIONS rtsp://h/x RTSP/1.0\r\nCSeq: 9\r\n\r\n");
        bytes.extend(packet(1, 0));
        bytes.extend(packet(255, u16::MAX));
        bytes.extend(b"RTSP/1.0 454 Session Not Found\r\n\r\n");
        bytes
    }

    #[test]
    fn messages_and_packets_come_apart() {
        let expected = ["200 5", "0: 1200", "OPTIONS", "1: 0", "255: 65535", "454 0"];
        for sizes in [&[1_000_000][..], &[1], &[3, 7], &[65_536, 1]] {
            assert_eq!(read(&conversation(), sizes).unwrap(), expected, "{sizes:?}");
        }
    }

    #[test]
    fn what_has_no_end_is_refused() {
        let endless = [b"RTSP/1.0 200 OK\r\n".to_vec(), b"X: y\r\n".repeat(10_000)].concat();
        assert_eq!(read(&endless, &[1000]), Err(ReadError::LongHead));
        assert_eq!(read(&b"x".repeat(100_000), &[1]), Err(ReadError::LongHead));
        for length in ["65537", "18446744073709551615", "99999999999"] {
            let long = format!("RTSP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n");
            assert_eq!(read(long.as_bytes(), &[9]), Err(ReadError::LongBody), "{length}");
        }
        let whole =
            format!("RTSP/1.0 200 OK\r\nContent-Length: 65537\r\n\r\n{}", "x".repeat(65_537));
        assert_eq!(read(whole.as_bytes(), &[1_000_000]), Err(ReadError::LongBody));
        let most =
            format!("RTSP/1.0 200 OK\r\nContent-Length: 65536\r\n\r\n{}", "x".repeat(65_536));
        assert_eq!(read(most.as_bytes(), &[1000]).unwrap(), ["200 65536"]);
    }

    #[test]
    fn what_is_no_rtsp_is_refused() {
        for bad in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "\0\0\0\0\r\n\r\n",
            "RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
            "RTSP/3.0 200 OK\r\n\r\n",
            "RTSP/1.0 200 OK\r\nno header\r\n\r\n",
        ] {
            assert_eq!(read(bad.as_bytes(), &[4]), Err(ReadError::Malformed), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(sizes in prop::collection::vec(1_usize..5000, 1..20)) {
            let whole = read(&conversation(), &[1_000_000]);
            prop_assert_eq!(read(&conversation(), &sizes), whole);
        }

        #[test]
        fn no_bytes_make_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..3000),
            sizes in prop::collection::vec(1_usize..100, 1..5),
        ) {
            let _ = read(&bytes, &sizes);
        }

        #[test]
        fn no_damage_makes_it_panic(at in 0_usize..100, byte: u8, end in 0_usize..1500) {
            let mut bytes = conversation();
            bytes[at] = byte;
            let _ = read(&bytes[..end], &[11]);
        }
    }
}
