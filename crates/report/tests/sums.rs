//! The sums of every log add up.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use proptest::prelude::*;
use report::{Analysis, Filter, Report, Row, Totals, date};

const DAY: u64 = 86_400;
/// Noon on a Tuesday in 2024.
const NOON: u64 = 1_721_131_200;

fn read(logs: &[&str], filter: Filter) -> Report {
    let mut analysis = Analysis::new(filter);
    for log in logs {
        analysis.read("log", log.as_bytes()).unwrap();
    }
    Report::of(&analysis)
}

fn everything(logs: &[&str]) -> Report {
    read(logs, Filter::default())
}

fn time(seconds: u64) -> String {
    let of_day = seconds % DAY;
    let (hours, minutes) = (of_day / 3600, of_day / 60 % 60);
    format!("{}T{hours:02}:{minutes:02}:{:02}.5Z", date(seconds / DAY), of_day % 60)
}

fn sum<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Totals {
    let mut sum = Totals::default();
    rows.into_iter().for_each(|row| sum += row.totals);
    sum
}

fn closed(edge: &str, end: u64, seconds: u64, bytes: u64) -> String {
    format!(
        "{{\"time\":\"{}\",\"event\":\"closed\",\"stream\":\"news\",\"edge\":\"{edge}\",\
         \"reason\":\"no-viewers\",\"seconds\":{seconds},\"packets\":{},\"bytes\":{bytes}}}\n",
        time(end),
        bytes / 1200,
    )
}

fn opened(edge: &str, at: u64) -> String {
    format!(
        "{{\"time\":\"{}\",\"event\":\"opened\",\"stream\":\"news\",\"edge\":\"{edge}\",\
         \"address\":\"198.51.100.7\"}}\n",
        time(at),
    )
}

#[test]
fn what_is_saved_is_what_relaying_on_would_have_taken() {
    let log = [opened("dss2", NOON), closed("dss2", NOON + 3600, 3600, 3_600_000)].concat();
    let end = closed("dss3", NOON + DAY, 0, 0);
    let report = everything(&[&log, &end]);
    assert_eq!((report.from, report.until), (Some(NOON), Some(NOON + DAY + 1)));
    assert_eq!(report.total.saved, (DAY + 1 - 3600) * 1000);
    let saved: Vec<u64> = report.days.iter().map(|day| day.saved).collect();
    assert_eq!(saved, [(DAY / 2 - 3600) * 1000, (DAY / 2 + 1) * 1000]);
    let window = Filter { until: Some(NOON + 1800), ..Filter::default() };
    let report = read(&[&log, &end], window);
    assert_eq!((report.total.totals.sent, report.total.saved), (1_800_000, 0));
    assert_eq!(report.total.totals.relays, 0);
}

#[test]
fn a_relay_that_has_not_closed_runs_to_the_end_whatever_the_order_of_files() {
    let first = [opened("dss2", NOON), closed("dss2", NOON + 100, 100, 100_000)].concat();
    let second = [opened("dss2", NOON + 200), closed("dss3", NOON + 500, 0, 0)].concat();
    for logs in [[&first[..], &second[..]], [&second, &first]] {
        let report = everything(&logs);
        assert_eq!(report.running, 1);
        assert_eq!(report.total.totals.relayed, 100 + 301);
        assert_eq!(report.total.saved, 100_000);
        assert_eq!(report.days[0].saved, 100_000);
    }
    let crash = format!("{{\"time\":\"{}\",\"event\":\"up\"}}\n", time(NOON + 400));
    assert_eq!(everything(&[&first, &second, &crash]).running, 0);
}

#[test]
fn sessions_and_relays_meet_by_the_edges_address() {
    let daemon = [opened("dss2", NOON), closed("dss2", NOON + 100, 100, 1000)].concat();
    let server = "#Fields: date time c-ip cs-uri-stem x-duration sc-bytes s-ip s-dns\n\
        2024-07-16 12:01:00 203.0.113.9 /news.sdp 60 500 198.51.100.7 a.example\n\
        2024-07-16 12:01:00 203.0.113.9 /news.sdp 60 500 198.51.100.8 b.example\n";
    for logs in [[&daemon[..], server], [server, &daemon]] {
        let report = everything(&logs);
        let names: Vec<_> = report.edges.iter().map(|edge| edge.name.as_str()).collect();
        assert_eq!(names, ["b.example", "dss2"]);
        assert_eq!(report.edges[1].totals.served, 500);
        assert_eq!(report.edges[1].totals.sent, 1000);
        for edge in ["dss2", "198.51.100.7", "a.example"] {
            let one = read(&logs, Filter { edge: Some(edge.into()), ..Filter::default() });
            assert_eq!(one.edges, report.edges[1..], "{edge}");
            assert_eq!((one.total.totals.watched, one.networks.len()), (60, 1));
        }
    }
}

