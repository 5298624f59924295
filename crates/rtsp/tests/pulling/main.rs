//! Pulling from a server on this host.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod server;
mod session;

use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use catalog::RtspSource;
use catalog::sdp::Session;
use rtsp::{Error, Order, Outlet, Pull, State, Transport};
use server::{
    SDP, Script, Server, answer, good, header, interleaved, next, rtp, sender_report,
    slow_to_finish,
};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A pull, where its packets come out, and what it tells.
struct Scene {
    pull: Pull,
    video: UdpSocket,
    video_rtcp: UdpSocket,
    audio: UdpSocket,
    states: Receiver<State>,
}

fn scene(url: &str, transport: Transport) -> Scene {
    let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = |socket: &UdpSocket| socket.local_addr().unwrap();
    let (video, video_rtcp, audio) = (socket(), socket(), socket());
    let audio_rtcp: SocketAddr = at(&socket());
    let order = Order {
        source: RtspSource::try_from(url.to_owned()).unwrap(),
        medias: Session::parse(SDP.as_bytes()).unwrap().formats(),
        outlets: vec![
            Outlet { rtp: at(&video), rtcp: at(&video_rtcp) },
            Outlet { rtp: at(&audio), rtcp: audio_rtcp },
        ],
        transport,
    };
    let (tell, states) = channel();
    let pull = Pull::start(order, move |state| drop(tell.send(state))).unwrap();
    Scene { pull, video, video_rtcp, audio, states }
}

impl Scene {
    fn next_state(&self) -> State {
        self.states.recv_timeout(PATIENCE).unwrap()
    }

    /// Waits until it plays; over what.
    fn wait_for_play(&self) -> Transport {
        loop {
            if let State::Playing { transport, .. } = self.next_state() {
                return transport;
            }
        }
    }

    /// Why it failed first.
    fn failure(&self) -> Error {
        loop {
            match self.next_state() {
                State::Waiting { why, .. } => return why,
                State::Connecting => {}
                State::Playing { .. } => panic!("it plays"),
            }
        }
    }
}

/// Sends these packets by UDP, to the ports of video, of its RTCP, and of audio.
fn by_udp(count: u16) -> Script {
    good(move |ports, _| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for sequence in 0..count {
            let packet = rtp(sequence, 100 + usize::from(sequence));
            socket.send_to(&packet, ("127.0.0.1", ports[0])).unwrap();
        }
        socket.send_to(&sender_report(), ("127.0.0.1", ports[0] + 1)).unwrap();
        socket.send_to(b"not even RTP", ("127.0.0.1", ports[1])).unwrap();
    })
}

/// The same, interleaved, and in pieces that end anywhere.
fn interleaving(count: u16) -> Script {
    good(move |ports, stream| {
        assert!(ports.is_empty());
        let mut frames = Vec::new();
        for sequence in 0..count {
            frames.extend(interleaved(0, &rtp(sequence, 100 + usize::from(sequence))));
        }
        frames.extend(interleaved(1, &sender_report()));
        frames.extend(interleaved(2, b"not even RTP"));
        for piece in frames.chunks(97) {
            stream.write_all(piece).unwrap();
        }
    })
}

fn url(server: &Server) -> String {
    format!("rtsp://{}/news", server.address)
}

#[test]
fn a_server_is_not_hurried() {
    let server = Server::start(vec![slow_to_finish(by_udp(1))]);
    let scene = scene(&url(&server), Transport::Udp);
    assert_eq!(scene.next_state(), State::Connecting);
    let State::Playing { .. } = scene.next_state() else { panic!("it was refused") };
}

#[test]
fn over_udp_packets_pass_unchanged_and_teardown_ends_it() {
    let server = Server::start(vec![by_udp(50)]);
    let scene = scene(&url(&server), Transport::Udp);
    assert_eq!(scene.wait_for_play(), Transport::Udp);
    for sequence in 0..50 {
        assert_eq!(next(&scene.video), rtp(sequence, 100 + usize::from(sequence)));
    }
    assert_eq!(next(&scene.video_rtcp), sender_report());
    assert_eq!(next(&scene.audio), b"not even RTP");
    assert!(server.wait_for("SETUP").contains("/news/track1 RTSP/1.0"));
    assert!(server.wait_for("SETUP").contains("/news/track2 RTSP/1.0"));
    assert!(server.wait_for("PLAY").contains("Session: abc\r\n"));
    assert!(server.wait_for("GET_PARAMETER").contains("Session: abc\r\n"), "a sign of life");
    assert!(scene.pull.ending().wait(PATIENCE));
    assert!(server.wait_for("TEARDOWN").contains("/news/ RTSP/1.0"));
}

