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
use rtsp::{Error, Order, Output, Pull, State, Transport};
use server::{
    SDP, Script, Server, answer, good, interleaved, next, rtp, sender_report, slow_to_finish,
};

/// Longer than any step takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A pull, the sockets that its packets go to, and its states.
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
        media: Session::parse(SDP.as_bytes()).unwrap().formats(),
        outputs: vec![
            Output::to(at(&video), at(&video_rtcp)).unwrap(),
            Output::to(at(&audio), audio_rtcp).unwrap(),
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

    /// Waits until it plays, and returns the transport.
    fn wait_for_play(&self) -> Transport {
        loop {
            if let State::Playing { transport, .. } = self.next_state() {
                return transport;
            }
        }
    }

    /// The first failure.
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
fn a_server_gets_a_pause_before_each_request() {
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
fn packets_come_interleaved_if_udp_is_refused() {
    let server =
        Server::start(vec![refusing("SETUP", "461 Unsupported Transport"), interleaving(200)]);
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

/// Refuses requests with this method.
fn refusing(method: &'static str, status: &'static str) -> Script {
    let mut good = good(|_, _| {});
    Box::new(move |request, stream| match &request.method {
        refused if refused == method => Some(answer(request, status, "")),
        _ => good(request, stream),
    })
}

/// Answers SETUP with this transport.
fn offering(transport: &'static str) -> Script {
    let mut good = good(|_, _| {});
    let headers = format!("Session: abc\r\nTransport: {transport}\r\n");
    Box::new(move |request, stream| match request.method.as_str() {
        "SETUP" => Some(answer(request, "200 OK", &headers)),
        _ => good(request, stream),
    })
}

#[test]
fn any_failure_of_udp_leads_to_tcp_at_once() {
    let cases: Vec<(&str, Script)> = vec![
        ("400", refusing("SETUP", "400 Bad Request")),
        ("403", refusing("SETUP", "403 Forbidden")),
        ("406", refusing("SETUP", "406")),
        ("500", refusing("SETUP", "500 Oh")),
        ("551", refusing("SETUP", "551 Option not supported")),
        ("PLAY", refusing("PLAY", "457 Invalid Range")),
        ("TCP", offering("RTP/AVP/TCP;unicast;interleaved=0-1")),
        ("multicast", offering("RTP/AVP;multicast;destination=224.1.1.1;port=1-2")),
        ("hang-up", good(|_, stream| stream.shutdown(std::net::Shutdown::Both).unwrap())),
        ("silence", good(|_, _| {})),
    ];
    for (case, script) in cases {
        let server = Server::start(vec![script, interleaving(1)]);
        let scene = scene(&url(&server), Transport::Udp);
        assert_eq!(scene.next_state(), State::Connecting, "{case}");
        let State::Playing { transport, .. } = scene.next_state() else { panic!("{case}") };
        assert_eq!(transport, Transport::Tcp, "{case}");
        assert_eq!(next(&scene.video), rtp(0, 100));
    }
}

#[test]
fn the_error_has_the_reasons_of_both_transports() {
    let server = Server::start(vec![
        refusing("SETUP", "461 Unsupported Transport"),
        refusing("SETUP", "500 Oh"),
    ]);
    let why = scene(&url(&server), Transport::Udp).failure();
    assert_eq!(
        why.to_string(),
        "over UDP: SETUP is refused: 461 (not by that transport); over TCP: SETUP is refused: 500 \
         (an error of its own)"
    );
}

/// Changes each answer of a good server that interleaves one packet.
fn changed(change: impl Fn(&str, String) -> String + Send + 'static) -> Script {
    let mut good = interleaving(1);
    Box::new(move |request, stream| match request.method.as_str() {
        "PLAY" => {
            stream.write_all(change("PLAY", answer(request, "200 OK", "")).as_bytes()).unwrap();
            stream.write_all(&interleaved(0, &rtp(0, 100))).unwrap();
            Some(String::new())
        }
        method => {
            let answer = good(request, stream)?;
            Some(change(method, answer))
        }
    })
}

#[test]
fn answers_are_read_as_servers_write_them() {
    let without_session = |answer: String| {
        let lines = answer.split_inclusive("\r\n");
        lines.filter(|line| !line.starts_with("Session")).collect::<String>()
    };
    let cases: Vec<(&str, Script)> = vec![
        ("CSeq", changed(|_, answer| answer.replace("CSeq: ", "CSeq: 9"))),
        ("no reason", changed(|_, answer| answer.replace(" OK", ""))),
        (
            "LF",
            changed(|_, answer| {
                let (head, body) = answer.split_once("\r\n\r\n").unwrap();
                format!("{}\n\n{body}", head.replace("\r\n", "\n"))
            }),
        ),
        ("no Session", changed(move |_, answer| without_session(answer))),
        (
            "Session in PLAY",
            changed(move |method, answer| match method {
                "PLAY" => answer.replacen("\r\n", "\r\nSession: late\r\n", 1),
                _ => without_session(answer),
            }),
        ),
    ];
    for (case, script) in cases {
        let server = Server::start(vec![script]);
        let scene = scene(&url(&server), Transport::Tcp);
        assert_eq!(scene.next_state(), State::Connecting);
        let State::Playing { .. } = scene.next_state() else { panic!("{case}") };
        assert!(scene.pull.ending().wait(PATIENCE));
        let session = server.wait_for("TEARDOWN").contains("Session: late\r\n");
        assert_eq!(session, case == "Session in PLAY", "{case}");
    }
}

#[test]
fn stray_bytes_between_packets_are_skipped_and_counted() {
    let server = Server::start(vec![good(|_, stream| {
        for sequence in 0..3 {
            stream.write_all(&interleaved(0, &rtp(sequence, 100))).unwrap();
            stream.write_all(b"eleven byte").unwrap();
        }
        stream.write_all(&interleaved(0, &rtp(3, 100))).unwrap();
    })]);
    let scene = scene(&url(&server), Transport::Tcp);
    for sequence in 0..4 {
        assert_eq!(next(&scene.video), rtp(sequence, 100));
    }
    let skips = |state| match state {
        State::Playing { skipped, .. } => skipped,
        _ => 0,
    };
    assert!(std::iter::repeat_with(|| skips(scene.next_state())).any(|skipped| skipped >= 11));
}

#[test]
fn packets_of_another_address_are_dropped() {
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

/// Requires a login that contains `proof`.
fn locked(challenge: &'static str, proof: &'static str, mut open: Script) -> Script {
    Box::new(move |request, stream| match request.header("Authorization") {
        Some(header) if header.contains(proof) => open(request, stream),
        _ => Some(answer(request, "401 Unauthorized", challenge)),
    })
}

#[test]
fn basic_and_digest_logins_succeed() {
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
fn a_wrong_password_is_an_error_that_does_not_show_it() {
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

/// Whether an error is the expected one.
type Judge = fn(&Error) -> bool;

/// Answers DESCRIBE with this.
fn describing(status: &'static str, headers: String) -> Script {
    Box::new(move |request, _| match request.method.as_str() {
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
fn a_bad_answer_is_an_error() {
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
        (description("<html>"), |why| matches!(why, Error::BadOffer { line: 1, .. })),
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
        // A reset may overtake the packet.
        std::thread::sleep(Duration::from_millis(200));
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
fn a_silent_server_fails_in_time_and_can_be_left_at_any_time() {
    let mute = || -> Script { Box::new(|_, _| Some(String::new())) };
    let server = Server::start(vec![mute(), mute(), mute()]);
    let left = scene(&url(&server), Transport::Udp);
    assert_eq!(left.next_state(), State::Connecting);
    assert!(left.pull.ending().wait(PATIENCE));
    let scene = scene(&url(&server), Transport::Udp);
    assert!(matches!(scene.failure(), Error::NoAnswer { method: "OPTIONS", .. }));
    assert!(scene.pull.ending().wait(PATIENCE));
}
