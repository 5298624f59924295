use std::io::Write as _;

use clap::Parser;

use super::*;
use crate::command::{Arguments, Command};
use crate::fake::Fake;

const DAEMON: &str = r#"{"time":"2024-07-15T12:00:00.0Z","level":"info","event":"up","message":"dynrelayd is up"}
{"time":"2024-07-16T12:00:00.0Z","level":"info","event":"opened","stream":"news","edge":"dss2","address":"198.51.100.7","message":"a relay starts"}
{"time":"2024-07-16T12:00:00.1Z","level":"info","event":"start","stream":"news","edge":"dss2","client":"203.0.113.9","count":1,"message":"viewers are sent to the edge"}
{"time":"2024-07-16T13:00:00.0Z","level":"info","event":"closed","stream":"news","edge":"dss2","reason":"no-viewers","seconds":3600,"packets":1000,"bytes":1200000,"refusals":10,"message":"the relay is closed"}
{"time":"2024-07-17T11:59:59.0Z","level":"info","event":"down","message":"dynrelayd stopped"}
{"time":"2024-07-17T1
"#;

const SERVER: &str = "#Fields: c-ip date time cs-uri-stem x-duration c-status sc-bytes s-ip s-dns
203.0.113.9 2024-07-16 12:30:00 /news.sdp 1800 200 600000 198.51.100.7 dss2.example.net
203.0.113.77 2024-07-16 12:50:00 /<b>.sdp 0 404 0 198.51.100.7 dss2.example.net
";

/// Runs `dynrelay report` with these options on these logs.
fn report(options: &[&str], logs: &[&[u8]]) -> (Result<String, Failure>, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut words = vec!["dynrelay".to_owned(), "report".to_owned()];
    words.extend(options.iter().map(|&option| option.to_owned()));
    for (number, log) in logs.iter().enumerate() {
        let file = folder.path().join(number.to_string());
        std::fs::write(&file, log).unwrap();
        words.push(file.display().to_string());
    }
    let arguments = Arguments::parse_from(words);
    let Command::Report(wanted) = arguments.command else { panic!("no report") };
    let mut fake = Fake::default();
    if arguments.json {
        fake = fake.for_programs();
    }
    let out = fake.run(|context| run(context, wanted));
    (out, fake.err())
}

#[test]
fn sheets_for_people() {
    let (out, err) = report(&[], &[DAEMON.as_bytes(), SERVER.as_bytes()]);
    let out = out.unwrap();
    assert!(
        out.starts_with(
            "\
dynrelayd logged from 2024-07-15 12:00 to 2024-07-17 11:59 UTC (2d 0h).
Viewers asked 1 time. 1 relay closed; 1h 0m were relayed in all.
Sent to edges: 1.2 MB. Relaying all the time would have taken 56 MB more: 97 %
was saved.
Servers logged 1 session: 30m 0s of watching, 600 kB sent to viewers; 1 more got
nothing.

By stream
STREAM  RELAYS  RELAYED    SENT  SAVED  SESSIONS  WATCHED  SERVED
<b>          0       0s     0 B      -         0       0s     0 B
news         1    1h 0m  1.2 MB   97 %         1   30m 0s  600 kB
"
        ),
        "{out}"
    );
    assert!(out.contains("\nEDGE  ") && out.contains("\ndss2  "), "{out}");
    assert!(
        out.contains("NETWORK         STARTS  SESSIONS  FAILED  WATCHED  SERVED\n203.0.113.0/24")
    );
    assert!(out.contains("no-viewers       1") && out.contains("404 no such stream"), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    assert!(
        err.contains("1 line of 9 could not be read") && err.contains("/0, line 6: not a whole"),
        "{err}"
    );
}

#[test]
fn programs_get_one_object() {
    let (out, _) = report(
        &["--json", "--edge", "dss2", "--stream", "news"],
        &[SERVER.as_bytes(), DAEMON.as_bytes()],
    );
    let json: serde_json::Value = serde_json::from_str(&out.unwrap()).unwrap();
    assert_eq!(json["total"]["sent"], 1_200_000);
    assert_eq!(json["total"]["saved"], 56_400_000);
    assert_eq!(json["edges"].as_array().unwrap().len(), 1);
    assert_eq!(json["edges"][0]["name"], "dss2");
    assert_eq!(json["edges"][0]["watched"], 1800);
    assert_eq!(json["days"].as_array().unwrap().len(), 3);
    assert_eq!(json["reasons"]["no-viewers"], 1);
    assert_eq!(json["broken"][0]["line"], 6);
}

#[test]
fn a_page_stands_alone_and_believes_nothing() {
    let (out, _) = report(&["--html"], &[DAEMON.as_bytes(), SERVER.as_bytes()]);
    let page = out.unwrap();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"), "{page}");
    assert!(page.contains("<svg") && page.contains("prefers-color-scheme: dark"));
    for outside in ["http://", "https://", "src=", "href=", "<script", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn compressed_logs_are_read_and_what_is_none_is_said() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(DAEMON.as_bytes()).unwrap();
    let (out, _) = report(&["--since", "2024-07-17"], &[&gzip.finish().unwrap()]);
    assert!(out.unwrap().starts_with("dynrelayd logged from 2024-07-17 00:00"));
    let (out, err) = report(&[], &[b"Nov 22 host sshd: hello\n"]);
    assert!(out.unwrap_err().to_string().contains("#Fields"), "{err}");
    let iis = "#Software: IIS\n#Fields: date time cs-uri-stem sc-bytes time-taken\n2024-07-16 12:00:00 / 1 2\n";
    let (out, _) = report(&[], &[iis.as_bytes()]);
    let said = out.unwrap_err().to_string();
    assert!(said.contains("/0, line 2: the #Fields header has no x-duration"), "{said}");
}

#[test]
fn what_edges_reported_is_watched_without_a_servers_log() {
    let daemon = DAEMON.replace("\"refusals\":10", "\"refusals\":10,\"watched\":7260");
    let (out, _) = report(&[], &[daemon.as_bytes()]);
    let out = out.unwrap();
    assert!(out.contains("Edges reported 2h 1m of watching."), "{out}");
    let table = "\
STREAM  STARTS  RELAYS  RELAYED    SENT  SAVED  WATCHED
news         1       1    1h 0m  1.2 MB   97 %    2h 1m
";
    assert!(out.contains(table), "{out}");
    let (out, _) = report(&[], &[daemon.as_bytes(), SERVER.as_bytes()]);
    assert!(out.unwrap().contains("SESSIONS  WATCHED  SERVED\n"));
}

#[test]
fn a_time_is_a_day_or_a_moment() {
    assert_eq!(time("2024-07-16T12:00:00"), Ok(1_721_131_200));
    assert!(time("yesterday").is_err());
}
