//! The bytes of an RTSP connection as messages and interleaved packets.

use crate::message::{MAX_BODY, METHODS, Message};

/// The longest head of a message, in bytes: its first line and its headers.
pub const MAX_HEAD: usize = 16 * 1024;
/// The most bytes in a row that are skipped because they are neither message nor packet.
pub const MAX_GARBAGE: usize = 256 * 1024;
/// The size of the buffer, in bytes: more than twice the longest message or packet.
const ROOM: usize = 256 * 1024;
/// A packet that is no RTP, or comes after garbage and is longer than this, counts only if an item
/// follows it.
const LONGEST_ODD: usize = 2048;
/// `$`, the channel and the length stand before a packet (RFC 2326, 10.12).
const PREFIX: usize = 4;

/// Why the connection can't be read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The head of a message does not end.
    #[error("the head of a message has more than {MAX_HEAD} bytes")]
    LongHead,
    /// The body of a message is too long.
    #[error("the body of a message has more than {MAX_BODY} bytes, or no length")]
    LongBody,
    /// The first bytes are no RTSP message.
    #[error("it does not speak RTSP")]
    NotRtsp,
    /// No further message or packet is found.
    #[error("{MAX_GARBAGE} bytes in a row are neither RTSP nor a packet")]
    Garbage,
}

/// A message or a packet.
#[derive(Debug)]
pub enum Item<'a> {
    /// A response, or a request of the server.
    Message(Message),
    /// A packet on a channel that was agreed upon.
    Packet {
        /// The channel.
        channel: u8,
        /// The packet as it came, at most 65,535 bytes.
        payload: &'a [u8],
    },
}

/// Splits the bytes of a connection into items. It holds [`ROOM`] bytes.
///
/// Once it has read a message, it skips what is neither a message nor a packet of a known channel:
/// there are cameras that send stray bytes between packets.
#[derive(Debug)]
pub struct Reader {
    buffer: Box<[u8]>,
    /// The bytes that are filled and not yet taken.
    start: usize,
    end: usize,
    /// The next item is incomplete with fewer bytes than this.
    needs: usize,
    /// So many bytes of the next item hold no end of a head.
    searched: usize,
    channels: [bool; 256],
    /// A message was read.
    begun: bool,
    /// Bytes skipped since the last item, and in all.
    garbage: usize,
    skipped: u64,
}

/// The kind of the next bytes.
enum Next {
    Packet(usize),
    Message(Message, usize),
    /// Unknown before there are so many bytes.
    Needs(usize),
    Garbage,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            buffer: vec![0; ROOM].into_boxed_slice(),
            start: 0,
            end: 0,
            needs: 0,
            searched: 0,
            channels: [false; 256],
            begun: false,
            garbage: 0,
            skipped: 0,
        }
    }
}

impl Reader {
    /// Expects packets on this channel from now on.
    pub fn expect(&mut self, channel: u8) {
        self.channels[usize::from(channel)] = true;
    }

