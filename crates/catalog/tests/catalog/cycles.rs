//! Loops: in every form of an address, and compared with a simple search.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::world::{EDGE, World, sdp};

/// A stream's SDP file: a video at this address and port.
fn video(address: &str, port: u16) -> String {
    let family = if address.contains(':') { "IP6" } else { "IP4" };
    let media = format!("m=video {port} RTP/AVP 96");
    sdp(&[&format!("c=IN {family} {address}"), &media, "a=rtpmap:96 H264/90000"])
}

/// The problems of a stream `news` that arrives here and is relayed to an edge there.
fn relayed(from: (&str, u16), to: (&str, u16)) -> Vec<String> {
    let world = World::with(&EDGE.replace("198.51.100.7", to.0))
        .file("news.sdp", video(from.0, from.1))
        .file("news.dss2.sdp", video(to.0, to.1));
    match world.try_load() {
        Ok(catalog) => catalog.problems().iter().map(catalog::Problem::brief).collect(),
        Err(error) => vec![error.to_string()],
    }
}

#[test]
fn a_relay_to_its_own_port_is_refused_in_every_form_of_the_address() {
    for (from, to, way) in [
        ("192.0.2.1", "192.0.2.1", "news → 192.0.2.1:5004 → news"),
        ("192.0.2.1", "::ffff:192.0.2.1", "news → 192.0.2.1:5004 → news"),
        ("::ffff:192.0.2.1", "192.0.2.1", "news → 192.0.2.1:5004 → news"),
        ("127.0.0.1", "127.0.0.1", "news → 127.0.0.1:5004 → news"),
        ("127.0.0.1", "::ffff:127.0.0.1", "news → 127.0.0.1:5004 → news"),
        ("::ffff:7f00:1", "127.0.0.1", "news → 127.0.0.1:5004 → news"),
        ("::1", "::1", "news → [::1]:5004 → news"),
        ("0:0:0:0:0:0:0:1", "::1", "news → [::1]:5004 → news"),
        ("2001:db8::1", "2001:DB8:0::0:1", "news → [2001:db8::1]:5004 → news"),
    ] {
        let problems = relayed((from, 5004), (to, 5004));
        assert!(problems[0].starts_with("news.dss2.sdp: brings news back"), "{problems:?}");
        assert!(problems[0].contains(way), "{from} to {to}: {problems:?}");
        // Its RTCP goes to where RTP arrives, or its RTP to where RTCP arrives.
        for (rtp, at) in [(5003, 5004), (5005, 5005)] {
            let problems = relayed((from, 5004), (to, rtp));
            let back = problems.iter().any(|one| one.contains(&format!(":{at} → news;")));
            assert!(back, "{from} to {to}, {rtp}: {problems:?}");
        }
        assert_eq!(relayed((from, 5004), (to, 6004)), Vec::<String>::new(), "{from} to {to}");
    }
}

/// The places where streams may arrive and be sent to, all video, two ports apart.
const PLACES: [&str; 5] = ["192.0.2.1", "127.0.0.1", "::1", "239.1.1.1", "ff15::1"];
const NAMES: [&str; 4] = ["amber", "birch", "cedar", "dill"];

/// A stream's place, and its targets: a replica in a group, one at DSS1, and relays.
#[derive(Clone, Debug)]
struct Plan {
    at: usize,
    group: Option<usize>,
    dss: bool,
    relays: Vec<usize>,
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let plan = (
        0..PLACES.len(),
        prop::option::weighted(0.8, 3..PLACES.len()),
        prop::bool::weighted(0.2),
        prop::collection::vec(0_usize..3, 0..2),
    );
    let plan = plan.prop_map(|(at, group, dss, relays)| Plan { at, group, dss, relays });
    prop::collection::vec(plan, 1..=NAMES.len())
}

