//! All faults are named at once, and everything else is read.

use crate::config::faults;
use crate::world::{EDGE, World, sdp};
use catalog::{Catalog, Fault};

/// Line, column and the beginning of the message.
fn begin(fault: &Fault) -> (usize, usize, String) {
    let words: Vec<&str> = fault.what.split(' ').take(3).collect();
    (fault.line, fault.column, words.join(" "))
}

fn begins(text: &str) -> Vec<(usize, usize, String)> {
    faults(text).iter().map(begin).collect()
}

fn at(line: usize, column: usize, what: &str) -> (usize, usize, String) {
    (line, column, what.to_owned())
}

#[test]
fn every_section_and_every_key_is_checked() {
    let text = "\
[daemon]
sokcet = \"x\"
workers = -1
log_level = \"loud\"
[shutdwon]
quiet = \"3s\"
[origin]
local = [\"192.0.2.0/24\", \"here\", 7, \"there\"]
url = \"http://x\"
[shutdown]
quiet = 3
grace = \"20 s\"
lease = \"1h\"
";
    let expected = [
        at(2, 1, "unknown key `sokcet`,"),
        at(3, 11, "invalid value: integer"),
        at(4, 13, "unknown value `loud`,"),
        at(5, 2, "unknown key `shutdwon`,"),
        at(8, 26, "`here` is not"),
        at(8, 34, "invalid type: integer"),
        at(8, 37, "`there` is not"),
        at(9, 7, "`http://x`: a URL"),
        at(11, 9, "invalid type: integer"),
        at(12, 9, "`20 s` is"),
    ];
    assert_eq!(begins(text), expected);
}

#[test]
fn inline_tables_and_dotted_keys_are_checked_too() {
    let text =
        "shutdown = { quite = \"3s\", errors = 0 }\ndaemon.workers = \"x\"\nlimits.relay = 1\n";
    let expected = [
        at(1, 14, "unknown key `quite`,"),
        at(1, 37, "invalid value: integer"),
        at(2, 18, "invalid type: string"),
        at(3, 8, "unknown key `relay`,"),
    ];
    assert_eq!(begins(text), expected);
}

#[test]
fn every_edge_is_checked() {
    let text = "\
[[edge]]
name = \"dss2\"
address = \"dss2\"
serve = []
[[edge]]
name = \"dss3\"
[[edge]]
name = \"dss2\"
address = \"198.51.100.7\"
url = \"dss2\"
[[edge]]
";
    let expected = [
        at(1, 1, "missing key `url`"),
        at(3, 11, "`dss2` is not"),
        at(4, 1, "unknown key `serve`,"),
        at(5, 1, "missing key `address`"),
        at(5, 1, "missing key `url`"),
        at(7, 1, "there is an"),
        at(10, 7, "`dss2`: a URL"),
        at(11, 1, "missing key `address`"),
        at(11, 1, "missing key `name`"),
        at(11, 1, "missing key `url`"),
    ];
    assert_eq!(begins(text), expected);
}

#[test]
fn an_error_of_the_syntax_is_the_only_one() {
    assert_eq!(faults("[daemon]\nworkers = \n[shutdown]\nquite = 1\n[edge\n").len(), 1);
}

#[test]
fn of_many_mistakes_only_some_are_named() {
    let keys: String = (0..1000).map(|key| format!("k{key} = 1\n")).collect();
    assert_eq!(faults(&keys).len(), 100);
}

#[test]
fn all_faults_of_a_streams_settings_are_named() {
    let world = World::new()
        .file("news.sdp", sdp(&["m=video 5004 RTP/AVP 96", "c=IN IP4 239.1.2.3"]))
        .file("news.toml", "titel = \"x\"\n[shutdown]\nquiet = 1\n");
    let problems = world.problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("news.toml, line 1: column 1: "), "{problems:?}");
    assert!(problems[1].starts_with("news.toml, line 3: column 9: "), "{problems:?}");
}

#[test]
fn streams_are_checked_with_the_valid_edges() {
    let broken = EDGE.replace("198.51.100.7", "x").replace("dss2\"", "dss3\"");
    let video = |codec: &str| {
        let format = format!("a=rtpmap:96 {codec}/90000");
        sdp(&["m=video 5004 RTP/AVP 96", "c=IN IP4 239.1.2.3", &format])
    };
    let world = World::with(&format!("[shutdown]\nquite = 1\nerrors = 3\n{broken}{EDGE}"))
        .file("news.sdp", video("H264"))
        .file("news.dss2.sdp", video("H265"))
        .file("news.dss3.sdp", video("H265"))
        .file("film.dss4.sdp", video("H264"))
        .file("film.sdp", video("H264"))
        .file("film.dss3.sdp", "junk");
    let (catalog, faults) = Catalog::salvage(&world.config()).unwrap();
    assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [2, 6]);
    assert_eq!(catalog.rules("news").errors, 3);
    let edges: Vec<&str> = catalog.edges().iter().map(|edge| edge.name.as_str()).collect();
    assert_eq!(edges, ["dss2"]);
    let files: Vec<_> = catalog.problems().iter().map(|problem| problem.file.clone()).collect();
    let named = |name: &str| files.contains(&world.streams().join(name));
    assert!(named("news.dss2.sdp") && named("film.dss3.sdp") && named("film.dss4.sdp"));
    assert!(!named("news.dss3.sdp"), "nobody knows where it would go");
    assert_eq!(files.len(), 3, "{files:?}");
}
