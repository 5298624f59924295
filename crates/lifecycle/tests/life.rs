//! Each transition of a relay's life, one story a test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod bench;

use std::time::Duration;

use bench::{AUDIO, AUDIO_RTCP, Bench, EDGE, FLOWS, PROBED, REFUSED, VIDEO, VIDEO_RTCP};
use lifecycle::{CloseForecast, Input, Lifecycle, Output, When};
use model::{Acceptance, CloseReason, Gate, Rules, State};

use Gate::{Open, Probe, Shut};

#[test]
fn a_relay_that_nobody_refuses_is_live_after_quiet() {
    let mut bench = Bench::start(Rules::default());
    assert_eq!(bench.log, [Output::Entered { relay: 1, state: State::Starting }]);
    assert_eq!(bench.gates(), [Open; 4]);
    bench.pass(2);
    assert_eq!(bench.state(), Some(State::Starting));
    bench.pass(1);
    assert_eq!(bench.state(), Some(State::Live));
    assert_eq!(bench.life.since(1), Some(bench.now));
}

#[test]
fn refusals_are_expected_until_the_player_comes() {
    let mut bench = Bench::start(Rules::default());
    for _ in 0..15 {
        bench.pass(1);
        bench.refuse(&[VIDEO, AUDIO]);
    }
    assert_eq!(bench.state(), Some(State::Starting));
    assert_eq!(bench.gates(), [Open; 4]);
    bench.pass(5);
    assert_eq!(bench.state(), Some(State::Live));
    assert_eq!(bench.life.errors(1), [0; 4]);
}

#[test]
fn a_relay_refused_to_the_end_of_its_grace_is_suspect() {
    let mut bench = Bench::start(Rules::default());
    for _ in 0..20 {
        assert_eq!(bench.state(), Some(State::Starting));
        bench.refuse(&[VIDEO, AUDIO]);
        bench.pass(1);
    }
    assert_eq!(bench.state(), Some(State::Suspect));
    assert_eq!(bench.gates(), [Shut; 4]);
    assert_eq!(bench.life.errors(1), [0; 4]);
}

#[test]
fn one_accepted_media_makes_a_relay_live_once_the_other_is_quiet() {
    let mut bench = Bench::start(Rules::default());
    for _ in 0..20 {
        bench.refuse(&[AUDIO]);
        bench.pass(1);
    }
    assert_eq!(bench.state(), Some(State::Starting), "the end of the grace proves nothing");
    assert_eq!(bench.gates(), [Open, Open, Shut, Open]);
    bench.pass(3);
    assert_eq!(bench.state(), Some(State::Live));
    assert_ne!(bench.gates()[AUDIO], Open);
}

#[test]
fn a_relay_that_nobody_accepts_costs_one_grace_however_often_it_is_asked_for() {
    let mut bench = Bench::start(Rules::default());
    let mut full_rate = 0;
    for second in 0..600 {
        full_rate += u32::from(bench.gates()[VIDEO] == Open);
        bench.refuse(&[VIDEO, AUDIO]);
        bench.pass(1);
        if second % 19 == 0 {
            bench.life.renew(1, bench.now);
            bench.settle();
        }
    }
    assert_eq!(full_rate, 20);
    assert_ne!(bench.state(), Some(State::Live));
}

#[test]
fn a_relay_that_was_never_accepted_begins_its_next_start_with_probes() {
    let mut bench = Bench::start(Rules::default());
    bench.life.stop(1, CloseReason::Stopped, bench.now);
    bench.settle();
    assert!(
        matches!(bench.log.pop(), Some(Output::Closed { tried: None, .. })),
        "it had no chance"
    );
    bench.life.start(1, EDGE, &FLOWS, Rules::default(), None, bench.now);
    for _ in 0..20 {
        bench.refuse(&[VIDEO, AUDIO]);
        bench.pass(1);
    }
    bench.life.stop(1, CloseReason::Stopped, bench.now);
    bench.settle();
    let Some(Output::Closed { tried: tried @ Some(_), .. }) = bench.log.pop() else { panic!() };
    bench.now += Duration::from_secs(3579);
    bench.life.start(1, EDGE, &FLOWS, Rules::default(), tried, bench.now);
    bench.settle();
    assert_eq!(bench.gates(), [Probe, Shut, Shut, Shut], "the first probe goes out at once");
    bench.probe();
    bench.silence();
    assert_eq!(bench.gates(), [Open, Shut, Open, Shut], "an accepted probe opens every media");
    assert_eq!(bench.state(), Some(State::Starting), "but full rate has to prove it");
    bench.pass(5);
    assert_eq!((bench.state(), bench.gates()), (Some(State::Live), vec![Open; 4]));
    bench.life.stop(1, CloseReason::Stopped, bench.now);
    bench.settle();
    assert!(matches!(bench.log.pop(), Some(Output::Closed { tried: None, .. })));
    // An hour later the edge may have changed.
    bench.now += Duration::from_secs(1);
    bench.life.start(2, EDGE, &FLOWS, Rules::default(), tried, bench.now);
    assert_eq!(bench.life.gates(2), [Open; 4]);
}