/// These streams. Each place has one port, so that every packet sent there arrives.
fn world(plans: &[Plan]) -> World {
    let edges = PLACES[..3].iter().enumerate();
    let edges = edges.map(|(edge, address)| {
        let named = EDGE.replace("\"dss2\"", &format!("\"e{edge}\""));
        named.replace("198.51.100.7", address)
    });
    let mut world = World::with(&edges.collect::<String>());
    for (name, plan) in NAMES.iter().zip(plans) {
        let mut toml = String::new();
        if plan.group.is_some() || plan.dss {
            toml.push_str("[replica]\n");
        }
        if let Some(group) = plan.group {
            toml.push_str(&format!("group = \"{}\"\n", PLACES[group]));
        }
        if plan.dss {
            toml.push_str("dss = [5004]\n");
        }
        world = world.file(&format!("{name}.sdp"), video(PLACES[plan.at], 5004));
        world = world.file(&format!("{name}.toml"), toml);
        for edge in &plan.relays {
            world = world.file(&format!("{name}.e{edge}.sdp"), video(PLACES[*edge], 5004));
        }
    }
    world
}

/// The targets of a stream of this plan. `dss` is rejected for a stream that arrives in a group.
fn targets(plan: &Plan) -> BTreeSet<usize> {
    let unicast = plan.at < 3;
    // A faulty section makes no replica at all.
    let replicas = unicast || !plan.dss;
    let group = plan.group.filter(|_| replicas);
    let dss = plan.dss && unicast;
    group.into_iter().chain(dss.then_some(plan.at)).chain(plan.relays.clone()).collect()
}

/// Whether packets to `target` can reach the place of `home`: a simple search.
fn leads(plans: &[Plan], target: usize, home: usize) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![target]);
    while let Some(place) = next.pop() {
        if place == home {
            return true;
        }
        if seen.insert(place) {
            next.extend(plans.iter().filter(|plan| plan.at == place).flat_map(targets));
        }
    }
    false
}

/// Whether a stream takes each step of the loop in a message.
fn holds(plans: &[Plan], way: &str) -> bool {
    let place = |text: &str| {
        let socket: std::net::SocketAddr = text.parse().unwrap();
        PLACES.iter().position(|place| place.parse() == Ok(socket.ip())).unwrap()
    };
    let stream = |text: &str| &plans[NAMES.iter().position(|name| *name == text).unwrap()];
    let steps: Vec<&str> = way.split(" → ").collect();
    let round = steps.first() == steps.last() && steps.len() >= 3;
    round
        && steps.windows(2).enumerate().all(|(at, step)| match at % 2 {
            0 => targets(stream(step[0])).contains(&place(step[1])),
            _ => stream(step[1]).at == place(step[0]),
        })
}

/// The targets of each stream in the catalogue.
fn left(world: &World) -> BTreeMap<String, BTreeSet<usize>> {
    let catalog = world.load();
    let of = |ip: std::net::IpAddr| PLACES.iter().position(|place| place.parse() == Ok(ip));
    let streams = catalog.streams().map(|stream| {
        let routes = stream.routes().flat_map(|route| route.paths());
        let paths = routes.chain(stream.replicas.iter().flat_map(catalog::Replica::paths));
        (stream.name.clone(), paths.filter_map(|path| of(path.target.ip())).collect())
    });
    streams.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn only_loops_are_refused(plans in plans()) {
        let world = world(&plans);
        let left = left(&world);
        for (name, plan) in NAMES.iter().zip(&plans) {
            for target in targets(plan) {
                let round = leads(&plans, target, plan.at);
                // Unlike a replica, a relay may not go to where any stream arrives.
                let met = plan.relays.contains(&target) && plans.iter().any(|one| one.at == target);
                // A replica is removed with all its flows, and a relay's flows go to one place.
                let kept = left[*name].contains(&target);
                let replica = plan.group == Some(target) || plan.dss && target == plan.at;
                prop_assert_eq!(kept, !round && (replica || !met), "{} to {}", name, PLACES[target]);
            }
        }
        for problem in world.problems() {
            if let Some((_, way)) = problem.split_once("back to itself: ") {
                let (way, _) = way.split_once(';').unwrap();
                prop_assert!(holds(&plans, way), "{}", problem);
            }
        }
    }
}
