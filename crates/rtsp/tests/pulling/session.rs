//! Keep-alives and receiver reports.

use std::io::Write;

use rtsp::{State, Transport};

use crate::server::{Script, Server, answer, good, interleaved, rtp, sender_report};
use crate::{PATIENCE, interleaving, scene, url};

/// A server whose nonce becomes stale with each request of these methods.
fn forgetful(methods: &'static [&str], mut open: Script) -> Script {
    let mut nonce = 1;
    Box::new(move |request, stream| {
        let proof = request.header("Authorization").unwrap_or_default();
        let method = request.method.as_str();
        if proof.contains(&format!("nonce=\"{nonce}\"")) {
            nonce += u32::from(methods.contains(&method));
            return open(request, stream);
        }
        let stale = if proof.is_empty() { "" } else { ", stale=true" };
        let challenge =
            format!("WWW-Authenticate: Digest realm=\"x\", nonce=\"{nonce}\"{stale}\r\n");
        Some(answer(request, "401 Unauthorized", &challenge))
    })
}

#[test]
fn a_stale_nonce_does_not_end_the_session() {
    let server = Server::start(vec![forgetful(&["PLAY", "GET_PARAMETER"], interleaving(1))]);
    let scene = scene(&url(&server).replace("rtsp://", "rtsp://u:secret@"), Transport::Tcp);
    scene.wait_for_play();
    for nonce in ["nonce=\"1\"", "nonce=\"2\"", "nonce=\"2\"", "nonce=\"3\""] {
        let sign = server.wait_for("GET_PARAMETER");
        assert!(sign.contains(nonce) && sign.contains("Session: abc\r\n"), "{nonce}: {sign}");
    }
    assert!(scene.pull.ending().wait(PATIENCE));
    assert_eq!(scene.states.iter().filter(|state| *state != State::Connecting).count(), 0);
    // Even TEARDOWN gets a login with the new nonce.
    let all: Vec<String> = server.asked.try_iter().collect();
    let last = all.iter().rfind(|request| request.starts_with("TEARDOWN")).unwrap();
    assert!(last.contains("nonce=\"4\""), "{all:?}");
}

#[test]
fn a_server_without_get_parameter_is_asked_for_its_options() {
    let mut plays = good(|_, stream| stream.write_all(&interleaved(0, &rtp(1, 100))).unwrap());
    let poor: Script = Box::new(move |request, stream| match request.method.as_str() {
        "OPTIONS" => Some(answer(request, "200 OK", "Public: DESCRIBE, SETUP, PLAY\r\n")),
        "GET_PARAMETER" => Some(answer(request, "501 Not Implemented", "")),
        _ => plays(request, stream),
    });
    let server = Server::start(vec![poor]);
    let scene = scene(&url(&server), Transport::Tcp);
    scene.wait_for_play();
    server.wait_for("PLAY");
    assert!(server.wait_for("OPTIONS").contains("Session: abc\r\n"));
}

#[test]
fn a_forgotten_session_begins_again() {
    let mut plays = interleaving(1);
    let forgets: Script = Box::new(move |request, stream| match request.method.as_str() {
        "GET_PARAMETER" => Some(answer(request, "454 Session Not Found", "")),
        _ => plays(request, stream),
    });
    let server = Server::start(vec![forgets, interleaving(1)]);
    let scene = scene(&url(&server), Transport::Tcp);
    scene.wait_for_play();
    assert_eq!(scene.failure(), rtsp::Error::SessionOver);
    scene.wait_for_play();
}

#[test]
fn over_tcp_the_server_gets_receiver_reports() {
    let sends = good(|_, stream| {
        for sequence in [1, 2, 5] {
            stream.write_all(&interleaved(0, &rtp(sequence, 100))).unwrap();
        }
        stream.write_all(&interleaved(1, &sender_report())).unwrap();
    });
    let server = Server::start(vec![sends]);
    let scene = scene(&url(&server), Transport::Tcp);
    scene.wait_for_play();
    // One report for SSRC 7, which sent sequence numbers up to 5, of which two are missing.
    let block = "0, 0, 0, 7";
    let report = loop {
        let told = server.wait_for("$1 [129, 201,");
        if told.contains(block) {
            break told;
        }
    };
    let bytes: Vec<u8> = report["$1 [".len()..report.len() - 1]
        .split(", ")
        .map(|byte| byte.parse().unwrap())
        .collect();
    assert_eq!(bytes[8..12], [0, 0, 0, 7], "whose packets");
    assert_eq!(bytes[13..16], [0, 0, 2], "how many are lost");
    assert_eq!(bytes[16..20], [0, 0, 0, 5], "the last sequence number");
    assert_ne!(bytes[28..32], [0; 4], "how long ago the sender report came");
    assert!(scene.pull.ending().wait(PATIENCE));
    let leaving = |told: &String| told.starts_with("$1") && told.contains(" 203, ");
    assert!(
        server
            .asked
            .iter()
            .take_while(|one| !one.starts_with("TEARDOWN"))
            .any(|told| leaving(&told)),
        "BYE"
    );
}

#[test]
fn a_keep_alive_without_an_answer_ends_nothing_while_packets_come() {
    let mut plays = good(|_, stream| {
        let mut stream = stream.try_clone().unwrap();
        std::thread::spawn(move || {
            for sequence in 0.. {
                if stream.write_all(&interleaved(0, &rtp(sequence, 100))).is_err() {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        });
    });
    let mut asked = 0;
    let mute: Script = Box::new(move |request, stream| match request.method.as_str() {
        "GET_PARAMETER" => Some(String::new()),
        "OPTIONS" => {
            asked += 1;
            if asked == 1 { plays(request, stream) } else { Some(answer(request, "454 No", "")) }
        }
        _ => plays(request, stream),
    });
    let server = Server::start(vec![mute]);
    let scene = scene(&url(&server), Transport::Tcp);
    scene.wait_for_play();
    server.wait_for("GET_PARAMETER");
    // The method without an answer is not used again.
    for _ in 0..2 {
        assert!(server.wait_for("OPTIONS").contains("Session: abc\r\n"));
    }
    assert!(scene.states.try_iter().next().is_none());
}