    /// How many bytes were skipped so far.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Room for more bytes; never empty after [`Reader::next`] returned `None`.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end > ROOM / 2 {
            // The rest is a part of one item, which is shorter than half of the buffer.
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        &mut self.buffer[self.end..]
    }

    /// Records that this many bytes of the room are filled.
    pub fn filled(&mut self, bytes: usize) {
        self.end = self.end.saturating_add(bytes).min(ROOM);
    }

    /// The next complete item. After an error nothing more can be read.
    #[expect(clippy::should_implement_trait, reason = "an item borrows the reader's bytes")]
    pub fn next(&mut self) -> Result<Option<Item<'_>>, ReadError> {
        loop {
            if self.needs == 0 {
                self.skip_blank_lines();
            }
            if self.start == self.end || self.end - self.start < self.needs {
                return Ok(None);
            }
            match self.look()? {
                Next::Needs(bytes) => self.needs = bytes,
                Next::Garbage => self.skip()?,
                Next::Message(message, length) => {
                    self.take(length);
                    self.begun = true;
                    return Ok(Some(Item::Message(message)));
                }
                Next::Packet(length) => {
                    let channel = self.buffer[self.start + 1];
                    let packet = self.start + PREFIX..self.start + length;
                    self.take(length);
                    return Ok(Some(Item::Packet { channel, payload: &self.buffer[packet] }));
                }
            }
        }
    }

    /// Some servers send blank lines between messages.
    fn skip_blank_lines(&mut self) {
        let blank = |byte: &&u8| b"\r\n".contains(byte);
        self.start += self.buffer[self.start..self.end].iter().take_while(blank).count();
    }

    fn look(&mut self) -> Result<Next, ReadError> {
        let bytes = &self.buffer[self.start..self.end];
        match self.may_start(bytes) {
            None => Ok(Next::Needs(bytes.len() + 1)),
            Some(false) => Ok(Next::Garbage),
            Some(true) if bytes[0] == b'$' => Ok(self.packet(bytes)),
            Some(true) => self.message(),
        }
    }

    /// Whether bytes may be the start of an item; `None` if there are too few of them to tell.
    fn may_start(&self, bytes: &[u8]) -> Option<bool> {
        if let [b'$', rest @ ..] = bytes {
            return rest.first().map(|channel| self.channels[usize::from(*channel)]);
        }
        let begins = |word: &&str| {
            let common = bytes.len().min(word.len());
            bytes[..common] == word.as_bytes()[..common]
        };
        let mut words = METHODS.iter().copied().chain(["RTSP/"]).filter(begins).peekable();
        match words.peek() {
            None => Some(false),
            Some(_) => words.any(|word| bytes.len() >= word.len()).then_some(true),
        }
    }

    fn packet(&self, bytes: &[u8]) -> Next {
        let [_, _, high, low, payload @ ..] = bytes else { return Next::Needs(PREFIX) };
        let length = PREFIX + usize::from(u16::from_be_bytes([*high, *low]));
        let rtp = payload.first().map(|first| first >> 6 == 2);
        if rtp.is_none() && length > PREFIX {
            return Next::Needs(PREFIX + 1);
        }
        if rtp == Some(false) && (self.garbage > 0 || length > LONGEST_ODD) {
            return Next::Garbage;
        }
        let sure = rtp == Some(true) && (self.garbage == 0 || length <= LONGEST_ODD);
        match bytes.get(length..) {
            None => Next::Needs(length),
            Some(after) if sure || after.is_empty() || b"\r\n".contains(&after[0]) => {
                Next::Packet(length)
            }
            Some(after) if self.may_start(after) == Some(false) => Next::Garbage,
            Some(_) => Next::Packet(length),
        }
    }

    fn message(&mut self) -> Result<Next, ReadError> {
        let bytes = &self.buffer[self.start..self.end];
        let head = end_of_head(bytes, self.searched);
        // A head is text, so this was no start of a message.
        let binary = |byte: &u8| *byte < b' ' && !b"\t\r\n".contains(byte);
        if self.begun && bytes[self.searched..head.unwrap_or(bytes.len())].iter().any(binary) {
            return Ok(Next::Garbage);
        }
        let Some(head) = head else {
            if bytes.len() > MAX_HEAD {
                return Err(ReadError::LongHead);
            }
            self.searched = bytes.len();
            return Ok(Next::Needs(bytes.len() + 1));
        };
        if head > MAX_HEAD {
            return Err(ReadError::LongHead);
        }
        let Some(mut message) = Message::parse(&bytes[..head]) else { return Ok(Next::Garbage) };
        let length = head + message.body_length().map_err(|_| ReadError::LongBody)?;
        let Some(body) = bytes.get(head..length) else { return Ok(Next::Needs(length)) };
        message.body = body.to_vec();
        Ok(Next::Message(message, length))
    }

    /// Skips to the next byte that an item may start with.
    fn skip(&mut self) -> Result<(), ReadError> {
        if !self.begun {
            return Err(ReadError::NotRtsp);
        }
        let rest = &self.buffer[self.start + 1..self.end];
        let next = rest.iter().position(|byte| b"$ADGOPRST".contains(byte));
        let length = 1 + next.unwrap_or(rest.len());
        let garbage = self.garbage + length;
        self.take(length);
        self.garbage = garbage;
        self.skipped += length as u64;
        if self.garbage > MAX_GARBAGE { Err(ReadError::Garbage) } else { Ok(()) }
    }

    /// Takes an item of so many bytes.
    fn take(&mut self, length: usize) {
        self.start += length;
        (self.needs, self.searched, self.garbage) = (0, 0, 0);
    }
}