#[test]
fn a_report_proves_acceptance() {
    let mut bench = Bench::start(Rules::default());
    bench.pass(1);
    bench.see(VIDEO_RTCP, Input::Viewers(1));
    assert_eq!(bench.state(), Some(State::Live));
    let mut refused = Bench::start(Rules::default());
    refused.pass(1);
    refused.refuse(&[VIDEO, AUDIO]);
    refused.see(VIDEO_RTCP, Input::ReceiverReport);
    assert_eq!(refused.state(), Some(State::Starting), "but not against refusals");
}

#[test]
fn a_silent_source_does_not_make_a_relay_live() {
    let mut bench = Bench::start(Rules::default());
    bench.sources.clear();
    bench.pass(29);
    assert_eq!(bench.state(), Some(State::Starting));
    bench.pass(1);
    assert_eq!(bench.closed(), Some(CloseReason::SourceEnded));
    assert_eq!(bench.life.state(1), None);
}

#[test]
fn a_source_that_comes_after_the_grace_makes_it_live() {
    let mut bench = Bench::start(Rules::default());
    bench.sources.clear();
    bench.pass(25);
    bench.sources = vec![VIDEO];
    bench.pass(2);
    assert_eq!(bench.state(), Some(State::Live));
}

#[test]
fn refused_rtcp_is_shut_at_once_and_counts_nothing() {
    let mut bench = Bench::start(Rules::default());
    bench.refuse(&[VIDEO_RTCP]);
    assert_eq!(bench.gates(), [Open, Shut, Open, Open]);
    bench.pass(3);
    assert_eq!(bench.state(), Some(State::Live));
    assert_eq!(bench.gates(), [Open; 4], "Live tries RTCP once more");
    bench.refuse(&[VIDEO_RTCP, AUDIO_RTCP]);
    bench.pass(60);
    assert_eq!(bench.state(), Some(State::Live));
    assert_eq!(bench.gates(), [Open, Shut, Open, Shut]);
    assert_eq!(bench.life.errors(1), [0; 4]);
}

#[test]
fn the_last_viewer_leaves() {
    let mut bench = Bench::suspect(Rules::default());
    assert_eq!(bench.gates(), [Shut; 4]);
    let begun = bench.now;
    let mut probes = Vec::new();
    while bench.closed().is_none() {
        let flow = bench.probe();
        probes.push((flow, bench.now));
        bench.now += Duration::from_millis(20);
        bench.refuse(&[flow]);
    }
    assert_eq!(bench.closed(), Some(CloseReason::NoViewers));
    assert_eq!(probes.len(), 18, "nine more errors on each of two flows");
    assert!(probes.iter().zip(probes.iter().skip(1)).all(|(a, b)| a.0 != b.0), "in turn");
    assert!(
        probes.windows(2).all(|pair| pair[1].1 - pair[0].1 >= Duration::from_secs(1)),
        "one a second"
    );
    assert!(bench.now - begun < Duration::from_secs(21));
    assert_eq!(bench.life.next_wake(), None);
}

#[test]
fn a_relay_never_accepted_says_so() {
    let mut bench = Bench::start(Rules::default());
    for _ in 0..20 {
        bench.refuse(&[VIDEO, AUDIO]);
        bench.pass(1);
    }
    while bench.closed().is_none() {
        let flow = bench.probe();
        bench.refuse(&[flow]);
    }
    assert_eq!(bench.closed(), Some(CloseReason::NeverAccepted));
}

