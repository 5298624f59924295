//! An hour of a busy origin in a minute: thousands of starts, stops, refusals, reloads, signals and
//! bad requests, in an order that a seed decides.
//!
//! `DYNRELAY_CHURN_SEED` repeats a schedule; `DYNRELAY_CHURN_SECONDS` makes it longer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a test may fail"
)]

mod daemon;

use std::fs;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use daemon::chance::Chance;
use daemon::crowd::{Crowd, Encoders, FAR};
use daemon::process::Holds;
use daemon::{Daemon, PATIENCE};
use nix::sys::signal::Signal;
use serde_json::Value;

const STREAMS: u16 = 10;
/// The number of acts between two checks.
const ROUND: usize = 1000;
const MANY_STARTS: &str = "[limits]\nstarts_per_second = 100000\n";

const BAD: [&[u8]; 8] = [
    b"\n",
    b"{\n",
    b"{\"op\":\"fly\"}\n",
    b"{\"op\":\"start\",\"stream\":\"../../etc/passwd\"}\n",
    b"{\"op\":\"start\",\"stream\":\"s0\",\"edge\":\"nowhere\"}\n",
    b"{\"op\":\"stop\",\"stream\":\"s99\",\"edge\":\"far\"}\n",
    b"\xff\xfe\x00\n",
    b"{\"op\":\"start\",\"stream\":7}\n",
];

/// An origin and its users.
struct Origin {
    crowd: Crowd,
    daemon: Daemon,
    chance: Chance,
}

