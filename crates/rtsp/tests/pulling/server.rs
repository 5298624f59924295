//! A scripted RTSP server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Answers the requests of one connection, and may send more; `None` hangs up.
pub(crate) type Script = Box<dyn FnMut(&Request, &mut TcpStream) -> Option<String> + Send>;

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
            let request = self.asked.recv_timeout(Duration::from_secs(20)).unwrap();
            if request.starts_with(method) {
                return request;
            }
        }
    }
}

/// A request of the client.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    /// All of its head.
    text: String,
}

impl Request {
    fn read(head: &[u8]) -> Self {
        let text = String::from_utf8(head.to_vec()).unwrap();
        let mut words = text.split(' ').map(str::to_owned);
        let (method, url) = (words.next().unwrap(), words.next().unwrap());
        assert!(text.lines().nth(1).unwrap().starts_with("CSeq: "), "{text}");
        Self { method, url, text }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &'_ str| line.split_once(": ").is_some_and(|(known, _)| known == name);
        self.text.lines().find(|line| named(line)).map(|line| &line[name.len() + 2..])
    }
}

/// The next request or interleaved packet: where it ends.
fn whole(bytes: &[u8]) -> Option<usize> {
    let end = match bytes {
        [b'$', _, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
        [b'$', ..] => return None,
        _ => 4 + bytes.windows(4).position(|four| four == b"\r\n\r\n")?,
    };
    (end <= bytes.len()).then_some(end)
}

fn serve(mut stream: TcpStream, mut script: Script, asking: &Sender<String>) {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let Some(end) = whole(&bytes) else {
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => return,
                Ok(read) => bytes.extend_from_slice(&piece[..read]),
            }
            continue;
        };
        let item: Vec<u8> = bytes.drain(..end).collect();
        if item[0] == b'$' {
            let _ = asking.send(format!("${} {:?}", item[1], &item[4..]));
            continue;
        }
        let request = Request::read(&item);
        let _ = asking.send(request.text.clone());
        let Some(answer) = script(&request, &mut stream) else { return };
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

pub(crate) const SDP: &str = "v=0\r\ns=News\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n\
    a=rtpmap:96 H264/90000\r\na=control:track1\r\nm=audio 0 RTP/AVP 14\r\na=control:track2\r\n";

/// An answer with this status and these headers.
pub(crate) fn answer(request: &Request, status: &str, headers: &str) -> String {
    let cseq = request.header("CSeq").unwrap();
    format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n{headers}\r\n")
}

/// A good server: it plays [`SDP`], and with the answer to PLAY `send` is called
/// with the client's UDP ports, or with none where packets are interleaved.
pub(crate) fn good(send: impl Fn(&[u16], &mut TcpStream) + Send + 'static) -> Script {
    let mut ports = Vec::new();
    Box::new(move |request, stream| {
        let ok = |headers: &str| Some(answer(request, "200 OK", headers));
        match request.method.as_str() {
            "OPTIONS" => ok("Public: DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n"),
            "DESCRIBE" => {
                let head = format!("Content-Base: {}/\r\n", request.url);
                let length = format!("Content-Length: {}\r\n", SDP.len());
                ok(&(head + &length)).map(|answer| answer + SDP)
            }
            "SETUP" => {
                let transport = request.header("Transport").unwrap();
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

/// A server that needs a pause after each answer, as Darwin Streaming Server does.
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

/// The next packet at a socket.
pub(crate) fn next(socket: &UdpSocket) -> Vec<u8> {
    let mut packet = vec![0; 65_536];
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = socket.recv(&mut packet).unwrap();
    packet.truncate(length);
    packet
}
