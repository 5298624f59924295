//! A reload of many streams: callers do not wait for it, and the memory is given back.
//!
//! `DYNRELAY_STREAMS=50000` makes the catalogue larger.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a test may fail"
)]

mod daemon;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use daemon::{Daemon, Host};

/// In KiB, the program's own code and a stream's share: 300 MiB for 50,000 streams.
const OWN_MEMORY: usize = 20 << 10;
const STREAM_MEMORY: usize = 6;

/// Writes the two SDP files of a stream: its own, and the edge's.
fn write_stream(host: &Host, number: u32) {
    let [_, high, low, _] = (number << 8).to_be_bytes();
    let port = 10_000 + 4 * (number / 2 % 12_500);
    let sdp = |address: &str| {
        format!(
            "v=0\r\no=- 0 0 IN IP4 {address}\r\ns=Stream {number}\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
             m=video {port} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
             m=audio {} RTP/AVP 14\r\n",
            port + 2
        )
    };
    host.write(&format!("streams/s{number}.sdp"), &sdp(&format!("239.{high}.{low}.1")));
    let even = number.is_multiple_of(2);
    let edge = if even { "one" } else { "two" };
    let address = if even { "198.51.100.1" } else { "198.51.100.2" };
    host.write(&format!("streams/s{number}.{edge}.sdp"), &sdp(address));
}

/// The longest that a caller waits until a request is answered, while `reload` runs.
fn longest_wait(daemon: &Daemon, reload: &std::thread::JoinHandle<()>) -> Duration {
    let requests = [
        r#"{"op":"ping"}"#,
        r#"{"op":"list","all":true}"#,
        r#"{"op":"show","stream":"s7"}"#,
        r#"{"op":"start","stream":"news","client":"192.0.2.7"}"#,
        r#"{"op":"start","stream":"news"}"#,
    ];
    let mut longest = Duration::ZERO;
    for request in requests.iter().cycle() {
        let asked = Instant::now();
        assert!(daemon.ask(request)["ok"].is_object(), "{request}");
        longest = longest.max(asked.elapsed());
        if reload.is_finished() {
            break;
        }
    }
    longest
}

#[test]
fn callers_are_answered_while_a_large_catalogue_is_read() {
    let streams = std::env::var("DYNRELAY_STREAMS").ok().and_then(|text| text.parse().ok());
    let streams: u32 = streams.unwrap_or(5000);
    let host = Host::in_folder(Path::new("/dev/shm"));
    host.configure(
        "[[edge]]\nname = \"one\"\naddress = \"198.51.100.1\"\nurl = \"rtsp://one.example\"\n\
         [[edge]]\nname = \"two\"\naddress = \"198.51.100.2\"\nurl = \"rtsp://two.example\"\n",
    );
    (0..streams).for_each(|number| write_stream(&host, number));
    let mut daemon = host.run();
    let before = daemon.holds().resident;
    let mut waits = Vec::new();
    for round in 0..3 {
        // One stream goes, and one comes.
        fs::remove_file(host.path(&format!("streams/s{}.one.sdp", 2 * round))).unwrap();
        write_stream(&host, streams + round);
        let caller = daemon.connect();
        let reload = std::thread::spawn(move || {
            use std::io::{BufRead, BufReader, Write};
            (&caller).write_all(b"{\"op\":\"reload\"}\n").unwrap();
            let mut answer = String::new();
            BufReader::new(caller).read_line(&mut answer).unwrap();
            assert!(answer.starts_with(r#"{"ok":{"streams":"#), "{answer:.200}");
        });
        waits.push(longest_wait(&daemon, &reload));
        reload.join().unwrap();
    }
    std::thread::sleep(Duration::from_secs(1));
    let after = daemon.holds().resident;
    println!("waits {waits:?}, memory {before} and then {after} KiB");
    // On a busy machine the caller itself may wait for its turn.
    assert!(waits.iter().any(|wait| *wait <= Duration::from_millis(50)), "{waits:?}");
    let most = OWN_MEMORY + STREAM_MEMORY * usize::try_from(streams).unwrap();
    assert!(after <= most, "{after} KiB after the reloads, {before} before");
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.wait().success());
}