#[test]
fn an_unanswered_probe_brings_the_whole_relay_back() {
    let mut bench = Bench::suspect(Rules::default());
    let left = bench.now;
    bench.probe();
    bench.silence();
    assert_eq!(bench.state(), Some(State::Live));
    assert_eq!(bench.gates(), [Open; 4]);
    assert!(bench.now - left < Duration::from_millis(2100));
    assert_eq!(bench.life.errors(1), [1, 0, 1, 0]);
    bench.pass(5);
    assert_eq!(bench.life.errors(1), [0; 4], "forgotten after quiet");
}

#[test]
fn one_refused_media_probes_on_its_own_for_ever() {
    let mut bench = Bench::live(Rules::default());
    bench.refuse(&[AUDIO]);
    for _ in 0..40 {
        assert_eq!(bench.probe(), AUDIO);
        bench.refuse(&[AUDIO]);
        bench.pass(1);
    }
    assert_eq!(bench.state(), Some(State::Live));
    assert_eq!(bench.gates()[VIDEO], Open);
    assert_eq!(bench.life.errors(1), [0, 0, 41, 0]);
    bench.probe();
    bench.silence();
    assert_eq!(bench.gates(), [Open; 4]);
}

#[test]
fn a_start_brings_a_suspect_relay_back_at_once() {
    let mut bench = Bench::suspect(Rules::default());
    bench.life.renew(1, bench.now);
    bench.settle();
    assert_eq!(bench.state(), Some(State::Starting));
    assert_eq!(bench.gates(), [Open; 4]);
    bench.refuse(&[VIDEO, AUDIO]);
    assert_eq!(bench.gates(), [Open; 4], "the player is not there yet");
}

#[test]
fn a_crowd_of_starts_opens_a_refused_media_once_a_grace() {
    let mut bench = Bench::live(Rules::default());
    bench.pass(20);
    bench.refuse(&[AUDIO]);
    bench.log.clear();
    for _ in 0..100 {
        bench.life.renew(1, bench.now);
        bench.refuse(&[AUDIO]);
    }
    let opened = Output::Gate { relay: 1, flow: AUDIO, gate: Open };
    assert_eq!(bench.log.iter().filter(|output| **output == opened).count(), 1);
    assert_eq!(bench.state(), Some(State::Live));
}

#[test]
fn reported_viewers_keep_a_relay_and_their_absence_closes_it() {
    let mut bench = Bench::live(Rules::default());
    for _ in 0..8 {
        bench.see(VIDEO_RTCP, Input::Viewers(0));
        bench.see(AUDIO_RTCP, Input::Viewers(2));
        bench.pass(5);
    }
    assert_eq!(bench.life.viewers(1, bench.now), Some(2));
    let nobody = |bench: &mut Bench| {
        for _ in 0..6 {
            bench.see(VIDEO_RTCP, Input::Viewers(0));
            bench.see(AUDIO_RTCP, Input::Viewers(0));
            bench.pass(4);
        }
    };
    nobody(&mut bench);
    let at = When::At(bench.now + Duration::from_secs(6));
    assert_eq!(
        bench.life.close_forecasts(1),
        [CloseForecast { reason: CloseReason::NoViewers, when: at }]
    );
    bench.life.renew(1, bench.now);
    nobody(&mut bench);
    assert_eq!(bench.state(), Some(State::Live), "a start gives it time anew");
    bench.pass(6);
    assert_eq!(bench.closed(), Some(CloseReason::NoViewers));
}

#[test]
fn a_viewer_count_ages_and_a_single_report_closes_nothing() {
    let mut bench = Bench::live(Rules::default());
    bench.see(VIDEO_RTCP, Input::Viewers(0));
    bench.pass(60);
    assert_eq!((bench.state(), bench.life.viewers(1, bench.now)), (Some(State::Live), None));
    for _ in 0..5 {
        bench.see(VIDEO_RTCP, Input::Viewers(0));
        bench.pass(21);
    }
    assert_eq!(bench.state(), Some(State::Live), "these reports are no run");
    bench.see(VIDEO_RTCP, Input::Viewers(1_000_001));
    assert_eq!(bench.life.viewers(1, bench.now), None, "nobody has so many viewers");
    bench.see(VIDEO_RTCP, Input::Viewers(1_000_000));
    assert_eq!(bench.life.viewers(1, bench.now), Some(1_000_000));
    bench.refuse(&[VIDEO, AUDIO]);
    assert_eq!(bench.state(), Some(State::Suspect));
    assert_eq!(bench.life.viewers(1, bench.now), None, "the viewers are gone");
}

