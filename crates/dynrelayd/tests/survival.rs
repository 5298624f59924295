//! Crashes, upgrades, reloads and want: what runs goes on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a test may fail"
)]

mod daemon;

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use daemon::crowd::{Crowd, Encoders};
use daemon::{Encoder, Host, PATIENCE};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::json;

const START: &str = r#"{"op":"start","stream":"news"}"#;
const MANY: u16 = 100;

#[test]
fn a_hundred_relays_run_again_after_a_kill_and_after_an_upgrade() {
    let crowd = Crowd::new(MANY, "[limits]\nstarts_per_second = 1000\n");
    let _encoders = Encoders::of(&crowd, Duration::from_millis(20));
    let mut daemon = crowd.host.run();
    for stream in 0..MANY {
        assert_eq!(daemon.start_stream(stream)["ok"]["edge"], "far");
    }
    crowd.await_packets(0..MANY);
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGKILL] {
        daemon.await_state_of(usize::from(MANY));
        daemon.signal(signal);
        daemon.wait();
        crowd.drain(MANY);
        let begin = Instant::now();
        daemon = crowd.host.start();
        crowd.await_packets(0..MANY);
        println!("after {signal}, all of {MANY} relays ran again in {:?}", begin.elapsed());
        daemon.log.wait_for("dynrelayd is up");
        assert_eq!(daemon.relays().len(), usize::from(MANY));
    }
}

#[test]
fn a_state_file_that_is_none_stops_nothing() {
    let host = Host::new();
    let state = host.path("state.json");
    let torn = r#"{"version":1,"relays":[{"stream":"ne"#;
    let later = r#"{"version":2,"relays":[]}"#;
    let odd = r#"{"version":1,"relays":[{"stream":"a\nb","edge":"../.."},{"stream":"news","edge":"dss2"}]}"#;
    for (text, said) in [
        ("", "is kept as"),
        (torn, "is kept as"),
        ("GIF89a", "is kept as"),
        (later, "it is of version 2, not 1"),
        (odd, "is no relay's name: passed over"),
    ] {
        fs::write(&state, text).unwrap();
        let daemon = host.run();
        daemon.log.wait_for(said);
        assert_eq!(daemon.relays().len(), usize::from(text == odd), "{text}");
    }
    let makes: [fn(&std::path::Path); 3] = [
        |path| fs::create_dir(path).unwrap(),
        |path| symlink("/nowhere", path).unwrap(),
        |path| mkfifo(path, Mode::S_IRWXU).unwrap(),
    ];
    for make in makes {
        fs::remove_file(&state).unwrap();
        make(&state);
        let daemon = host.run();
        daemon.ask(START);
        daemon.await_state_of(1);
        drop(daemon);
        assert_eq!(host.run().relays().len(), 1);
    }
}

#[test]
fn while_the_state_cant_be_written_relays_run_and_they_are_remembered_later() {
    let host = Host::new();
    // The place of the new file, which then takes the name of the old one.
    let obstacle = host.path("state.json.new/full");
    fs::create_dir_all(&obstacle).unwrap();
    let daemon = host.run();
    let _encoder = Encoder::to(host.arrives);
    daemon.ask(START);
    daemon.log.wait_for("will not survive a restart");
    daemon.log.wait_for("the relay is live");
    fs::remove_dir_all(host.path("state.json.new")).unwrap();
    daemon.log.wait_for("is written again");
    drop(daemon);
    assert_eq!(host.run().relays().len(), 1);
}

/// As root in a mount namespace of its own, with a disk of one page, which is full.
#[test]
fn a_full_disk_costs_nothing_but_the_memory() {
    let host = Host::new();
    host.set("state.json", "disk/state.json");
    fs::create_dir(host.path("disk")).unwrap();
    let script = r#"mount -t tmpfs -o size=4k none "$2/disk" &&
        { cat /dev/zero >"$2/disk/full" 2>/dev/null; exec "$1" --config "$2/dynrelay.toml"; }"#;
    let mut command = Command::new("unshare");
    let root = nix::unistd::geteuid().is_root();
    command.args([if root { "-m" } else { "-rm" }, "sh", "-c", script, "sh"]);
    command.arg(env!("CARGO_BIN_EXE_dynrelayd")).arg(host.folder.path());
    let daemon = host.start_by(command);
    daemon.log.wait_for("dynrelayd is up");
    let _encoder = Encoder::to(host.arrives);
    daemon.ask(START);
    let said = daemon.log.wait_for("will not survive a restart");
    assert!(said.contains("No space left on device"), "{said}");
    daemon.log.wait_for("the relay is live");
    let disk = format!("/proc/{}/root{}", daemon.child.id(), host.path("disk").display());
    fs::remove_file(format!("{disk}/full")).unwrap();
    daemon.log.wait_for("is written again");
    assert!(fs::read_to_string(format!("{disk}/state.json")).unwrap().contains("news"));
}

