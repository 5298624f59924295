//! Runs hundreds of seeded worlds around the core: edges that answer, refuse or stay silent, pulls
//! that work or fail, sources that fall silent, reloads, stops, and many clients.
//!
//! `CORE_SEED=17` replays one world, step by step; `CORE_SEEDS=5000` runs more of them.
//!
//! After each step:
//! - every call is answered at most once, and within 2 s; at the end, all are answered;
//! - no two open relays or replicas send the same stream to the same place;
//! - every Open that succeeds is followed by exactly one Close;
//! - a gate is set only for an open relay, and a flow that it has;
//! - a destination is one of the catalogue's, at the moment when it is opened;
//! - each open relay is in the current catalogue, with the same route;
//! - a start opens no relay beyond the limit;
//! - a start is admitted at most once: it takes one token, also if its stream is pulled;
//! - at most one question at a time is on its way to an edge, and 32 in all;
//! - a pull runs only while a relay, a replica or a start needs it, and for its linger after that;
//! - the state file names the open relays;
//! - the core never wants to wake in the past.

mod checks;
mod world;

use std::env;

use world::World;

/// Prints the seed of a world that fails.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "to replay: CORE_SEED={} cargo test -p dynrelayd any_world -- --nocapture",
                self.0
            );
        }
    }
}

#[test]
fn any_world() {
    let number = |name| env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let run = |seed, trace| {
        let _replay = Replay(seed);
        World::new(seed, trace).live()
    };
    if let Some(seed) = number("CORE_SEED") {
        println!("{:#?}", run(seed, true));
        return;
    }
    let seeds = number("CORE_SEEDS").unwrap_or(400);
    let mut met = checks::Met::default();
    (0..seeds).for_each(|seed| met.add(run(seed, false)));
    println!("{met:#?}");
    // The worlds must meet the events that they are made for.
    assert!(seeds < 100 || met.all_above(seeds / 4), "{met:?}");
}