#[test]
fn where_udp_is_refused_packets_come_interleaved() {
    let refuse: Script = {
        let mut good = good(|_, _| {});
        Box::new(move |request, stream| match <&str>::from(request.method()) {
            "SETUP" => Some(answer(request, "461 Unsupported Transport", "")),
            _ => good(request, stream),
        })
    };
    let server = Server::start(vec![refuse, interleaving(200)]);
    let scene = scene(&url(&server), Transport::Udp);
    assert_eq!(scene.wait_for_play(), Transport::Tcp);
    for sequence in 0..200 {
        assert_eq!(next(&scene.video), rtp(sequence, 100 + usize::from(sequence)));
    }
    assert_eq!(next(&scene.video_rtcp), sender_report());
    assert_eq!(next(&scene.audio), b"not even RTP");
    drop(scene.pull);
    server.wait_for("TEARDOWN");
}

#[test]
fn where_udp_brings_nothing_packets_come_interleaved() {
    let server = Server::start(vec![good(|_, _| {}), interleaving(1)]);
    let scene = scene(&url(&server), Transport::Udp);
    assert_eq!(scene.wait_for_play(), Transport::Tcp);
    server.wait_for("TEARDOWN");
    assert_eq!(next(&scene.video), rtp(0, 100));
}

#[test]
fn what_others_send_to_its_ports_is_no_part_of_it() {
    let server = Server::start(vec![good(|ports, _| {
        let stranger = UdpSocket::bind("127.0.0.2:0").unwrap();
        stranger.send_to(&rtp(666, 100), ("127.0.0.1", ports[0])).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(&rtp(1, 100), ("127.0.0.1", ports[0])).unwrap();
    })]);
    let scene = scene(&url(&server), Transport::Udp);
    scene.wait_for_play();
    assert_eq!(next(&scene.video), rtp(1, 100));
}

/// Asks for a password, and takes `proof` for one.
fn locked(challenge: &'static str, proof: &'static str, mut open: Script) -> Script {
    Box::new(move |request, stream| match header(request, "authorization") {
        Some(header) if header.contains(proof) => open(request, stream),
        _ => Some(answer(request, "401 Unauthorized", challenge)),
    })
}

#[test]
fn basic_and_digest_open_what_is_locked() {
    for (challenge, proof) in [
        ("WWW-Authenticate: Basic realm=\"x\"\r\n", "Basic dTpzZWNyZXQ="),
        (
            "WWW-Authenticate: Basic realm=\"x\"\r\n\
             WWW-Authenticate: Digest realm=\"x\", nonce=\"1\", qop=\"auth\"\r\n",
            "Digest username=\"u\"",
        ),
    ] {
        let server = Server::start(vec![locked(challenge, proof, interleaving(1))]);
        let scene = scene(&url(&server).replace("rtsp://", "rtsp://u:secret@"), Transport::Tcp);
        scene.wait_for_play();
        assert_eq!(next(&scene.video), rtp(0, 100));
        assert!(scene.pull.ending().wait(PATIENCE));
        let last = server.wait_for("TEARDOWN");
        assert!(last.contains(proof) && !last.contains("secret"), "{last}");
    }
}

#[test]
fn a_wrong_password_is_said_and_not_shown() {
    let challenge = "WWW-Authenticate: Digest realm=\"secret\", nonce=\"1\"\r\n";
    let server = Server::start(vec![locked(challenge, "nothing", good(|_, _| {}))]);
    let scene = scene(&url(&server).replace("rtsp://", "rtsp://u:secret@"), Transport::Tcp);
    let why = scene.failure();
    assert_eq!(why, Error::WrongPassword);
    assert!(!format!("{why} {why:?}").contains("secret"));
    let open = Server::start(vec![locked(challenge, "nothing", good(|_, _| {}))]);
    let scene = self::scene(&url(&open), Transport::Tcp);
    assert_eq!(scene.failure(), Error::WantsPassword);
}

/// Whether an error is as it should be.
type Judge = fn(&Error) -> bool;

