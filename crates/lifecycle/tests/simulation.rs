//! Runs hundreds of seeded worlds, and checks the invariants at each step.
//!
//! `LIFECYCLE_SEED=17` replays one, step by step; `LIFECYCLE_SEEDS=5000` runs more of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod world;

use std::env;
use std::time::Duration;

use model::{CloseReason, FlowKind, Rules, State};
use world::{Edge, Path, Random, World};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Prints the seed of a world that fails.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "to replay: LIFECYCLE_SEED={} cargo test -p lifecycle any_world -- --nocapture",
                self.0
            );
        }
    }
}

#[test]
fn any_world() {
    let number = |name| env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    if let Some(seed) = number("LIFECYCLE_SEED") {
        return live_through(seed, true);
    }
    for seed in 0..number("LIFECYCLE_SEEDS").unwrap_or(200) {
        live_through(seed, false);
    }
}

fn live_through(seed: u64, trace: bool) {
    let _replay = Replay(seed);
    let mut chance = Random(seed.wrapping_mul(0x5851_F42D_4C95_7F2D));
    let rules = Rules {
        errors: u32::try_from(chance.between(2, 11)).unwrap(),
        grace: secs(chance.between(5, 21)),
        ..Rules::default()
    };
    let mut world = World::new(seed, rules);
    world.trace = trace;
    for number in 0..chance.between(1, 3) {
        world.edges.push(any_edge(&mut chance, number));
    }
    let mut last = secs(0);
    for _ in 0..chance.between(1, 5) {
        last = last.max(any_stream(&mut chance, &mut world));
    }
    let end = last + world.closing();
    world.run(end);
    for (id, relay) in &world.relays {
        let edge = &world.edges[world.streams[relay.stream].edge];
        assert!(relay.closed.is_some() || edge.firewall, "{id} is not closed: {:?}", relay.history);
    }
    // The broadcasts end. A firewall cannot keep the relays open any longer.
    for path in world.streams.iter_mut().flat_map(|stream| &mut stream.paths) {
        path.pauses.push((end, Duration::MAX));
    }
    world.run(end + rules.source_silence + secs(2));
    assert!(world.relays.values().all(|relay| relay.closed.is_some()));
    assert_eq!(world.life.next_wake(), None);
}

fn any_edge(chance: &mut Random, number: u64) -> Edge {
    let address = if chance.chance(30) { "2001:db8::" } else { "198.51.100." };
    let mut edge =
        Edge::new(format!("{address}{}", number + 7).parse().unwrap(), chance.millis(0, 120));
    // Tests why probes are a twentieth more than the interval apart.
    let most = if address.contains(':') { 4 } else { 40 };
    edge.jitter = if chance.chance(50) { chance.millis(0, most) } else { Duration::ZERO };
    edge.loss = if chance.chance(25) { chance.between(1, 10) } else { 0 };
    edge.firewall = chance.chance(10);
    edge.counts = chance.chance(20);
    edge.quotes = chance.chance(80);
    edge
}

/// A stream with its media, its viewers and their starts. Returns when the last viewer leaves.
fn any_stream(chance: &mut Random, world: &mut World) -> Duration {
    let edge = usize::try_from(chance.next() % 2).unwrap() % world.edges.len();
    let mut starts = vec![chance.millis(0, 10_000)];
    let mut viewers = Vec::new();
    let mut time = starts[0];
    for _ in 0..chance.between(0, 4) {
        let comes = time + chance.millis(200, 15_000);
        let leaves = comes + chance.millis(500, 60_000);
        viewers.push((comes, leaves));
        time = leaves + chance.millis(100, 60_000);
        if chance.chance(60) {
            starts.push(time);
        }
    }
    if chance.chance(20) {
        // A bot that follows every link.
        let pace = chance.millis(3_000, 40_000);
        let first = starts[0];
        starts.extend((1..10).map(|round| first + pace * round));
    }
    let media = |chance: &mut Random| any_media(chance, &viewers, time);
    let mut paths = media(chance);
    if chance.chance(50) {
        paths.extend(media(chance));
    }
    let stream = world.add(edge, paths);
    let last = starts.iter().copied().max().unwrap().max(time);
    for start in starts {
        world.start_at(start, stream);
    }
    last
}

