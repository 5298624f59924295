//! Many streams and one edge that takes them all, on a loopback address.
#![allow(dead_code, reason = "each test program uses its part of it")]

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Daemon, Host, PATIENCE};

/// Ports below those that the system assigns, so that nobody else uses them.
const ARRIVE: u16 = 10_000;
const EDGE: u16 = 20_000;

/// The edge's name.
pub const FAR: &str = "far";

/// A [`Host`] with more streams: `s0`, `s1`, … to the edge `far`.
pub struct Crowd {
    pub host: Host,
    pub address: Ipv4Addr,
    /// The edge's RTP ports, stream by stream, while they are open.
    pub edge: Vec<Option<UdpSocket>>,
}

impl Crowd {
    /// This many streams, with every port of the edge open.
    pub fn new(streams: u16, more: &str) -> Self {
        let crowd = Self { host: Host::new(), address: own_address(), edge: Vec::new() };
        crowd.configure(more);
        let mut crowd = crowd;
        for stream in 0..streams {
            crowd.write_stream(stream);
            crowd.write_consent(stream);
            crowd.edge.push(None);
            crowd.open(stream);
        }
        crowd
    }

    pub fn configure(&self, more: &str) {
        let rtsp = self.host.rtsp.local_addr().unwrap();
        let address = self.address;
        self.host.configure(&format!(
            "[[edge]]\nname = \"{FAR}\"\naddress = \"{address}\"\nurl = \"rtsp://{rtsp}\"\n{more}"
        ));
    }

    pub fn write_stream(&self, stream: u16) {
        self.host.write(&format!("streams/s{stream}.sdp"), &self.sdp(ARRIVE + 2 * stream));
    }

    pub fn write_consent(&self, stream: u16) {
        self.host.write(&format!("streams/s{stream}.{FAR}.sdp"), &self.sdp(EDGE + 2 * stream));
    }

    /// An SDP file with RTP at that port, and RTCP at the next.
    pub fn sdp(&self, port: u16) -> String {
        let address = self.address;
        format!(
            "v=0\no=- 0 0 IN IP4 {address}\ns=-\nc=IN IP4 {address}\nt=0 0\n\
             m=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n"
        )
    }

    /// The edge opens its port for a stream, because somebody watches there.
    pub fn open(&mut self, stream: u16) {
        let socket = UdpSocket::bind((self.address, EDGE + 2 * stream)).unwrap();
        socket.set_nonblocking(true).unwrap();
        self.edge[usize::from(stream)] = Some(socket);
    }

    pub fn close(&mut self, stream: u16) {
        self.edge[usize::from(stream)] = None;
    }

    /// Takes the packets that have arrived at the edge for a stream. All must be of that stream.
    /// Returns their number.
    pub fn take(&self, stream: u16) -> usize {
        let Some(socket) = &self.edge[usize::from(stream)] else { return 0 };
        let mut packet = [0; 100];
        (0..)
            .take_while(|_| match socket.recv(&mut packet) {
                Ok(length) => {
                    let of = u16::from_be_bytes([packet[12], packet[13]]);
                    assert_eq!((length, of), (14, stream), "a packet of another stream");
                    true
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    false
                }
            })
            .count()
    }

    /// Waits until packets have arrived at the edge for each of these streams.
    pub fn await_packets(&self, streams: impl IntoIterator<Item = u16>) {
        let begin = Instant::now();
        for stream in streams {
            while self.take(stream) == 0 {
                assert!(begin.elapsed() < PATIENCE, "no packet of s{stream}");
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Discards the packets that wait at the edge.
    pub fn drain(&self, streams: u16) {
        for stream in 0..streams {
            self.take(stream);
        }
    }
}

/// A loopback address that no other test uses.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU16 = AtomicU16::new(64);
    let [_, net] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, net, high, low)
}

/// An encoder of every stream. It sends numbered packets of each in turn until it is dropped.
pub struct Encoders {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Encoders {
    pub fn of(crowd: &Crowd, pause: Duration) -> Self {
        let (address, streams) = (crowd.address, 0..);
        let to: Vec<(u16, SocketAddr)> = streams
            .zip(&crowd.edge)
            .map(|(stream, _): (u16, _)| (stream, (address, ARRIVE + 2 * stream).into()))
            .collect();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            for sequence in (0..=u16::MAX).cycle() {
                let [high, low] = sequence.to_be_bytes();
                for (stream, to) in &to {
                    let [of, stream] = stream.to_be_bytes();
                    let packet = [0x80, 96, high, low, 0, 0, 0, 0, 0, 0, 0, 1, of, stream];
                    // The send is refused while nobody listens there.
                    let _ = socket.send_to(&packet, to);
                }
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                thread::sleep(pause);
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Encoders {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Daemon {
    pub fn start_stream(&self, stream: u16) -> Value {
        self.ask(&format!(r#"{{"op":"start","stream":"s{stream}"}}"#))
    }

    /// Every open relay, by its stream.
    pub fn relays(&self) -> BTreeMap<String, Value> {
        let list = self.ask(r#"{"op":"list"}"#);
        let relays = list["ok"]["relays"].as_array().unwrap().iter();
        relays.map(|relay| (relay["stream"].as_str().unwrap().to_owned(), relay.clone())).collect()
    }
}
