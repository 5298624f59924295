//! The report as sentences and tables, for a terminal or a browser.

use report::{Report, Row, Totals};

use wording::{age, count, grouped, size, utc};

/// The number of networks that people see; programs get all.
pub(super) const NETWORKS: usize = 20;

/// Rows under headings; the first column is text, the others are numbers.
pub(super) struct Sheet {
    pub(super) heading: &'static str,
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
    /// A note about rows that are left out.
    pub(super) more: Option<String>,
}

/// The kinds of log in the input.
#[derive(Clone, Copy)]
struct Kinds {
    daemon: bool,
    server: bool,
}

impl Kinds {
    fn of(report: &Report) -> Self {
        Self { daemon: report.lines.entries > 0, server: report.lines.sessions > 0 }
    }
}

/// The report in a few sentences.
pub(super) fn summary(report: &Report) -> Vec<String> {
    let kinds = Kinds::of(report);
    let total = report.total.totals;
    let mut lines = Vec::new();
    if let (Some(from), Some(until)) = (report.from, report.until) {
        let span = age(until - from);
        let (from, until) = (moment(from), moment(until - 1));
        lines.push(format!("dynrelayd logged from {from} to {until} UTC ({span})."));
    }
    if kinds.daemon {
        let running = match report.running {
            0 => String::new(),
            running => format!(", {} still ran at the end", grouped(running)),
        };
        lines.push(format!(
            "Viewers asked {}. {} closed{running}; {} were relayed in all.",
            count(total.starts, "time"),
            count(total.relays, "relay"),
            age(total.relayed),
        ));
        lines.push(format!(
            "Sent to edges: {}. Relaying all the time would have taken {} more{}.",
            size(total.sent),
            size(report.total.saved),
            part_saved(&report.total).map_or(String::new(), |part| format!(": {part} was saved")),
        ));
    }
    if !kinds.server && total.reported > 0 {
        lines.push(format!("Edges reported {} of watching.", age(total.reported)));
    }
    if kinds.server {
        lines.push(format!(
            "Servers logged {}: {} of watching, {} sent to viewers; {} more got nothing.",
            count(total.sessions, "session"),
            age(total.watched),
            size(total.served),
            grouped(total.failed),
        ));
    }
    lines
}

/// Every table that has contents.
pub(super) fn sheets(report: &Report) -> Vec<Sheet> {
    let kinds = Kinds::of(report);
    let mut sheets = Vec::new();
    for (heading, first, rows) in [
        ("By stream", "STREAM", &report.streams),
        ("By edge", "EDGE", &report.edges),
        ("By relay", "RELAY", &report.relays),
        ("By day", "DAY", &report.days),
    ] {
        // With one stream or one edge, its relays would be the same rows again.
        let again = first == "RELAY" && report.streams.len().min(report.edges.len()) < 2;
        if !rows.is_empty() && !again {
            sheets.push(sums(heading, first, rows, kinds));
        }
    }
    sheets.extend(networks(&report.networks, kinds));
    let counts = [
        ("Why relays closed", "REASON", "RELAYS", &report.reasons),
        ("Why viewers were turned away", "CODE", "TIMES", &report.turned_away),
        ("How sessions ended", "STATUS", "SESSIONS", &report.statuses),
    ];
    for (heading, what, noun, counts) in counts {
        if !counts.is_empty() {
            let mut counts: Vec<_> = counts.iter().collect();
            counts.sort_by(|a, b| b.1.cmp(a.1));
            let row = |(name, count): (&String, &u64)| vec![ending(name), grouped(*count)];
            let rows = counts.into_iter().map(row).collect();
            sheets.push(Sheet { heading, columns: vec![what, noun], rows, more: None });
        }
    }
    sheets
}

fn sums(heading: &'static str, first: &'static str, rows: &[Row], kinds: Kinds) -> Sheet {
    let mut columns = vec![first];
    if kinds.daemon {
        // Sorts by sessions if there are any, else by starts.
        columns.extend((!kinds.server).then_some("STARTS"));
        columns.extend(["RELAYS", "RELAYED", "SENT", "SAVED"]);
    }
    if kinds.server {
        columns.extend(["SESSIONS", "WATCHED", "SERVED"]);
    } else if rows.iter().any(|row| row.totals.reported > 0) {
        columns.push("WATCHED");
    }
    let cells = |row: &Row| columns.iter().map(|column| cell(row, column)).collect();
    let rows = rows.iter().map(cells).collect();
    Sheet { heading, columns, rows, more: None }
}

fn networks(all: &[Row], kinds: Kinds) -> Option<Sheet> {
    let mut columns = vec!["NETWORK"];
    if kinds.daemon {
        columns.push("STARTS");
    }
    if kinds.server {
        columns.extend(["SESSIONS", "FAILED", "WATCHED", "SERVED"]);
    }
    let cells = |row: &Row| columns.iter().map(|column| cell(row, column)).collect();
    let rows: Vec<_> = all.iter().take(NETWORKS).map(cells).collect();
    let left = all.len() - rows.len();
    let more =
        (left > 0).then(|| format!("… and {} (--json has them all)", count(left, "network")));
    (!rows.is_empty()).then_some(Sheet { heading: "By viewers' network", columns, rows, more })
}

fn cell(row: &Row, column: &str) -> String {
    let totals = &row.totals;
    match column {
        "STARTS" => grouped(totals.starts),
        "RELAYS" => grouped(totals.relays),
        "RELAYED" => age(totals.relayed),
        "SENT" => size(totals.sent),
        "SAVED" => part_saved(row).unwrap_or_else(|| "-".to_owned()),
        "SESSIONS" => grouped(totals.sessions),
        "FAILED" => grouped(totals.failed),
        "WATCHED" => age(watched(totals)),
        "SERVED" => size(totals.served),
        _ => row.name.clone(),
    }
}

/// How long viewers watched. Without the server's own log, this is what it reported to dynrelayd.
pub(super) fn watched(totals: &Totals) -> u64 {
    if totals.sessions == 0 { totals.reported } else { totals.watched }
}

/// The share of the traffic of relaying all the time that was not sent.
fn part_saved(row: &Row) -> Option<String> {
    let (sent, saved) = (u128::from(row.totals.sent), u128::from(row.saved));
    let percent = (saved * 100).checked_div(sent + saved)?;
    Some(format!("{percent} %"))
}

/// An RTSP status with its meaning, or a close reason.
fn ending(name: &str) -> String {
    let meaning = match name {
        "200" => "the viewer left",
        "404" => "no such stream",
        "415" => "unsupported media",
        "452" | "454" => "the broadcast ended",
        "453" => "not enough bandwidth",
        "504" => "the viewer vanished",
        _ => return name.to_owned(),
    };
    format!("{name} {meaning}")
}

/// `2026-11-22 18:30`.
fn moment(seconds: u64) -> String {
    utc(seconds)[..16].replace('T', " ")
}
