//! Crashes, upgrades and reloads: running relays go on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a test may fail"
)]

mod daemon;

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use daemon::chance::Chance;
use daemon::crowd::{Crowd, Encoders};
use daemon::{Encoder, Host, PATIENCE};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
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
fn an_invalid_state_file_stops_nothing() {
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
        (odd, "is not a relay's name: it is ignored"),
    ] {
        fs::write(&state, text).unwrap();
        let daemon = host.run();
        daemon.log.wait_for(said);
        assert_eq!(daemon.relays().len(), usize::from(text == odd), "{text}");
    }
    let makes: [fn(&std::path::Path); 3] = [
        |path| fs::create_dir(path).unwrap(),
        |path| symlink("/nowhere/at/all", path).unwrap(),
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
fn relays_run_while_the_state_cannot_be_written_and_are_saved_later() {
    let host = Host::new();
    // The path of the new file, which is then renamed over the old one.
    let obstacle = host.path("state.json.new/full");
    fs::create_dir_all(&obstacle).unwrap();
    let daemon = host.run();
    let _encoder = Encoder::to(host.arrives);
    daemon.ask(START);
    daemon.log.wait_for("will not go on after a restart");
    daemon.log.wait_for("the relay is live");
    fs::remove_dir_all(host.path("state.json.new")).unwrap();
    daemon.log.wait_for("can be written again");
    drop(daemon);
    assert_eq!(host.run().relays().len(), 1);
}

/// As root in a mount namespace, with a disk of one page that is full.
#[test]
fn a_full_disk_stops_no_relay() {
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
    let said = daemon.log.wait_for("will not go on after a restart");
    assert!(said.contains("No space left on device"), "{said}");
    daemon.log.wait_for("the relay is live");
    let disk = format!("/proc/{}/root{}", daemon.child.id(), host.path("disk").display());
    fs::remove_file(format!("{disk}/full")).unwrap();
    daemon.log.wait_for("can be written again");
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
fn a_log_without_a_reader_stops_nothing() {
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

/// The sequence numbers that an edge receives, until it is stopped.
fn sequence_at(edge: UdpSocket) -> (Arc<AtomicBool>, JoinHandle<Vec<u16>>) {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    edge.set_read_timeout(Some(PATIENCE)).unwrap();
    let receiving = thread::spawn(move || {
        let mut packet = [0; 100];
        let mut numbers = Vec::new();
        while !stopped.load(Ordering::Relaxed) {
            edge.recv(&mut packet).unwrap();
            numbers.push(u16::from_be_bytes([packet[2], packet[3]]));
        }
        numbers
    });
    (stop, receiving)
}

/// The packets between two moments, without a gap.
fn whole((stop, receiving): (Arc<AtomicBool>, JoinHandle<Vec<u16>>)) -> usize {
    stop.store(true, Ordering::Relaxed);
    let numbers = receiving.join().unwrap();
    let torn = numbers.windows(2).find(|pair| pair[1] != pair[0].wrapping_add(1));
    assert_eq!(torn, None, "of {} packets", numbers.len());
    numbers.len()
}

#[test]
fn a_reload_loses_no_packet_of_a_relay_that_it_does_not_concern() {
    let host = Host::new();
    let daemon = host.run();
    let _encoder = Encoder::to(host.arrives);
    daemon.ask(START);
    let receiving = sequence_at(host.edge.as_ref().unwrap().try_clone().unwrap());
    daemon.log.wait_for("the relay is live");
    let sport = fs::read_to_string(host.path("streams/news.sdp")).unwrap();
    let good = fs::read_to_string(host.path("dynrelay.toml")).unwrap();
    // Replaced at once, because a file that is cut between two lines may be valid.
    let configure = |more: &str| {
        host.write("new.toml", &format!("{good}{more}"));
        fs::rename(host.path("new.toml"), host.path("dynrelay.toml")).unwrap();
    };
    for round in 0..300 {
        match round % 4 {
            0 => host.write("streams/sport.sdp", &sport),
            1 => fs::remove_file(host.path("streams/sport.sdp")).unwrap(),
            2 => configure("[limits]\nrelays = 7\n"),
            _ => configure("[limits\n"),
        }
        let answer = daemon.ask(r#"{"op":"reload"}"#);
        if round % 4 == 3 {
            let said = answer["error"]["message"].as_str().unwrap();
            assert!(said.contains("dynrelay.toml, line "), "{said}");
            configure("");
        } else {
            assert!(answer["ok"].is_object(), "{answer}");
        }
        daemon.signal(Signal::SIGHUP);
    }
    let packets = whole(receiving);
    let show = daemon.ask(r#"{"op":"show","stream":"news"}"#);
    let relays = show["ok"]["relays"].as_array().unwrap();
    assert_eq!(relays.len(), 1, "{show}");
    assert_eq!(
        (&relays[0]["flows"][0]["drops"], &relays[0]["flows"][0]["gaps"]),
        (&0.into(), &0.into())
    );
    println!("{packets} packets without a gap over 600 reloads");
}

/// The ways in which an editor changes a file. A file of that name exists at every moment.
fn disturb(chance: &mut Chance, streams: &Path, name: &str, good: &str) {
    let file = streams.join(name);
    let aside = streams.join(".aside");
    // Cut before its media: a file that is cut behind them may be valid.
    let cut = chance.below(good.find("m=").unwrap());
    let in_place = fs::symlink_metadata(&file).unwrap().is_file();
    match chance.below(9) {
        0 if in_place => fs::write(&file, &good[..cut]).unwrap(),
        1 if in_place => fs::write(&file, "").unwrap(),
        2 if in_place => fs::write(&file, [0xff, 0, 13, 10]).unwrap(),
        3 => fs::write(&aside, &good[..cut]).unwrap(),
        4 => fs::write(&aside, good).unwrap(),
        5 => symlink("/nowhere/at/all", &aside).unwrap(),
        6 => fs::create_dir(&aside).unwrap(),
        7 => mkfifo(&aside, Mode::S_IRWXU).unwrap(),
        _ => {
            fs::write(&aside, good).unwrap();
            fs::set_permissions(&aside, fs::Permissions::from_mode(0o000)).unwrap();
        }
    }
    if fs::symlink_metadata(&aside).is_ok() {
        put(&aside, &file);
    }
}

/// Replaces a file by another one, or by something else, at once.
fn put(aside: &Path, file: &Path) {
    renameat2(AT_FDCWD, aside, AT_FDCWD, file, RenameFlags::RENAME_EXCHANGE).unwrap();
    fs::remove_file(aside).or_else(|_| fs::remove_dir(aside)).unwrap();
}

#[test]
fn files_that_are_being_edited_do_no_harm() {
    let mut chance = Chance::from("DYNRELAY_EDIT_SEED");
    let host = Host::new();
    let names = ["news.sdp", "news.dss2.sdp"];
    let good = names.map(|name| fs::read_to_string(host.path("streams").join(name)).unwrap());
    let daemon = host.run();
    let _encoder = Encoder::to(host.arrives);
    daemon.ask(START);
    let receiving = sequence_at(host.edge.as_ref().unwrap().try_clone().unwrap());
    daemon.log.wait_for("the relay is live");
    let before = (daemon.holds().descriptors, daemon.relays()["news"]["started"].clone());
    let done = AtomicBool::new(false);
    let reloads = thread::scope(|scope| {
        let reloading = scope.spawn(|| {
            let reload = || daemon.ask(r#"{"op":"reload"}"#)["ok"]["streams"].clone();
            let until_done = (0..).take_while(|_| !done.load(Ordering::Relaxed));
            until_done.map(|_| assert_eq!(reload(), 1)).count()
        });
        for _ in 0..3000 {
            let which = chance.below(2);
            disturb(&mut chance, &host.path("streams"), names[which], &good[which]);
        }
        done.store(true, Ordering::Relaxed);
        reloading.join().unwrap()
    });
    for (name, good) in names.iter().zip(&good) {
        let aside = host.path("streams/.aside");
        fs::write(&aside, good).unwrap();
        put(&aside, &host.path("streams").join(name));
    }
    assert_eq!(daemon.ask(r#"{"op":"reload"}"#)["ok"]["problems"], json!([]));
    let packets = whole(receiving);
    assert_eq!(daemon.relays()["news"]["started"], before.1);
    // A connection that was just closed here may be open there for a moment longer.
    while daemon.holds().descriptors > before.0 {
        thread::sleep(Duration::from_millis(5));
    }
    println!("{packets} packets without a gap over {reloads} reloads");
}