impl Origin {
    fn act(&mut self) {
        let stream = u16::try_from(self.chance.below(usize::from(STREAMS))).unwrap();
        match self.chance.below(100) {
            0..30 => drop(self.daemon.start_stream(stream)),
            30..38 => {
                self.daemon.ask(&format!(r#"{{"op":"stop","stream":"s{stream}","edge":"{FAR}"}}"#));
            }
            38..48 => self.crowd.close(stream),
            48..60 if self.crowd.edge[usize::from(stream)].is_none() => self.crowd.open(stream),
            48..60 => drop(self.crowd.take(stream)),
            60..64 => drop(self.daemon.ask(r#"{"op":"reload"}"#)),
            64..68 => self.daemon.signal(Signal::SIGHUP),
            68..76 => self.edit(stream),
            76..86 => drop(self.daemon.send(self.chance.pick::<&[u8]>(&BAD))),
            86..94 => {
                let op = *self.chance.pick(&["list", "streams", "ping", "show"]);
                self.daemon.ask(&format!(r#"{{"op":"{op}","all":true,"stream":"s{stream}"}}"#));
            }
            // A caller who sends half a line and leaves; a watcher who leaves.
            94..97 => drop(self.daemon.connect().write_all(b"{\"op\":\"sta")),
            _ => drop(self.daemon.connect().write_all(b"{\"op\":\"events\"}\n")),
        }
    }

    /// Somebody edits a stream's files, removes them, and restores them.
    fn edit(&mut self, stream: u16) {
        let file = self.crowd.host.path(&format!("streams/s{stream}.{FAR}.sdp"));
        match self.chance.below(4) {
            0 => fs::write(&file, "v=0\n").unwrap(),
            1 => drop(fs::remove_file(&file)),
            2 => self.crowd.write_consent(stream),
            _ => self.crowd.configure(MANY_STARTS),
        }
    }

    /// Repairs every file, waits until nothing is under way, and checks every relay.
    fn settle(&mut self) {
        (0..STREAMS).for_each(|stream| self.crowd.write_consent(stream));
        self.crowd.configure(MANY_STARTS);
        assert_eq!(self.daemon.ask(r#"{"op":"reload"}"#)["ok"]["problems"], Value::Array(vec![]));
        let begin = Instant::now();
        while let Some(unsettled) = self.unsettled() {
            assert!(begin.elapsed() < PATIENCE, "{unsettled}");
            thread::sleep(Duration::from_millis(20));
        }
        let relays = self.daemon.relays();
        let runs = (0..STREAMS).filter(|stream| relays.contains_key(&format!("s{stream}")));
        let runs: Vec<u16> = runs.collect();
        self.crowd.drain(STREAMS);
        self.crowd.await_packets(runs.iter().copied());
        let ports = runs.iter().flat_map(|stream| [20_000 + 2 * stream, 20_001 + 2 * stream]);
        assert_eq!(self.daemon.targets(self.crowd.address), ports.collect::<Vec<_>>());
    }

    /// A relay that is not live although its port is open, or that is open although its port is
    /// closed.
    fn unsettled(&self) -> Option<String> {
        let relays = self.daemon.relays();
        let mut wrong = relays.values().filter(|relay| {
            let stream: usize = relay["stream"].as_str().unwrap()[1..].parse().unwrap();
            self.crowd.edge[stream].is_none() || relay["state"] != "live"
        });
        let wrong = wrong.next()?;
        let stream = wrong["stream"].as_str().unwrap();
        Some(self.daemon.ask(&format!(r#"{{"op":"show","stream":"{stream}"}}"#)).to_string())
    }

    /// The daemon's resources while it relays nothing and nobody asks.
    fn at_rest(&mut self) -> Holds {
        for stream in self.daemon.relays().keys() {
            self.daemon.ask(&format!(r#"{{"op":"stop","stream":"{stream}","edge":"{FAR}"}}"#));
        }
        // Sessions and edge probes end a moment after their callers.
        let mut before = self.daemon.holds();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(3) {
            thread::sleep(Duration::from_millis(100));
            let now = self.daemon.holds();
            before.descriptors = before.descriptors.min(now.descriptors);
            before.threads = before.threads.min(now.threads);
            before.resident = now.resident;
        }
        assert!(self.daemon.targets(self.crowd.address).is_empty());
        before
    }
}

#[test]
fn an_hour_of_churn_leaves_nothing_behind() {
    let chance = Chance::from("DYNRELAY_CHURN_SEED");
    let seconds = std::env::var("DYNRELAY_CHURN_SECONDS").ok().and_then(|text| text.parse().ok());
    let length = Duration::from_secs(seconds.unwrap_or(30));
    let crowd = Crowd::new(STREAMS, MANY_STARTS);
    let _encoders = Encoders::of(&crowd, Duration::from_millis(10));
    let daemon = crowd.host.run();
    let mut origin = Origin { crowd, daemon, chance };
    let begin = Instant::now();
    let (mut rounds, mut warm) = (0, None);
    while rounds < 3 || begin.elapsed() < length {
        (0..ROUND).for_each(|_| origin.act());
        origin.settle();
        rounds += 1;
        if rounds == 2 {
            warm = Some(origin.at_rest());
        }
    }
    let (warm, end) = (warm.unwrap(), origin.at_rest());
    println!("{} acts: {warm:?}, then {end:?}", rounds * ROUND);
    assert_eq!((end.descriptors, end.threads), (warm.descriptors, warm.threads));
    // The history fills up to its 200 relays; a leak in each act would be far more.
    assert!(end.resident < warm.resident + 4096, "{} KiB more", end.resident - warm.resident);
}

#[test]
fn a_suspect_is_sent_probes_and_nothing_else() {
    let mut crowd = Crowd::new(1, "");
    crowd.host.set("errors = 3", "errors = 1000000");
    let _encoders = Encoders::of(&crowd, Duration::from_millis(5));
    let daemon = crowd.host.run();
    daemon.start_stream(0);
    daemon.log.wait_for("the relay is live");
    crowd.close(0);
    daemon.log.wait_for("the relay is suspect");
    let flow = || {
        let show = daemon.ask(r#"{"op":"show","stream":"s0"}"#);
        let flow = &show["ok"]["relays"][0]["flows"][0];
        assert_eq!(show["ok"]["relays"][0]["state"], "suspect");
        assert_ne!(flow["gate"], "open");
        (flow["packets"].as_u64().unwrap(), flow["refusals"].as_u64().unwrap())
    };
    let (begin, (packets, refusals)) = (Instant::now(), flow());
    thread::sleep(Duration::from_secs(1));
    let (more, refused) = flow();
    let (more, refused) = (more - packets, refused - refusals);
    // One probe in a tenth of a second, out of about twenty packets.
    let probes = begin.elapsed().as_millis() / 100 + 1;
    assert!(
        u128::from(more) <= probes && more > 0 && refused > 0,
        "{more} sent, {refused} refused"
    );
    crowd.open(0);
    crowd.await_packets([0]);
}

#[test]
fn a_stream_starts_again_right_after_its_stop_or_its_change() {
    let crowd = Crowd::new(1, MANY_STARTS);
    let daemon = crowd.host.run();
    let _encoders = Encoders::of(&crowd, Duration::from_millis(5));
    for _ in 0..300 {
        assert_eq!(daemon.start_stream(0)["ok"]["edge"], FAR);
        let stopped = daemon.ask(r#"{"op":"stop","stream":"s0","edge":"far"}"#);
        assert_eq!(stopped["ok"]["reason"], "stopped", "{stopped}");
    }
    daemon.start_stream(0);
    for port in [20_100, 20_000].repeat(50) {
        crowd.host.write("streams/s0.far.sdp", &crowd.sdp(port));
        assert_eq!(daemon.ask(r#"{"op":"reload"}"#)["ok"]["problems"], Value::Array(vec![]));
        assert_eq!(daemon.targets(crowd.address), [port, port + 1]);
    }
    crowd.await_packets([0]);
}