/// The length of a head with its blank line. Lines end in CRLF or LF; `searched` bytes are known to
/// hold no end.
fn end_of_head(bytes: &[u8], searched: usize) -> Option<usize> {
    let from = searched.saturating_sub(3);
    let ends = |line: &[u8]| match line {
        [b'\n', b'\n', ..] => Some(2),
        [b'\n', b'\r', b'\n', ..] => Some(3),
        _ => None,
    };
    (from..bytes.len()).find_map(|at| Some(at + ends(&bytes[at..])?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Start;
    use proptest::prelude::*;

    /// Feeds bytes in pieces of these sizes, in turn; what came out, and how much was skipped.
    fn read(bytes: &[u8], sizes: &[usize]) -> Result<(Vec<String>, u64), ReadError> {
        let mut reader = Reader::default();
        [0, 1, 255].into_iter().for_each(|channel| reader.expect(channel));
        let (mut read, mut rest, mut sizes) = (Vec::new(), bytes, sizes.iter().cycle());
        loop {
            while let Some(item) = reader.next()? {
                read.push(match item {
                    Item::Packet { channel, payload } => format!("{channel}: {}", payload.len()),
                    Item::Message(message) => match message.start {
                        Start::Response(code) => format!("{code} {}", message.body.len()),
                        Start::Request(method) => method,
                    },
                });
            }
            if rest.is_empty() {
                return Ok((read, reader.skipped()));
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
        packet.extend(std::iter::repeat_n(0x80, usize::from(length)));
        packet
    }

    const OK: &[u8] = b"RTSP/1.0 200\nCSeq: 1\n\n";

    /// Messages and packets, and the expected items.
    fn conversation() -> (Vec<u8>, [&'static str; 6]) {
        let mut bytes = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 5\r\n\r\nv=0\r\n".to_vec();
        bytes.extend(packet(0, 1200));
        bytes.extend(b"\r\n\r\nOPTIONS rtsp://h/x RTSP/1.0\nCSeq: 9\n\n");
        bytes.extend(packet(1, 0));
        bytes.extend(packet(255, u16::MAX));
        bytes.extend(b"RTSP/1.0 454\r\n\r\n");
        (bytes, ["200 5", "0: 1200", "OPTIONS", "1: 0", "255: 65535", "454 0"])
    }

    #[test]
    fn messages_and_packets_come_apart() {
        let (bytes, expected) = conversation();
        for sizes in [&[1_000_000][..], &[1], &[3, 7], &[65_536, 1]] {
            assert_eq!(read(&bytes, sizes).unwrap(), (expected.map(String::from).into(), 0));
        }
    }

    #[test]
    fn a_message_without_an_end_is_refused() {
        let endless = [b"RTSP/1.0 200 OK\r\n".to_vec(), b"X: y\r\n".repeat(10_000)].concat();
        assert_eq!(read(&endless, &[1000]), Err(ReadError::LongHead));
        for length in ["65537", "18446744073709551615", "99999999999", "-1", "x"] {
            let long = format!("RTSP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n");
            assert_eq!(read(long.as_bytes(), &[9]), Err(ReadError::LongBody), "{length}");
        }
        let most =
            format!("RTSP/1.0 200 OK\r\nContent-Length: 65536\r\n\r\n{}", "x".repeat(65_536));
        assert_eq!(read(most.as_bytes(), &[1000]).unwrap().0, ["200 65536"]);
    }

    #[test]
    fn a_server_that_speaks_no_rtsp_is_refused_at_once() {
        for bad in ["HTTP/1.1 200 OK\r\n\r\n", "\0", "RTSP/1.0 OK\r\n\r\n", "$\0\0\x01x", "x"] {
            let refused = Err(ReadError::NotRtsp);
            let channel = bad.starts_with('$');
            assert!(channel || read(bad.as_bytes(), &[4]) == refused, "{bad}");
        }
    }

    #[test]
    fn stray_bytes_are_skipped_to_the_next_item() {
        let stray: [&[u8]; 7] = [
            b"eleven byte",
            b"$$$$$$$$$$$",
            b"$\x02\x00\x04....",
            b"$\x00\xff\xff.......",
            b"RTSP/1.0 200 OK\r\nCSeq: 1",
            b"OPTIONS",
            &[0; 5000],
        ];
        for stray in stray {
            let bytes = [OK, &packet(0, 100), stray, &packet(1, 200), &packet(0, 50), OK].concat();
            for sizes in [&[1_000_000][..], &[1], &[13]] {
                let (items, skipped) = read(&bytes, sizes).unwrap();
                let expected = ["200 0", "0: 100", "1: 200", "0: 50", "200 0"];
                assert_eq!(items, expected, "{stray:?}");
                assert_eq!(skipped, stray.len() as u64);
            }
        }
        let endless = [OK.to_vec(), vec![0; MAX_GARBAGE + 1]].concat();
        assert_eq!(read(&endless, &[4096]), Err(ReadError::Garbage));
    }

    #[test]
    fn a_packet_that_lost_its_end_takes_only_the_next_with_it() {
        let short = &packet(0, 100)[..90];
        let bytes = [OK, short, &packet(0, 300), &packet(1, 200), &packet(0, 50)].concat();
        let (items, _) = read(&bytes, &[1_000_000]).unwrap();
        assert_eq!(items, ["200 0", "0: 100", "1: 200", "0: 50"]);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(sizes in prop::collection::vec(1_usize..5000, 1..20)) {
            let (bytes, _) = conversation();
            prop_assert_eq!(read(&bytes, &sizes), read(&bytes, &[1_000_000]));
        }

        #[test]
        fn no_bytes_make_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..3000),
            sizes in prop::collection::vec(1_usize..100, 1..5),
            begins: bool,
        ) {
            let bytes = if begins { [OK, &bytes].concat() } else { bytes };
            let _ = read(&bytes, &sizes);
        }

        #[test]
        fn no_damage_makes_it_panic(at in 0_usize..100, byte: u8, end in 0_usize..1500) {
            let (mut bytes, _) = conversation();
            bytes[at] = byte;
            let _ = read(&bytes[..end], &[11]);
        }

        #[test]
        fn packets_after_stray_bytes_are_found(
            stray in prop::collection::vec(any::<u8>().prop_filter("no start", |b| *b != b'$'), 1..40),
        ) {
            let bytes = [OK, &packet(0, 100), &stray, &packet(1, 200), &packet(0, 50)].concat();
            let (items, _) = read(&bytes, &[7]).unwrap();
            prop_assert_eq!(&items[items.len() - 2..], ["1: 200", "0: 50"]);
        }
    }
}
