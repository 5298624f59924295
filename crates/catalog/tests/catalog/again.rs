//! Reads everything again, while somebody edits the files.

use std::fs;
use std::os::unix::fs::symlink;

use catalog::{Catalog, Refusal, Route};
use std::sync::Arc;

use crate::world::{EDGE, World, sdp};

const AT: &str = "c=IN IP4 198.51.100.7";
const VIDEO: &str = "m=video 5004 RTP/AVP 96";
const H264: &str = "a=rtpmap:96 H264/90000";

fn stream() -> String {
    sdp(&["c=IN IP4 239.1.2.3/16", VIDEO, H264])
}

fn consent(port: u16) -> String {
    sdp(&[AT, &format!("m=video {port} RTP/AVP 96"), H264])
}

fn world() -> World {
    World::new().file("news.sdp", stream()).file("news.dss2.sdp", consent(6000))
}

/// The route of `news` to `dss2` after everything was read again, and the problems.
fn again(world: &World, before: &Catalog) -> (Result<Arc<Route>, Refusal>, String) {
    let now = before.load_again(&world.config()).unwrap();
    let problems: Vec<String> = now.problems().iter().map(catalog::Problem::brief).collect();
    (now.route("news", "dss2").cloned(), problems.join("\n"))
}

#[test]
fn an_invalid_file_changes_nothing() {
    let whole = stream();
    let misfit = sdp(&[AT, VIDEO, H264, "m=audio 5006 RTP/AVP 0"]);
    let huge = "a".repeat(100_000);
    for bad in ["", "v=0", &whole[..whole.len() - 30], "\0\u{1}", &misfit, &huge] {
        for name in ["news.sdp", "news.dss2.sdp"] {
            let world = world();
            let before = world.load();
            let world = world.file(name, bad);
            let (route, problems) = again(&world, &before);
            assert_eq!(route, before.route("news", "dss2").cloned(), "{name}: {bad}");
            assert!(
                problems.contains("until this is fixed, what was read before stays in use"),
                "{problems}"
            );
        }
    }
}

#[test]
fn something_other_than_a_file_changes_nothing() {
    for name in ["news.sdp", "news.dss2.sdp"] {
        for to in ["/nowhere", "/dev/zero", "/", "itself"] {
            let world = world();
            let before = world.load();
            let file = world.streams().join(name);
            fs::remove_file(&file).unwrap();
            symlink(if to == "itself" { file.as_os_str() } else { to.as_ref() }, &file).unwrap();
            let (route, problems) = again(&world, &before);
            assert_eq!(route, before.route("news", "dss2").cloned(), "{name} to {to}");
            assert!(problems.contains(name), "{problems}");
        }
    }
}

#[test]
fn an_unreadable_folder_changes_nothing() {
    let world = world().file("news.toml", "rtcp = \"none\"");
    let before = world.load();
    fs::rename(world.streams(), world.streams().with_extension("away")).unwrap();
    let (route, problems) = again(&world, &before);
    assert_eq!(route, before.route("news", "dss2").cloned());
    assert!(problems.contains("streams: can't be read"), "{problems}");
}

#[test]
fn an_invalid_settings_file_changes_nothing() {
    let world = world().file("news.toml", "rtcp = \"none\"\ntitle = \"News\"");
    let before = world.load();
    let world = world.file("news.toml", "rtcp = \"non");
    let now = before.load_again(&world.config()).unwrap();
    assert_eq!(now.route("news", "dss2"), before.route("news", "dss2"));
    assert_eq!(now.stream("news").unwrap().title.as_deref(), Some("News"));
}

#[test]
fn earlier_content_stays_until_the_file_is_repaired() {
    let world = world();
    let first = world.load();
    let world = world.file("news.dss2.sdp", "");
    let second = first.load_again(&world.config()).unwrap();
    let third = second.load_again(&world.config()).unwrap();
    assert_eq!(third.route("news", "dss2"), first.route("news", "dss2"));
    let world = world.file("news.dss2.sdp", consent(7000));
    let mended = third.load_again(&world.config()).unwrap();
    assert_eq!(mended.route("news", "dss2").unwrap().pairs[0].rtp.target.port(), 7000);
    assert!(mended.problems().is_empty());
}

#[test]
fn a_removed_file_removes_its_stream_or_consent() {
    let world = world();
    let before = world.load();
    fs::remove_file(world.streams().join("news.dss2.sdp")).unwrap();
    assert!(matches!(again(&world, &before).0, Err(Refusal::NoConsent { .. })));
    let world = world.file("news.sdp", "");
    assert!(matches!(again(&world, &before).0, Err(Refusal::NoConsent { .. })));
    fs::remove_file(world.streams().join("news.sdp")).unwrap();
    assert!(matches!(again(&world, &before).0, Err(Refusal::UnknownStream(_))));
}

#[test]
fn nothing_is_kept_for_an_edge_that_moved_or_left() {
    let world = world();
    let before = world.load();
    let world = world.file("news.dss2.sdp", "");
    fs::write(world.config(), EDGE.replace("198.51.100.7", "198.51.100.8")).unwrap();
    assert!(matches!(again(&world, &before).0, Err(Refusal::Unfit(_))));
    fs::write(world.config(), EDGE.replace("dss2", "dss3")).unwrap();
    assert!(matches!(again(&world, &before).0, Err(Refusal::UnknownEdge(_))));
}

#[test]
fn earlier_content_that_would_loop_does_not_stay() {
    let world = world();
    let before = world.load();
    let circle = sdp(&["c=IN IP4 198.51.100.7", "m=video 6000 RTP/AVP 96", H264]);
    let world = world.file("news.dss2.sdp", "").file("other.sdp", circle);
    let (route, problems) = again(&world, &before);
    assert!(matches!(route, Err(Refusal::Unfit(_))));
    assert!(problems.contains("where other arrives: both would mix there"), "{problems}");
}

#[test]
fn both_catalogues_share_the_streams_that_have_not_changed() {
    let world = world().file("talk.sdp", stream()).file("talk.dss2.sdp", consent(7000));
    let before = world.load();
    let world = world.file("talk.dss2.sdp", consent(7002));
    let after = before.load_again(&world.config()).unwrap();
    let shared = |stream| {
        let [before, after] = [&before, &after].map(|one| one.route(stream, "dss2").unwrap());
        Arc::ptr_eq(before, after)
    };
    assert!(shared("news") && !shared("talk"));
}
