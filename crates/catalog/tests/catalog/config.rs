//! dynrelay.toml: valid content, and messages about invalid content.

use std::net::IpAddr;

use crate::world::{EDGE, World, sdp};
use catalog::{Config, ConfigError, Fault, Rtcp, Severity};
use model::Rules;

/// The faults of `text`.
pub(crate) fn faults(text: &str) -> Vec<Fault> {
    match World::with(text).try_load() {
        Err(ConfigError::Invalid { faults, .. }) => faults,
        other => panic!("{text}: {other:?}"),
    }
}

/// Line, column and message of the only fault of `text`.
fn error(text: &str) -> (usize, usize, String) {
    let mut faults = faults(text);
    let Fault { line, column, what } = faults.remove(0);
    assert_eq!(faults, [], "{text}");
    (line, column, what)
}

#[test]
fn one_edge_is_enough() {
    let world = World::new();
    let catalog = world.load();
    assert_eq!(catalog.problems(), []);
    let Config { streams, origin, rules, limits, rtcp, edges, .. } = catalog.config();
    assert_eq!(*streams, world.streams());
    assert_eq!(origin.viewer_url("news"), None);
    assert_eq!(*rules, Rules::default());
    assert_eq!(limits.relays, 1000);
    assert_eq!(*rtcp, Rtcp::SenderReports);
    assert_eq!(edges.len(), 1);
}

#[test]
fn no_edge_and_no_origin_are_warnings() {
    let catalog = World::with("[origin]\nlocal = [\"192.0.2.0/24\"]\n").load();
    assert_eq!(catalog.problems().len(), 2);
    assert!(catalog.problems().iter().all(|problem| problem.severity == Severity::Warning));
    assert!(!catalog.config().origin.is_local("192.0.2.1".parse().unwrap()));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let missing = catalog::Catalog::load("/nowhere/dynrelay.toml".as_ref()).unwrap_err();
    assert!(matches!(missing, ConfigError::Unreadable { .. }));
    assert!(missing.to_string().starts_with("/nowhere/dynrelay.toml: "));
    let world = World::new();
    std::fs::write(world.config(), b"[daemon]\n# \xff").unwrap();
    let error = world.try_load().unwrap_err().to_string();
    assert!(error.ends_with("dynrelay.toml, line 2, column 3: this is not UTF-8"), "{error}");
}

#[test]
fn unknown_keys_are_named_with_the_nearest() {
    for (text, place, unknown, nearest) in [
        ("[shutdown]\nquite = \"3s\"\n", (2, 1), "quite", "quiet"),
        ("[daemon]\n\n  sokcet = \"x\"\n", (3, 3), "sokcet", "socket"),
        ("[[edges]]\nname = \"x\"\n", (1, 3), "edges", "edge"),
        ("[limit]\nrelays = 1\n", (1, 2), "limit", "limits"),
    ] {
        let (line, column, what) = error(text);
        assert_eq!((line, column), place, "{what}");
        assert!(what.contains(&format!("`{unknown}`")), "{what}");
        assert!(what.ends_with(&format!("did you mean `{nearest}`?")), "{what}");
    }
    let (.., what) = error("[forward]\nzzzzzzzzzz = 1\n");
    assert!(!what.contains("did you mean"), "{what}");
}

#[test]
fn wrong_values_say_where_and_what_is_allowed() {
    for (text, place, says) in [
        ("[shutdown]\ngrace = \"20 s\"\n", (2, 9), "\"250ms\""),
        ("[shutdown]\ngrace = 20\n", (2, 9), "in quotes such as \"250ms\""),
        ("[shutdown]\nquiet = \"0s\"\n", (2, 9), "at least \"100ms\""),
        ("[shutdown]\nprobe_interval = \"99ms\"\n", (2, 18), "at least \"100ms\""),
        ("[shutdown]\nsource_silence = \"5us\"\n", (2, 18), "at least \"100ms\""),
        ("[daemon]\nworkers = 100000\n", (2, 11), "more than 4 for each core"),
        ("[shutdown]\nerrors = 0\n", (2, 10), "a whole number, 1 or more"),
        ("[shutdown]\nlease = \"9999d\"\n", (2, 9), "366d"),
        ("[daemon]\nlog_level = \"loud\"\n", (2, 13), "`debug`"),
        ("[daemon]\nsource_ports = \"9-1\"\n", (2, 16), "40000-40999"),
        ("[daemon]\nreceive_buffer = 0\n", (2, 18), "1073741824"),
        ("[daemon]\nworkers = -1\n", (2, 11), "`-1`, expected a whole number, 0 or more"),
        ("[limits]\nconnections = 0\n", (2, 15), "at least 1"),
        ("[origin]\nlocal = [\"192.0.2.0/33\"]\n", (2, 10), "2001:db8::/32"),
        ("[origin]\nurl = \"http://x\"\n", (2, 7), "rtsp://"),
        ("[forward]\nrtcp = \"some\"\n", (2, 8), "`sender-reports`"),
        ("\"a\\nb\" = 1\n", (1, 1), "`a b`"),
        ("[edge]\nname = \"a\"\n", (1, 1), "double brackets: [[edge]]"),
        ("[origin]\nlocal = \"192.0.2.0/24\"\n", (2, 9), "a list"),
        ("daemon = 1\n", (1, 10), "the section [daemon]"),
        ("[daemon\n", (1, 8), ""),
    ] {
        let (line, column, what) = error(text);
        assert_eq!((line, column), place, "{text}: {what}");
        assert!(what.contains(says), "{text}: {what}");
    }
}