#[test]
fn names_without_end_take_no_memory_without_end() {
    let mut log = String::from("#Fields: date time c-ip cs-uri-stem x-duration sc-bytes s-ip\n");
    for number in 0..60_000 {
        log.push_str(&format!("2024-07-16 12:01:00 203.0.113.9 /{number}.sdp 60 1 s{number}\n"));
    }
    let report = everything(&[&log]);
    assert_eq!(report.total.totals.sessions, 60_000);
    assert_eq!(report.edges.len(), 4097);
    assert_eq!(report.streams.len(), 50_001);
    assert!(report.edges.iter().any(|edge| edge.name == "(others)"));
}

#[test]
fn wowza_logs_a_session_by_its_events() {
    let tabs = include_str!("logs/wowza.log");
    let names = closed("dss2", NOON, 60, 1)
        + r#"{"time":"2026-11-20T00:00:00Z","event":"opened","stream":"news","edge":"dss2","address":"198.51.100.7"}"#;
    for log in [tabs.to_owned(), tabs.replace('\t', " ")] {
        let report = everything(&[&log]);
        let Totals { sessions, failed, watched, served, .. } = report.total.totals;
        assert_eq!((sessions, failed, watched, served), (1, 0, 600, 75_000_000));
        assert_eq!((report.lines.sessions, report.lines.broken), (1, 0));
        let of = |rows: &[Row]| rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
        assert_eq!(of(&report.relays), ["news/198.51.100.7"]);
        assert_eq!(of(&report.days), ["2026-11-20"]);
        assert_eq!(of(&report.networks), ["203.0.113.0/24"]);
        let both = everything(&[&log, &names]);
        assert_eq!(both.edges[0].name, "dss2");
        assert_eq!(both.edges[0].totals.watched, 600);
    }
}

/// A line of either kind, or half of one.
fn line() -> impl Strategy<Value = String> {
    let at = NOON..NOON + 9 * DAY;
    let one_of = |names: &[&'static str]| proptest::sample::select(names.to_vec());
    let edge = one_of(&["dss2", "dss3"]);
    let closed = (edge.clone(), at.clone(), 0..2 * DAY, 0..1_u64 << 40)
        .prop_map(|(edge, at, seconds, bytes)| closed(edge, at, seconds, bytes));
    let opened = (edge, at.clone()).prop_map(|(edge, at)| opened(edge, at));
    let session =
        (at, 0..2 * DAY, 0..1_u64 << 40, 0..9_u8).prop_map(|(at, seconds, bytes, net)| {
            let (date, time) = (date(at / DAY), time(at));
            let time = &time[11..19];
            format!("{date} {time} 203.0.{net}.9 /news.sdp {seconds} {bytes} 198.51.100.{net}\n")
        });
    let whole = prop_oneof![closed, opened, session];
    (whole, proptest::option::weighted(0.1, 0..99_usize)).prop_map(|(mut line, cut)| {
        if let Some(cut) = cut {
            line.truncate(cut);
            line.push('\n');
        }
        line
    })
}

proptest! {
    #[test]
    fn every_table_has_the_same_sum(lines in proptest::collection::vec(line(), 0..40), cut: u64) {
        let log = "#Fields: date time c-ip cs-uri-stem x-duration sc-bytes s-ip\n".to_owned()
            + &lines.concat();
        let all = everything(&[&log]);
        let Report { total, streams, edges, relays, days, lines, .. } = &all;
        for table in [streams, edges, relays, days] {
            prop_assert_eq!(sum(table), total.totals);
        }
        let counted = lines.entries + lines.sessions + lines.others + lines.broken;
        prop_assert_eq!(counted, lines.read);
        let cut = Some(NOON + cut % (9 * DAY));
        let before = read(&[&log], Filter { until: cut, ..Filter::default() });
        let after = read(&[&log], Filter { since: cut, ..Filter::default() });
        prop_assert_eq!(sum([&before.total, &after.total]), total.totals);
    }

    #[test]
    fn any_bytes_are_a_log(bytes: Vec<u8>) {
        let mut analysis = Analysis::new(Filter::default());
        // Input that only looks like gzip can't be read.
        let _ = analysis.read("noise", &bytes[..]);
        let report = Report::of(&analysis);
        prop_assert!(report.broken.len() as u64 <= report.lines.broken);
    }
}