#[test]
fn of_many_daemons_that_find_a_stale_socket_one_takes_it() {
    let host = Host::new();
    drop(UnixListener::bind(host.path("control.sock")).unwrap());
    for _ in 0..10 {
        let mut daemons: Vec<_> = (0..6).map(|_| host.start()).collect();
        let begin = Instant::now();
        while daemons.len() > 1 {
            assert!(begin.elapsed() < PATIENCE, "{} daemons run", daemons.len());
            daemons.retain_mut(|daemon| match daemon.child.try_wait().unwrap() {
                Some(ended) => {
                    assert_eq!(ended.code(), Some(1));
                    daemon.log.wait_for("another dynrelayd listens");
                    false
                }
                None => true,
            });
        }
        let mut winner = daemons.pop().unwrap();
        winner.log.wait_for("dynrelayd is up");
        assert_eq!(winner.ask(r#"{"op":"ping"}"#)["ok"]["pid"], winner.child.id());
        winner.signal(Signal::SIGKILL);
        winner.wait();
    }
}

#[test]
fn without_descriptors_a_start_is_refused_and_what_runs_goes_on() {
    let crowd = Crowd::new(60, "[limits]\nstarts_per_second = 1000\n");
    let _encoders = Encoders::of(&crowd, Duration::from_millis(10));
    let mut command = Command::new("prlimit");
    command.args(["--nofile=128:128", env!("CARGO_BIN_EXE_dynrelayd"), "--config"]);
    command.arg(crowd.host.path("dynrelay.toml"));
    let daemon = crowd.host.start_by(command);
    daemon.log.wait_for("dynrelayd is up");
    let (mut runs, mut refused) = (0, None);
    for stream in 0..60 {
        let answer = daemon.start_stream(stream);
        match answer["ok"].is_object() {
            true if refused.is_none() => runs = stream + 1,
            true => panic!("s{stream} runs, but an earlier one was refused: {refused:?}"),
            false => refused = Some(answer["error"].clone()),
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused["code"], "limit");
    assert!(refused["message"].as_str().unwrap().contains("LimitNOFILE"), "{refused}");
    crowd.await_packets(0..runs);
    assert_eq!(daemon.ask(r#"{"op":"reload"}"#)["ok"]["problems"], json!([]));
    crowd.drain(runs);
    crowd.await_packets(0..runs);
    assert_eq!(daemon.relays().len(), usize::from(runs));
    daemon.ask(r#"{"op":"stop","stream":"s0","edge":"far"}"#);
    assert_eq!(daemon.start_stream(runs)["ok"]["edge"], "far");
}

/// In a network namespace of its own, since the limit is the network's.
#[test]
fn a_kernel_that_allows_no_membership_is_told_of() {
    let host = Host::new();
    let lines = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 239.1.2.3/1\nt=0 0\n";
    let text = format!("{lines}m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n");
    host.write("streams/group.sdp", &text);
    let consent = fs::read_to_string(host.path("streams/news.dss2.sdp")).unwrap();
    host.write("streams/group.dss2.sdp", &consent.replace("a=rtcp", "a=x-rtcp"));
    // The edge's RTSP port is on another network: a relay is resumed without being asked.
    let relays = json!([{"stream": "group", "edge": "dss2"}, {"stream": "news", "edge": "dss2"}]);
    host.write("state.json", &json!({"version": 1, "relays": relays}).to_string());
    let script = r#"ip link set lo up multicast on && ip route add 224.0.0.0/4 dev lo &&
        sysctl -qw net.ipv4.igmp_max_memberships=0 && exec "$1" --config "$2/dynrelay.toml""#;
    let mut command = Command::new("unshare");
    let root = nix::unistd::geteuid().is_root();
    command.args([if root { "-n" } else { "-rn" }, "sh", "-c", script, "sh"]);
    command.arg(env!("CARGO_BIN_EXE_dynrelayd")).arg(host.folder.path());
    let daemon = host.start_by(command);
    daemon.log.wait_for("dynrelayd is up");
    let said = daemon.log.wait_for("can't go on");
    assert!(said.contains("joining the group") && said.contains("No buffer space"), "{said}");
    assert_eq!(daemon.relays().len(), 1);
}

#[test]
fn a_log_that_nobody_reads_any_more_stops_nothing() {
    let host = Host::new();
    let mut command = Command::new("sh");
    command.args(["-c", r#"exec "$0" --config "$1" 2>/dev/full"#]);
    command.arg(env!("CARGO_BIN_EXE_dynrelayd")).arg(host.path("dynrelay.toml"));
    command.stderr(Stdio::null());
    let daemon = host.start_by(command);
    while UnixStream::connect(host.path("control.sock")).is_err() {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(daemon.ask(START)["ok"]["edge"], "dss2");
    assert_eq!(daemon.ask(r#"{"op":"reload"}"#)["ok"]["streams"], 1);
}
