//! An RTSP server that does as it is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rtsp_types::{Message, ParseError, Request};

/// What one connection is about: answers requests, and may send more on its own.
pub(crate) type Script = Box<dyn FnMut(&Request<Vec<u8>>, &mut TcpStream) -> Option<String> + Send>;

/// A server on this host. Each connection gets the next script; without one it is closed.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The requests, each with all its headers, in the order in which they came. What comes
    /// interleaved is `$`, the channel and the bytes: `$1 [128, 201, …]`.
    pub(crate) asked: Receiver<String>,
}

impl Server {
    pub(crate) fn start(mut scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asking, asked) = channel();
        scripts.reverse();
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let Some(script) = scripts.pop() else { continue };
                let asking = asking.clone();
                thread::spawn(move || serve(stream, script, &asking));
            }
        });
        Self { address, asked }
    }

    /// Waits for a request with this method.
    pub(crate) fn wait_for(&self, method: &str) -> String {
        loop {
            let request = self.asked.recv_timeout(Duration::from_secs(60)).unwrap();
            if request.starts_with(method) {
                return request;
            }
        }
    }
}

fn serve(mut stream: TcpStream, mut script: Script, asking: &Sender<String>) {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match Message::<Vec<u8>>::parse(&bytes) {
            Ok((message, length)) => {
                bytes.drain(..length);
                if let Message::Request(request) = message {
                    let mut text = Vec::new();
                    request.write(&mut text).unwrap();
                    let _ = asking.send(String::from_utf8(text).unwrap());
                    let Some(answer) = script(&request, &mut stream) else { return };
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                } else if let Message::Data(data) = message {
                    let told = format!("${} {:?}", data.channel_id(), data.as_slice());
                    let _ = asking.send(told);
                }
            }
            Err(ParseError::Incomplete(_)) => match stream.read(&mut piece) {
                Ok(0) | Err(_) => return,
                Ok(read) => bytes.extend_from_slice(&piece[..read]),
            },
            Err(ParseError::Error) => return,
        }
    }
}

pub(crate) const SDP: &str = "v=0\r\ns=News\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n\
    a=rtpmap:96 H264/90000\r\na=control:track1\r\nm=audio 0 RTP/AVP 14\r\na=control:track2\r\n";

/// An answer with this status and these headers.
pub(crate) fn answer(request: &Request<Vec<u8>>, status: &str, headers: &str) -> String {
    let cseq = request.header(&rtsp_types::headers::CSEQ).unwrap();
    format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n{headers}\r\n")
}

pub(crate) fn header(request: &Request<Vec<u8>>, name: &str) -> Option<String> {
    let named = |(header, value): (&rtsp_types::HeaderName, &rtsp_types::HeaderValue)| {
        header.as_str().eq_ignore_ascii_case(name).then(|| value.as_str().to_owned())
    };
    request.headers().find_map(named)
}

/// What a server does that is well: it plays [`SDP`], and with the answer to PLAY `send` is called
/// with the client's UDP ports, or with none where packets are interleaved.
pub(crate) fn good(send: impl Fn(&[u16], &mut TcpStream) + Send + 'static) -> Script {
    let mut ports = Vec::new();
    Box::new(move |request, stream| {
        let ok = |headers: &str| Some(answer(request, "200 OK", headers));
        match <&str>::from(request.method()) {
            "OPTIONS" => ok("Public: DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n"),
            "DESCRIBE" => {
                let head = format!("Content-Base: {}/\r\n", request.request_uri().unwrap());
                let length = format!("Content-Length: {}\r\n", SDP.len());
                ok(&(head + &length)).map(|answer| answer + SDP)
            }
            "SETUP" => {
                let transport = header(request, "transport").unwrap();
                if let Some((_, pair)) = transport.split_once("client_port=") {
                    ports.push(pair.split_once('-').unwrap().0.parse().unwrap());
                }
                ok(&format!("Session: abc;timeout=2\r\nTransport: {transport}\r\n"))
            }
            "PLAY" => {
                stream.write_all(ok("").unwrap().as_bytes()).unwrap();
                send(&ports, stream);
                Some(String::new())
            }
            _ => ok(""),
        }
    })
}

/// The same, of a server that can't be hurried: Darwin Streaming Server isn't done with a request when
/// it answers.
pub(crate) fn slow_to_finish(mut script: Script) -> Script {
    let mut answered: Option<Instant> = None;
    Box::new(move |request, stream| {
        let hurried = answered.is_some_and(|at| at.elapsed() < Duration::from_millis(1));
        let reply = match hurried {
            true => Some(answer(request, "500 Internal Server Error", "Connection: Close\r\n")),
            false => script(request, stream),
        };
        answered = Some(Instant::now());
        reply
    })
}

/// An RTP packet of [`SDP`]'s video.
pub(crate) fn rtp(sequence: u16, length: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 0, 0, 0, 0, 7]);
    packet.resize(length.max(12), 0xab);
    packet
}

/// A sender report of the same.
pub(crate) fn sender_report() -> Vec<u8> {
    let mut report = vec![0x80, 200, 0, 6, 0, 0, 0, 7];
    report.extend([0; 20]);
    report
}

pub(crate) fn interleaved(channel: u8, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![b'$', channel];
    frame.extend(u16::try_from(packet.len()).unwrap().to_be_bytes());
    frame.extend(packet);
    frame
}

/// What comes next to a socket.
pub(crate) fn next(socket: &UdpSocket) -> Vec<u8> {
    let mut packet = vec![0; 65_536];
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let length = socket.recv(&mut packet).unwrap();
    packet.truncate(length);
    packet
}