#[test]
fn a_lease_runs_out_unless_somebody_shows() {
    let lease = Some(Duration::from_secs(100));
    let mut bench = Bench::live(Rules { lease, ..Rules::default() });
    bench.pass(90);
    bench.see(VIDEO_RTCP, Input::ReceiverReport);
    bench.pass(90);
    bench.see(VIDEO_RTCP, Input::Viewers(1));
    bench.pass(90);
    bench.see(VIDEO_RTCP, Input::ReceiverReport);
    bench.pass(10);
    assert_eq!(bench.closed(), Some(CloseReason::LeaseExpired), "this edge counts viewers");
}

#[test]
fn a_media_that_is_not_broadcast_has_no_say() {
    let mut bench = Bench::start(Rules::default());
    bench.sources = vec![VIDEO];
    bench.pass(40);
    assert_eq!(bench.state(), Some(State::Live));
    bench.refuse(&[VIDEO]);
    assert_eq!(bench.state(), Some(State::Suspect));
    while bench.closed().is_none() {
        assert_eq!(bench.probe(), VIDEO);
        bench.refuse(&[VIDEO]);
        bench.pass(1);
    }
    assert_eq!(bench.closed(), Some(CloseReason::NoViewers));
}

#[test]
fn a_turn_without_a_packet_passes_on() {
    let mut bench = Bench::suspect(Rules::default());
    bench.pass(1);
    while bench.gates() != [Probe, Shut, Shut, Shut] {
        bench.pass(1);
    }
    while bench.gates()[VIDEO] == Probe {
        bench.pass(1);
    }
    assert_eq!(bench.gates(), [Shut, Shut, Probe, Shut]);
    // The video's packet went out just before its gate was shut.
    bench.see(VIDEO, PROBED);
    assert_eq!(bench.gates(), [Shut; 4], "two probes in an interval would be one too many");
    bench.see(VIDEO, REFUSED);
    assert_eq!(bench.life.errors(1), [2, 0, 1, 0]);
    assert_eq!(bench.probe(), AUDIO);
}

#[test]
fn an_answer_that_overtakes_the_news_of_its_probe_counts() {
    let mut bench = Bench::suspect(Rules::default());
    while bench.gates()[VIDEO] != Probe {
        bench.now = bench.life.next_wake().unwrap();
        bench.settle();
    }
    bench.refuse(&[VIDEO]);
    bench.see(VIDEO, PROBED);
    assert_eq!(bench.life.errors(1), [2, 0, 1, 0]);
    assert_eq!(bench.gates(), [Shut; 4]);
    assert_eq!(bench.probe(), AUDIO);
}

#[test]
fn an_error_that_quotes_an_older_packet_does_not_refuse_the_probe() {
    let mut bench = Bench::suspect(Rules::default());
    while !bench.gates().contains(&Probe) {
        bench.now = bench.life.next_wake().expect("a probe is due");
        bench.settle();
    }
    bench.see(VIDEO, Input::Probed { sequence: Some(900) });
    bench.see(VIDEO, Input::Refused { sequence: Some(850) });
    assert_eq!(bench.life.errors(1)[VIDEO], 1, "only the refusal that made it Suspect");
    bench.see(VIDEO, Input::Refused { sequence: Some(900) });
    assert_eq!(bench.life.errors(1)[VIDEO], 2);
}

#[test]
fn silence_proves_nothing_while_others_are_refused_at_full_rate() {
    let mut bench = Bench::suspect(Rules::default());
    bench.life.start(2, EDGE, &FLOWS, Rules::default(), None, bench.now);
    let flow = bench.probe();
    bench.now += Duration::from_millis(500);
    bench.life.observe(2, 0, REFUSED, bench.now);
    bench.settle();
    for _ in 0..15 {
        bench.now += Duration::from_millis(900);
        bench.life.observe(2, 0, REFUSED, bench.now);
        bench.settle();
        assert_eq!(bench.state(), Some(State::Suspect));
        assert_eq!(bench.gates(), [Shut; 4]);
    }
    assert_eq!(bench.probe(), flow, "it tries again as soon as that is over");
    bench.silence();
    assert_eq!(bench.state(), Some(State::Live));
}