#[test]
fn edges_are_checked() {
    let edge = |change: &str, to: &str| error(&EDGE.replace(change, to));
    let wrong = "dss2||239.1.2.3|ff15::1|0.0.0.0|0.1.2.3|240.0.0.1|255.255.255.255|::|\
        ::192.0.2.1|fe80::1";
    for address in wrong.split('|') {
        let (line, _, what) = edge("198.51.100.7", address);
        assert_eq!(line, 3, "{what}");
        assert!(what.contains(&format!("`{address}`")), "{what}");
    }
    for name in ["", ".x", "a/b", "a b", "..", "é"] {
        let (line, _, what) = edge("\"dss2\"", &format!("\"{name}\""));
        assert_eq!(line, 2, "{what}");
        assert!(what.contains("is not a name"), "{what}");
    }
    let (line, _, what) = edge("rtsp://dss2", "rtsp://");
    assert!(line == 4 && what.contains("host"), "{what}");
    let (line, _, what) = error(&EDGE.replace("url", "#url"));
    assert!(line == 1 && what.contains("missing key `url`"), "{what}");
    let (line, _, what) = error(&format!("{EDGE}\n{EDGE}"));
    assert!(line == 6 && what.contains("`dss2`"), "line {line}: {what}");
}

#[test]
fn a_mapped_address_is_the_ipv4_address() {
    let catalog = World::with(&EDGE.replace("198.51.100.7", "::ffff:198.51.100.7")).load();
    assert_eq!(catalog.edges()[0].address, "198.51.100.7".parse::<IpAddr>().unwrap());
}

#[test]
fn a_streams_rules_override_the_general_ones() {
    let config = format!("[shutdown]\nerrors = 5\nlease = \"2h\"\nprobe_interval = \"2s\"\n{EDGE}");
    let world = World::with(&config)
        .file("news.sdp", sdp(&["m=video 5004 RTP/AVP 96", "c=IN IP4 239.1.2.3"]))
        .file("news.toml", "title = \" News \"\n[shutdown]\nerrors = 7\nlease = \"0s\"\n");
    let catalog = world.load();
    let (general, news) = (catalog.rules("unknown"), catalog.rules("news"));
    assert_eq!((general.errors, general.lease), (5, Some(std::time::Duration::from_secs(7200))));
    assert_eq!(general.probe_interval_v4, general.probe_interval_v6);
    assert_eq!((news.errors, news.lease), (7, None));
    assert_eq!(news.quiet, Rules::default().quiet);
    assert_eq!(catalog.stream("news").unwrap().title.as_deref(), Some("News"));
}

#[test]
fn an_edge_is_near_to_the_viewers_that_it_serves() {
    let serves = "serves = [\"203.0.0.0/8\", \"203.0.113.9\", \"2001:db8::/32\"]\n";
    let config = EDGE.to_owned() + serves + &EDGE.replace("\"dss2\"", "\"dss3\"");
    let catalog = World::with(&config).load();
    let nearness =
        |edge: &str, client: &str| catalog.edge(edge).unwrap().nearness(client.parse().unwrap());
    assert_eq!(nearness("dss2", "203.0.113.9"), Some(32));
    assert_eq!(nearness("dss2", "::ffff:203.0.113.8"), Some(8));
    assert_eq!(nearness("dss2", "2001:db8::1"), Some(32));
    assert_eq!(nearness("dss2", "192.0.2.1"), None);
    assert_eq!(nearness("dss3", "203.0.113.9"), None);
}
