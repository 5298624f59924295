//! The report as a page for browsers: a single file that loads nothing.

use std::fmt::Write as _;

use report::{Report, Row};

use super::plot::{Bar, bars, escaped};
use super::sheet::{Sheet, sheets, summary, watched};
use wording::{age, grouped, size};

/// The page loads nothing and runs nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #6b7280; --rule: #d8dce2;
  --first: #2563a8; --second: #bcd3ea; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --paper: #15181c; --faint: #9aa3ad;
  --rule: #343a42; --first: #6ea8e0; --second: #2c4763; } }
body { margin: 0; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
figure { margin: 1.5rem 0; } figcaption { font-weight: 600; }
svg { width: 100%; height: auto; } svg text { fill: var(--faint); font-size: 11px; }
svg .end { text-anchor: end; } .axis { stroke: var(--rule); }
.part0 { fill: var(--first); background: var(--first); }
.part1 { fill: var(--second); background: var(--second); }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--rule); text-align: right;
  white-space: nowrap; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere; }
thead th { font-size: .8rem; color: var(--faint); } tbody th { font-weight: normal; }
footer, .more { color: var(--faint); font-size: .9rem; }
";

/// The page.
pub(super) fn page(report: &Report) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Streams and viewers</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Streams and viewers</h1>\n"
    );
    for line in summary(report) {
        let _ = writeln!(page, "<p>{}</p>", escaped(&line));
    }
    page.push_str(&plots(&report.days));
    for sheet in sheets(report) {
        page.push_str(&table(&sheet));
    }
    let lines = &report.lines;
    let _ = write!(
        page,
        "<footer><p>From {} lines, {} of which could not be read. Made by dynrelay {}.</p></footer>\n\
         </main>\n</body>\n</html>\n",
        grouped(lines.read),
        grouped(lines.broken),
        env!("CARGO_PKG_VERSION"),
    );
    page
}

fn plots(days: &[Row]) -> String {
    let plot = |title, what: &[&str], parts: fn(&Row) -> Vec<u64>, say| {
        let days = days.iter().map(|day| Bar { name: day.name.clone(), parts: parts(day) });
        bars(title, what, &days.collect::<Vec<_>>(), say).unwrap_or_default()
    };
    let sent = |day: &Row| vec![day.totals.sent, day.saved];
    [
        plot("Sent to edges, by day", &["sent", "saved"], sent, size),
        plot("Relayed, by day", &["relayed"], |day| vec![day.totals.relayed], age),
        plot("Starts, by day", &["starts"], |day| vec![day.totals.starts], grouped),
        plot("Sessions, by day", &["sessions"], |day| vec![day.totals.sessions], grouped),
        plot("Watched, by day", &["watched"], |day| vec![watched(&day.totals)], age),
    ]
    .concat()
}

fn table(sheet: &Sheet) -> String {
    let mut html = format!("<h2>{}</h2>\n<div class=\"wide\"><table>\n<thead><tr>", sheet.heading);
    for column in &sheet.columns {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escaped(&column.to_lowercase()));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in &sheet.rows {
        html.push_str("<tr>");
        for (number, cell) in row.iter().enumerate() {
            let cell = escaped(cell);
            let _ = if number == 0 {
                write!(html, "<th scope=\"row\">{cell}</th>")
            } else {
                write!(html, "<td>{cell}</td>")
            };
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
    if let Some(more) = &sheet.more {
        let _ = writeln!(html, "<p class=\"more\">{}</p>", escaped(more));
    }
    html
}
