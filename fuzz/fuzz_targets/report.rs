//! Fuzzes reading logs of dynrelayd and of streaming servers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use report::{Analysis, Filter, Report, Totals};

fuzz_target!(|bytes: &[u8]| {
    let mut analysis = Analysis::new(Filter::default());
    // Input that begins like gzip may be broken later.
    let _ = analysis.read("log", bytes);
    let report = Report::of(&analysis);
    let lines = &report.lines;
    assert_eq!(lines.entries + lines.sessions + lines.others + lines.broken, lines.read);
    let written = serde_json::to_string(&report).expect("it can be written");
    // A saturated counter is not a sum.
    if !written.contains(&u64::MAX.to_string()) {
        for table in [&report.streams, &report.edges, &report.relays, &report.days] {
            let mut sum = Totals::default();
            table.iter().for_each(|row| sum += row.totals);
            assert_eq!(sum, report.total.totals);
        }
    }
    let window = Filter { since: Some(1 << 30), until: Some(1 << 31), ..Filter::default() };
    let mut part = Analysis::new(window);
    let _ = part.read("log", bytes);
    assert!(Report::of(&part).total.totals.watched <= report.total.totals.watched);
});
