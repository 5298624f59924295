//! Various files in the streams folder.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use crate::world::{EDGE, World, sdp};
use catalog::{Refusal, Severity};

fn good() -> String {
    sdp(&["c=IN IP4 239.1.2.3", "m=audio 5006 RTP/AVP 14"])
}

fn names(world: &World) -> Vec<String> {
    world.load().streams().map(|stream| stream.name.clone()).collect()
}

#[test]
fn a_missing_folder_is_a_problem() {
    let world = World::with(&format!("[catalog]\nstreams = \"gone\"\n{EDGE}"));
    let catalog = world.load();
    assert_eq!(catalog.streams().len(), 0);
    assert_eq!(catalog.problems()[0].severity, Severity::Error);
    assert!(catalog.problems()[0].file.ends_with("gone"));
}

#[test]
fn bad_files_do_not_affect_others() {
    let world = World::new()
        .file("news.sdp", good())
        .file("news.dss2.sdp", good())
        .file("bad.sdp", "v=0\nm=video x RTP/AVP 96\n")
        .file("bad.dss2.sdp", good())
        .file("big.sdp", vec![b'\n'; 65_537])
        .file("bad name.sdp", good())
        .file("loud.SDP", good())
        .file("odd.sdp", good())
        .file("odd.dss2.sdp", "hello")
        .file("odd.toml", "title = \"Odd\"\ntitel = 3\n")
        .file("lone.toml", "");
    std::fs::create_dir(world.streams().join("folder.sdp")).unwrap();
    symlink("nowhere", world.streams().join("link.sdp")).unwrap();
    nix_fifo(&world);
    let odd = OsStr::from_bytes(b"caf\xe9.sdp");
    std::fs::write(world.streams().join(odd), good()).unwrap();

    let mut problems = world.problems();
    problems.sort();
    let starts: Vec<&str> =
        problems.iter().map(|problem| problem.split([':', '/']).next().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "bad name.sdp",
            "bad.sdp, line 2",
            "big.sdp",
            "caf\u{fffd}.sdp",
            "folder.sdp",
            "link.sdp",
            "lone.toml",
            "loud.SDP",
            "odd.dss2.sdp, line 1",
            "odd.toml, line 2",
            "pipe.sdp",
        ]
    );
    let catalog = world.load();
    assert_eq!(names(&world), ["news", "odd"]);
    assert!(catalog.route("news", "dss2").is_ok());
    assert_eq!(catalog.route("bad", "dss2"), Err(Refusal::UnknownStream("bad".into())));
    assert!(matches!(catalog.route("odd", "dss2"), Err(Refusal::Unfit(_))));
}

/// A pipe without a writer: opening it would wait for ever.
fn nix_fifo(world: &World) {
    let path = world.streams().join("pipe.sdp");
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn other_files_are_ignored() {
    let world = World::new()
        .file("README", "x")
        .file("news.sdp~", "x")
        .file(".news.sdp.swp", "x")
        .file(".hidden.sdp", "x")
        .file("news.txt", "x");
    assert_eq!(world.problems(), [""; 0]);
    assert_eq!(names(&world), [""; 0]);
}

#[test]
fn a_link_to_a_valid_file_is_valid() {
    let world = World::new().file("news.txt", good());
    symlink("news.txt", world.streams().join("news.sdp")).unwrap();
    assert_eq!(names(&world), ["news"]);
}

#[test]
fn the_consent_of_an_unknown_edge_is_a_problem() {
    let world = World::new().file("news.sdp", good()).file("news.dss3.sdp", good());
    assert_eq!(
        world.problems(),
        [
            "news.dss3.sdp: there is no edge dss3 in dynrelay.toml; if this is not a consent to news \
          but a stream of its own, say so with a file news.dss3.toml (it may be empty)"
        ]
    );
    assert_eq!(names(&world), ["news"]);
}

#[test]
fn a_streams_name_may_contain_dots() {
    let world = World::new()
        .file("news.sdp", good())
        .file("news.hd.sdp", good())
        .file("news.hd.dss2.sdp", good())
        .file("news.sd.sdp", good())
        .file("news.sd.toml", "")
        .file("a.b.c.sdp", good());
    assert_eq!(world.problems(), [""; 0]);
    assert_eq!(names(&world), ["a.b.c", "news", "news.hd", "news.sd"]);
    assert!(world.load().route("news.hd", "dss2").is_ok());
}

#[test]
fn no_stream_can_end_in_an_edges_name() {
    let world = World::new().file("news.dss2.sdp", good()).file("news.dss2.dss2.sdp", good());
    let problems = world.problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("a stream can't be called news.dss2"), "{problems:?}");
    assert_eq!(names(&world), [""; 0]);
}

#[test]
fn two_readings_of_a_name_are_a_problem() {
    let second = EDGE.replace("\"dss2\"", "\"eu.dss2\"");
    let world = World::with(&format!("{EDGE}{second}"))
        .file("news.sdp", good())
        .file("news.eu.dss2.sdp", good());
    assert_eq!(world.problems(), [""; 0]);
    assert!(world.load().route("news", "eu.dss2").is_ok());

    let world = world.file("news.eu.sdp", good()).file("news.eu.toml", "");
    assert_eq!(
        world.problems(),
        ["news.eu.dss2.sdp: may be dss2's consent to news.eu or eu.dss2's to news; rename one of \
          them"]
    );
    assert!(world.load().route("news", "eu.dss2").is_err());
}

#[test]
fn titles_come_from_the_file_that_has_one() {
    let named = |name: &str| good().replace("s=-", name);
    let world = World::new()
        .file("a.sdp", named("s= "))
        .file("b.sdp", named("s=No Name"))
        .file("c.sdp", named("s=Evening News"))
        .file("d.sdp", named("s=Evening News"))
        .file("d.toml", "title = \"\\u202eLate\\u0007 News\\uffff\"")
        .file("e.sdp", named("s=\u{200f}Evening\u{2066} News\u{2069}"));
    let catalog = world.load();
    let titles: Vec<_> = catalog.streams().map(|stream| stream.title.as_deref()).collect();
    assert_eq!(titles, [None, None, Some("Evening News"), Some("Late News"), Some("Evening News")]);
}
