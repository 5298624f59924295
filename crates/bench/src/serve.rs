//! An RTSP server that plays numbered, timed packets, interleaved in the connection.

use crate::clock;
use crate::packet::{Packet, SHORTEST};
use anyhow::{Context, ensure};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// The head of an interleaved packet: `$`, its channel, its length (RFC 2326, 10.12).
const PREFIX: usize = 4;

/// An offer for which any payload is valid, so that every client forwards it.
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=bench\r\nt=0 0\r\n\
    m=audio 0 RTP/AVP 96\r\na=rtpmap:96 L16/44100/2\r\na=control:track\r\n";

#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The address to listen at.
    #[arg(long)]
    at: SocketAddr,
    /// Packets a second.
    #[arg(long)]
    rate: u64,
    /// Packets that leave together.
    #[arg(long, default_value_t = 1)]
    frame: u16,
    /// The length of a packet, in bytes.
    #[arg(long, default_value_t = 1200)]
    size: u16,
}

impl Serve {
    /// Serves one client after the other.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        nix::sys::prctl::set_timerslack(1)?;
        ensure!(usize::from(self.size) >= SHORTEST, "a packet takes {SHORTEST} bytes");
        ensure!(self.rate > 0 && self.frame > 0, "nothing would be sent");
        let listener = TcpListener::bind(self.at).with_context(|| self.at.to_string())?;
        for stream in listener.incoming() {
            // A client that leaves is no error.
            let _ = self.talk(stream?);
        }
        Ok(())
    }

    /// Answers requests until PLAY, then plays until the client leaves.
    fn talk(&self, mut stream: TcpStream) -> anyhow::Result<()> {
        stream.set_nodelay(true)?;
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        loop {
            let (mut method, mut cseq, mut transport) =
                (String::new(), String::new(), String::new());
            loop {
                let line = lines.next().context("the client has gone")??;
                match line.split_once(": ") {
                    _ if line.is_empty() => break,
                    Some(("CSeq", value)) => value.clone_into(&mut cseq),
                    Some(("Transport", value)) => value.clone_into(&mut transport),
                    Some(_) => {}
                    None => method = line.split(' ').next().unwrap_or_default().to_owned(),
                }
            }
            let (status, more) = match method.as_str() {
                "DESCRIBE" => ("200 OK", format!("Content-Length: {}\r\n\r\n{SDP}", SDP.len())),
                "SETUP" if transport.contains("/TCP") => {
                    ("200 OK", format!("Session: 1\r\nTransport: {transport}\r\n\r\n"))
                }
                "SETUP" => ("461 Unsupported Transport", "\r\n".to_owned()),
                _ => ("200 OK", "Session: 1\r\n\r\n".to_owned()),
            };
            stream.write_all(format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n{more}").as_bytes())?;
            if method == "PLAY" {
                return self.play(&mut stream);
            }
        }
    }

    fn play(&self, stream: &mut TcpStream) -> anyhow::Result<()> {
        let (size, frame) = (usize::from(self.size), u64::from(self.frame));
        let mut frames = vec![0; usize::from(self.frame) * (PREFIX + size)];
        let begin = clock::now();
        for departure in 0.. {
            clock::sleep_until(begin + departure * frame * 1_000_000_000 / self.rate);
            let sent = clock::now();
            for (number, packet) in
                (departure * frame..).zip(frames.chunks_exact_mut(PREFIX + size))
            {
                let [high, low] = self.size.to_be_bytes();
                packet[..PREFIX].copy_from_slice(&[b'$', 0, high, low]);
                Packet { number, sent }.write(0, &mut packet[PREFIX..]);
            }
            stream.write_all(&frames)?;
        }
        Ok(())
    }
}
