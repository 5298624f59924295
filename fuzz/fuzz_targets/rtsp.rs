//! Fuzzes reading from an RTSP server: messages with interleaved packets.
//!
//! The first byte selects the size of the pieces in which the rest arrives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtsp::{Item, MAX_BODY, Reader};

fuzz_target!(|input: &[u8]| {
    let Some((&size, mut rest)) = input.split_first() else { return };
    let mut reader = Reader::default();
    reader.expect(0);
    reader.expect(b' ');
    let mut taken = 0;
    loop {
        loop {
            match reader.next() {
                Err(_) => return,
                Ok(None) => break,
                Ok(Some(Item::Packet { payload, .. })) => taken += 4 + payload.len(),
                Ok(Some(Item::Message(message))) => {
                    assert!(message.body.len() <= MAX_BODY);
                    taken += message.body.len();
                }
            }
        }
        assert!(taken <= input.len());
        if rest.is_empty() {
            return;
        }
        let room = reader.room();
        let length = usize::from(size).max(1).min(rest.len()).min(room.len());
        assert!(length > 0, "there is always room");
        let (piece, after) = rest.split_at(length);
        room[..length].copy_from_slice(piece);
        reader.filled(length);
        rest = after;
    }
});
