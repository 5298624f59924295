//! Refusals that are not the edge's own: a router's, or this host's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[allow(dead_code, reason = "other tests use the rest")]
mod bench;

use std::time::Duration;

use bench::{AUDIO, AUDIO_RTCP, Bench, EDGE, VIDEO, VIDEO_RTCP};
use lifecycle::Input;
use model::{CloseReason, Gate, Rules, State};

/// A relay that has been told for a grace that its edge can't be reached.
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
fn a_short_outage_is_borne_at_full_rate() {
    let mut bench = Bench::live(Rules::default());
    for _ in 0..19 {
        bench.see(VIDEO, Input::Unreachable);
        bench.see(AUDIO_RTCP, Input::Unreachable);
        bench.pass(1);
    }
    // Another one much later has nothing to do with that.
    bench.pass(30);
    bench.see(VIDEO, Input::Unreachable);
    assert_eq!(bench.gates(), [Gate::Open; 4]);
    assert_eq!(bench.life.errors(1), [0; 4]);
}

#[test]
fn an_edge_that_can_not_be_reached_is_not_called_unwatched() {
    let mut bench = cut_off(Rules { errors: 3, ..Rules::default() });
    while bench.closed().is_none() {
        let flow = bench.probe();
        bench.see(flow, Input::Unreachable);
    }
    assert_eq!(bench.closed(), Some(CloseReason::EdgeUnreachable));
}

#[test]
fn probes_that_do_not_get_out_of_this_host_close_it_too() {
    // No route leads there, or a firewall here lets nothing out: no probe is ever sent.
    let mut bench = cut_off(Rules { errors: 3, ..Rules::default() });
    let began = bench.now;
    while bench.closed().is_none() {
        assert!(bench.now < began + Duration::from_secs(20), "three errors of two medias");
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
        bench.see(flow, Input::Refused);
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
fn errors_that_take_longer_than_a_probe_is_awaited_add_up_all_the_same() {
    // Whoever looks for the edge by ARP takes three seconds to give up.
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