fn any_media(chance: &mut Random, viewers: &[(Duration, Duration)], last: Duration) -> Vec<Path> {
    let pace = if chance.chance(10) { chance.millis(500, 4_000) } else { chance.millis(15, 120) };
    let open = |taken: bool| if taken { viewers.to_vec() } else { Vec::new() };
    let pause = last / 3;
    let pauses = match chance.between(0, 20) {
        0 => vec![(pause, pause + chance.millis(1_000, 40_000))],
        1 => vec![(secs(0), Duration::MAX)],
        _ => Vec::new(),
    };
    let taken = chance.chance(85);
    let rtp = Path { kind: FlowKind::Rtp, pace, pauses: pauses.clone(), open: open(taken) };
    let taken = taken && chance.chance(70);
    let rtcp = Path { kind: FlowKind::Rtcp, pace: secs(5), pauses, open: open(taken) };
    vec![rtp, rtcp]
}

/// Sixteen relays to one edge. All viewers leave at once, except one.
fn sixteen(seed: u64, media: usize, address: &str) -> World {
    let mut world = World::new(seed, Rules::default());
    world.edges.push(Edge::new(address.parse().unwrap(), Duration::from_millis(20)));
    for number in 0..16 {
        let leaves = if number == 0 { Duration::MAX } else { secs(40) };
        let open = vec![(secs(2), leaves)];
        let path = |kind, pace| Path { kind, pace, pauses: Vec::new(), open: open.clone() };
        let rtp = path(FlowKind::Rtp, Duration::from_millis(20));
        let rtcp = path(FlowKind::Rtcp, secs(5));
        let paths = [rtp, rtcp].iter().cycle().take(media * 2).cloned().collect();
        let stream = world.add(0, paths);
        world.start_at(secs(1), stream);
    }
    world
}

#[test]
fn sixteen_relays_die_at_once() {
    for seed in 0..2 {
        // After the first six, one error a second finds one dead flow a second.
        for (address, media, found) in
            [("198.51.100.7", 1, 15), ("198.51.100.7", 2, 30), ("2001:db8::7", 2, 5)]
        {
            let mut world = sixteen(seed, media, address);
            world.run(secs(39));
            assert!(world.relays.values().all(|relay| relay.state == State::Live));
            world.run(secs(40 + found));
            let alive = |world: &World| {
                world.relays.values().filter(|relay| relay.state == State::Live).count()
            };
            assert_eq!(alive(&world), 1, "seed {seed}, {address}, {media} media");
            world.run(secs(240) * u32::try_from(media).unwrap());
            for relay in world.relays.values().filter(|relay| relay.stream != 0) {
                assert_eq!(relay.closed, Some(CloseReason::NoViewers));
                let states = relay.history.iter().map(|(_, state)| *state);
                let life = [Some(State::Starting), Some(State::Live), Some(State::Suspect), None];
                assert!(states.eq(life), "none is taken for alive again: {:?}", relay.history);
            }
            let watched = &world.relays[&1];
            assert_eq!(watched.state, State::Live);
            assert!(watched.lossless(), "the one who watches misses nothing");
        }
    }
}

#[test]
fn a_viewer_comes_back_by_a_bookmark() {
    for seed in 0..20 {
        let mut world = World::new(seed, Rules::default());
        world.edges.push(Edge::new("198.51.100.7".parse().unwrap(), Duration::from_millis(20)));
        let back = secs(44) + Duration::from_millis(seed * 113);
        let open = vec![(secs(2), secs(40)), (back, Duration::MAX)];
        let path = |kind, pace| Path { kind, pace, pauses: Vec::new(), open: open.clone() };
        let rtp = path(FlowKind::Rtp, Duration::from_millis(20));
        let stream = world.add(0, vec![rtp.clone(), path(FlowKind::Rtcp, secs(5)), rtp]);
        world.start_at(secs(1), stream);
        world.run(secs(44));
        assert_eq!(world.relays[&1].state, State::Suspect);
        // Two intervals, a tenth of one to spare the limiter, and the wait for a packet.
        world.run(back + Duration::from_millis(2200));
        assert_eq!(world.relays[&1].state, State::Live, "seed {seed}");
        world.run(back + secs(60));
        assert_eq!(world.relays[&1].state, State::Live, "seed {seed}");
    }
}

#[test]
fn sixteen_relays_that_nobody_takes_close_as_never_accepted() {
    let mut world = sixteen(1, 2, "198.51.100.7");
    for path in world.streams.iter_mut().flat_map(|stream| &mut stream.paths) {
        path.open.clear();
    }
    world.run(secs(600));
    for relay in world.relays.values() {
        assert_eq!(relay.closed, Some(CloseReason::NeverAccepted), "{:?}", relay.history);
        assert!(relay.history.iter().all(|(_, state)| *state != Some(State::Live)));
    }
}
