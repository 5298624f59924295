//! Errors from a router or from this host, not from the edge.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[allow(dead_code, reason = "other tests use the rest")]
mod bench;

use std::time::Duration;

use bench::{AUDIO, AUDIO_RTCP, Bench, EDGE, REFUSED, VIDEO, VIDEO_RTCP};
use lifecycle::Input;
use model::{CloseReason, Gate, Rules, State};

/// A relay after a grace of unreachable errors.
fn cut_off(rules: Rules) -> Bench {
    let mut bench = Bench::live(rules);
    let began = bench.now;
    while bench.state() == Some(State::Live) {
        for flow in [VIDEO, VIDEO_RTCP, AUDIO] {
            bench.see(flow, Input::Unreachable);
        }
        bench.pass(1);
    }
    assert!(bench.now >= began + rules.grace);
    assert_eq!(bench.state(), Some(State::Suspect));
    assert!(!bench.life.edge_answers(EDGE), "a router said so");
    bench
}

#[test]
fn a_short_outage_is_tolerated_at_full_rate() {
    let mut bench = Bench::live(Rules::default());
    for _ in 0..19 {
        bench.see(VIDEO, Input::Unreachable);
        bench.see(AUDIO_RTCP, Input::Unreachable);
        bench.pass(1);
    }
    // A later outage is independent of this one.
    bench.pass(30);
    bench.see(VIDEO, Input::Unreachable);
    assert_eq!(bench.gates(), [Gate::Open; 4]);
    assert_eq!(bench.life.errors(1), [0; 4]);
}

#[test]
fn an_unreachable_edge_does_not_count_as_unwatched() {
    let mut bench = cut_off(Rules { errors: 3, ..Rules::default() });
    while bench.closed().is_none() {
        let flow = bench.probe();
        bench.see(flow, Input::Unreachable);
    }
    assert_eq!(bench.closed(), Some(CloseReason::EdgeUnreachable));
}

#[test]
fn a_firewall_on_the_way_is_named() {
    let mut bench = Bench::start(Rules { errors: 3, ..Rules::default() });
    while bench.closed().is_none() {
        assert_ne!(bench.state(), Some(State::Live));
        if bench.gates()[VIDEO] == Gate::Open {
            bench.see(VIDEO, Input::Firewalled);
            bench.see(AUDIO, Input::Firewalled);
            bench.pass(1);
        } else {
            let flow = bench.probe();
            bench.see(flow, Input::Firewalled);
        }
    }
    assert_eq!(bench.closed(), Some(CloseReason::EdgeFirewalled));
}

#[test]
fn probes_that_do_not_get_out_of_this_host_close_it_too() {
    // There is no route, or a firewall here drops everything: no probe is ever sent.
    let mut bench = cut_off(Rules { errors: 3, ..Rules::default() });
    let began = bench.now;
    while bench.closed().is_none() {
        assert!(bench.now < began + Duration::from_secs(20), "three errors of two media");
        if let Some(flow) = bench.gates().iter().position(|gate| *gate == Gate::Probe) {
            bench.see(flow, Input::Unreachable);
        }
        bench.pass(1);
    }
    assert_eq!(bench.closed(), Some(CloseReason::EdgeUnreachable));
}

#[test]
fn an_edge_that_comes_back_without_viewers_is_unwatched() {
    let mut bench = cut_off(Rules { errors: 3, ..Rules::default() });
    while bench.closed().is_none() {
        let flow = bench.probe();
        bench.see(flow, REFUSED);
    }
    assert!(bench.life.edge_answers(EDGE));
    assert_eq!(bench.closed(), Some(CloseReason::NoViewers));
}

#[test]
fn an_edge_that_comes_back_with_viewers_goes_on() {
    let mut bench = cut_off(Rules::default());
    bench.probe();
    bench.silence();
    assert_eq!(bench.state(), Some(State::Live));
    assert_eq!(bench.gates(), [Gate::Open; 4]);
}

#[test]
fn slow_errors_add_up_too() {
    // ARP takes three seconds to report that the edge is missing.
    let mut bench = cut_off(Rules { quiet: Duration::from_secs(1), ..Rules::default() });
    for _ in 0..9 {
        assert_eq!(bench.closed(), None);
        bench.probe();
        bench.silence();
        assert_eq!(bench.state(), Some(State::Live));
        bench.pass(2);
        for flow in [VIDEO, AUDIO] {
            bench.see(flow, Input::Unreachable);
        }
    }
    assert_eq!(bench.closed(), Some(CloseReason::EdgeUnreachable));
}