#[test]
fn a_relay_that_starts_again_and_again_does_not_hold_back_the_others_for_ever() {
    let mut bench = Bench::suspect(Rules::default());
    bench.life.start(2, EDGE, &FLOWS, Rules::default(), None, bench.now);
    let mut probes = 0;
    for second in 0..80 {
        if second % 10 == 0 {
            bench.life.renew(2, bench.now);
        }
        for flow in [VIDEO, AUDIO] {
            bench.life.observe(
                2,
                flow,
                Input::Traffic { received: second, sent: second },
                bench.now,
            );
            if bench.life.gates(2)[flow] == Open {
                bench.life.observe(2, flow, REFUSED, bench.now);
            }
        }
        bench.pass(1);
        for relay in [1, 2] {
            if let Some(flow) = bench.life.gates(relay).iter().position(|g| *g == Probe) {
                bench.life.observe(relay, flow, PROBED, bench.now);
                bench.life.observe(relay, flow, REFUSED, bench.now);
                probes += u32::from(relay == 1);
            }
        }
    }
    assert!(probes >= 5, "{probes}");
}

#[test]
fn stop_closes_once_and_what_comes_late_is_passed_over() {
    let mut bench = Bench::live(Rules::default());
    bench.life.stop(1, CloseReason::Stopped, bench.now);
    bench.life.stop(1, CloseReason::Failed, bench.now);
    bench.life.renew(1, bench.now);
    bench.refuse(&[VIDEO]);
    bench.pass(5);
    let closed = |output: &&Output| matches!(output, Output::Closed { .. });
    assert_eq!(bench.log.iter().filter(closed).count(), 1);
    assert_eq!(bench.closed(), Some(CloseReason::Stopped));
    assert!(matches!(bench.log.last(), Some(Output::Closed { relay: 1, .. })));
    assert!(bench.gates().is_empty());
}

#[test]
fn a_pause_of_the_daemon_is_not_a_silence_of_the_source() {
    let mut bench = Bench::live(Rules::default());
    bench.now += Duration::from_secs(3600);
    bench.sources.clear();
    bench.pass(1);
    bench.sources = vec![VIDEO, AUDIO];
    bench.pass(1);
    assert_eq!(bench.state(), Some(State::Live));
}

#[test]
fn an_edge_that_never_answers_is_known() {
    let mut bench = Bench::live(Rules::default());
    assert!(!bench.life.edge_answers(EDGE));
    bench.refuse(&[AUDIO_RTCP]);
    assert!(bench.life.edge_answers(EDGE));
    assert!(!Lifecycle::new().edge_answers(EDGE));
}

#[test]
fn acceptance_needs_proof_and_ends_with_a_refusal() {
    use Acceptance::{Accepted, Refused, Unknown};
    let mut bench = Bench::start(Rules::default());
    let acceptance = |bench: &Bench| bench.life.acceptance(1, bench.now);
    assert_eq!(acceptance(&bench), [Unknown; 4]);
    bench.pass(3);
    assert_eq!(acceptance(&bench), [Accepted, Unknown, Accepted, Unknown]);
    bench.refuse(&[AUDIO, AUDIO_RTCP]);
    assert_eq!(acceptance(&bench), [Accepted, Unknown, Refused, Refused]);
    bench.see(VIDEO_RTCP, Input::ReceiverReport);
    assert_eq!(acceptance(&bench), [Accepted, Accepted, Refused, Refused]);
    let mut bench = Bench::start(Rules::default());
    bench.refuse(&[VIDEO]);
    bench.see(AUDIO_RTCP, Input::Viewers(1));
    assert_eq!(acceptance(&bench), [Refused, Accepted, Accepted, Accepted]);
    let suspect = Bench::suspect(Rules::default());
    assert_eq!(acceptance(&suspect), [Refused, Unknown, Refused, Unknown]);
}

#[test]
fn a_flow_that_does_not_exist_is_passed_over() {
    let mut bench = Bench::live(Rules::default());
    for seen in [REFUSED, PROBED, Input::Viewers(1), Input::ReceiverReport] {
        bench.see(17, seen);
    }
    assert_eq!(bench.gates(), [Open; 4]);
    bench.life.start(2, EDGE, &[], Rules::default(), None, bench.now);
    bench.settle();
    assert_eq!(bench.closed(), Some(CloseReason::SourceEnded), "nothing to relay");
}