/// Answers DESCRIBE with this.
fn describing(status: &'static str, headers: String) -> Script {
    Box::new(move |request, _| match <&str>::from(request.method()) {
        "DESCRIBE" => Some(answer(request, status, &headers)),
        _ => Some(answer(request, "200 OK", "")),
    })
}

#[test]
fn a_redirection_is_followed_on_the_same_host_and_never_to_another() {
    let target = Server::start(vec![interleaving(1)]);
    let location = format!("Location: {}\r\n", url(&target));
    let server = Server::start(vec![describing("302 Found", location)]);
    let scene = scene(&url(&server), Transport::Tcp);
    scene.wait_for_play();
    let elsewhere = "Location: rtsp://192.0.2.1/news\r\n".to_owned();
    let server = Server::start(vec![describing("301 Moved", elsewhere)]);
    let scene = self::scene(&url(&server), Transport::Tcp);
    assert_eq!(scene.failure(), Error::Redirects { code: 301, elsewhere: true });
    let listener = Server::start((0..9).map(|_| describing("302 Found", String::new())).collect());
    let scene = self::scene(&url(&listener), Transport::Tcp);
    assert_eq!(scene.failure(), Error::Redirects { code: 302, elsewhere: false });
}

#[test]
fn what_is_wrong_with_an_answer_is_said() {
    let description =
        |sdp: &str| describing("200 OK", format!("Content-Length: {}\r\n\r\n{sdp}", sdp.len() + 2));
    let nothing: Script = Box::new(|_, _| None);
    let cases: Vec<(Script, Judge)> = vec![
        (nothing, |why| matches!(why, Error::HungUp { .. })),
        (describing("404 Not Found", String::new()), |why| {
            *why == Error::Refused { method: "DESCRIBE", code: 404 }
        }),
        (description("v=0\r\nm=video 0 RTP/AVP 97"), |why| {
            matches!(why, Error::Unfit { number: 1, .. })
        }),
        (description("<html>"), |why| *why == Error::BadDescription { line: 1 }),
        (describing("200 OK", "X: y\r\n".repeat(10_000)), |why| {
            matches!(why, Error::Unreadable(_))
        }),
        (describing("200 OK", "Content-Length: 99999999999\r\n".into()), |why| {
            matches!(why, Error::Unreadable(_))
        }),
    ];
    for (script, expected) in cases {
        let server = Server::start(vec![script]);
        let scene = scene(&url(&server), Transport::Udp);
        let why = scene.failure();
        assert!(expected(&why), "{why}");
    }
    let nobody = Server::start(vec![]).address;
    let scene = scene(&format!("rtsp://{nobody}/"), Transport::Udp);
    assert!(matches!(scene.failure(), Error::HungUp { .. } | Error::Unreachable { .. }));
}

#[test]
fn a_server_that_hangs_up_is_asked_again() {
    let once: Script = good(|_, stream| {
        stream.write_all(&interleaved(0, &rtp(1, 100))).unwrap();
        stream.shutdown(std::net::Shutdown::Both).unwrap();
    });
    let nothing: Script = Box::new(|_, _| None);
    let server = Server::start(vec![once, nothing, interleaving(3)]);
    let scene = scene(&url(&server), Transport::Tcp);
    scene.wait_for_play();
    assert!(matches!(scene.failure(), Error::HungUp { .. }));
    assert!(matches!(scene.failure(), Error::HungUp { .. }));
    scene.wait_for_play();
    assert_eq!(next(&scene.video), rtp(1, 100));
    for sequence in 0..3 {
        assert_eq!(next(&scene.video), rtp(sequence, 100 + usize::from(sequence)));
    }
}

#[test]
fn who_never_answers_is_given_up_and_can_be_left_at_any_time() {
    let mute = || -> Script { Box::new(|_, _| Some(String::new())) };
    let server = Server::start(vec![mute(), mute(), mute()]);
    let left = scene(&url(&server), Transport::Udp);
    assert_eq!(left.next_state(), State::Connecting);
    assert!(left.pull.ending().wait(PATIENCE));
    let scene = scene(&url(&server), Transport::Udp);
    assert!(matches!(scene.failure(), Error::NoAnswer { method: "OPTIONS", .. }));
    assert!(scene.pull.ending().wait(PATIENCE));
}
