//! Streams that are pulled from an RTSP server, and audio that goes with a stream.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use catalog::{Catalog, Problem};

use crate::world::{EDGE, World, sdp};

const AT: &str = "c=IN IP4 198.51.100.7";
const MEDIAS: [&str; 3] =
    ["m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000", "m=audio 0 RTP/AVP 14"];

fn world(toml: &str) -> World {
    let consent = sdp(&[AT, "m=video 6970 RTP/AVP 96", MEDIAS[1], "m=audio 6972 RTP/AVP 14"]);
    World::new()
        .file("news.sdp", sdp(&MEDIAS))
        .file("news.dss2.sdp", consent)
        .file("news.toml", toml)
}

fn problems(catalog: &Catalog) -> String {
    let problems: Vec<String> = catalog.problems().iter().map(Problem::to_string).collect();
    problems.join("\n")
}

fn keep_secret(world: &World, file: &str) {
    fs::set_permissions(world.streams().join(file), fs::Permissions::from_mode(0o640)).unwrap();
}

#[test]
fn of_a_pulled_stream_ports_and_addresses_do_not_matter() {
    let catalog = world("source = \"rtsp://cam.example.org/news\"").load();
    assert_eq!(problems(&catalog), "");
    let route = catalog.route("news", "dss2").unwrap();
    let flows: Vec<_> = route.paths().map(|p| (p.source.pulled(), p.target.port())).collect();
    assert_eq!(flows, [(Some(0), 6970), (Some(1), 6971), (Some(2), 6972), (Some(3), 6973)]);
    assert!(world("").load().route("news", "dss2").is_err(), "by itself it can't arrive at port 0");
}

#[test]
fn a_password_comes_from_the_url_or_a_file() {
    let world = world("source = \"rtsp://u@cam/\"\npassword_file = \"cam.password\"")
        .file("cam.password", "open sesame\r\n");
    keep_secret(&world, "cam.password");
    let catalog = world.load();
    assert_eq!(problems(&catalog), "");
    let source = catalog.stream("news").unwrap().source.clone().unwrap();
    assert_eq!((source.user(), source.password()), (Some("u"), Some("open sesame")));
    assert!(!format!("{catalog:?}").contains("sesame"));
}

#[test]
fn messages_do_not_show_the_password() {
    for (toml, said) in [
        ("source = \"http://u:secret@cam/\"", "must begin with rtsp://"),
        ("source = \"rtsp://u:secret@ca m/\"", "no host"),
        ("source = [\"rtsp://u:secret@cam/\"]", "column"),
        ("password_file = \"x\"", "no `source`"),
        ("source = \"rtsp://cam/\"\npassword_file = \"x\"", "no user"),
        ("source = \"rtsp://u:secret@cam/\"\npassword_file = \"x\"", "keep one of them"),
        ("source = \"rtsp://u@cam/\"\npassword_file = \"nowhere\"", "can't be read"),
        ("source = \"rtsp://u@cam/\"\npassword_file = \"news.sdp\"", "is not a password"),
        ("source = \"rtsp://u:secret@cam/\"", "everybody on this host can read it"),
        ("audio = \"ftp://cam/\"", "http://"),
    ] {
        let world = world(toml);
        let problems = problems(&world.load());
        assert!(problems.contains(said) && !problems.contains("secret"), "{toml}: {problems}");
    }
}

#[test]
fn audio_comes_from_the_server_that_a_viewer_is_sent_to() {
    let catalog = world("source = \"rtsp://cam/\"\naudio = \"http://{edge}:8000/n\"").load();
    let stream = catalog.stream("news").unwrap();
    assert_eq!(stream.audio_at("dss2.example.net").unwrap(), "http://dss2.example.net:8000/n");
}

/// The problems of `news`, relayed to dss2, if it is pulled from there.
fn pulled_from(source: &str) -> Vec<String> {
    world(&format!("source = \"{source}\"")).problems()
}

#[test]
fn a_stream_is_not_pulled_from_the_edge_that_it_is_relayed_to() {
    for (source, way) in [
        ("rtsp://dss2/news.sdp", "news → rtsp://dss2/news.sdp → news"),
        ("rtsp://DSS2:7070/news.sdp?x=y", "news → rtsp://dss2/news.sdp → news"),
        ("rtsp://198.51.100.7:554/news.sdp", "news → rtsp://198.51.100.7/news.sdp → news"),
        ("rtsp://[::ffff:198.51.100.7]/news.sdp", "news → rtsp://198.51.100.7/news.sdp → news"),
    ] {
        let problems = pulled_from(source);
        assert!(problems[0].starts_with("news.dss2.sdp: brings news back to itself"), "{source}");
        assert!(problems[0].contains(way) && problems.len() == 1, "{source}: {problems:?}");
    }
    for other in ["rtsp://dss2/camera.sdp", "rtsp://dss3/news.sdp", "rtsp://198.51.100.8/news.sdp"]
    {
        assert_eq!(pulled_from(other), Vec::<String>::new(), "{other}");
    }
}

#[test]
fn an_edge_is_recognised_by_its_address() {
    let world = world("source = \"rtsp://mirror/news.sdp\"");
    assert_eq!(world.problems(), Vec::<String>::new());
    let catalog = world.load();
    let source = catalog.stream("news").unwrap().source.as_ref().unwrap();
    let is_fed = |server: &str, url| source.is_fed_by_us(server.parse().unwrap(), url);
    assert!(is_fed("198.51.100.7", "rtsp://mirror:554/news.sdp"));
    assert!(is_fed("::ffff:198.51.100.7", "rtsp://mirror/news.sdp?again"));
    assert!(!is_fed("198.51.100.7", "rtsp://mirror/camera.sdp"));
    assert!(!is_fed("198.51.100.8", "rtsp://mirror/news.sdp"));
}

/// dss1 and two edges.
fn two_edges() -> World {
    let third = EDGE.replace("dss2", "dss3").replace("198.51.100.7", "198.51.100.8");
    World::with(&format!("[origin]\nurl = \"rtsp://dss1\"\n{EDGE}{third}"))
}

fn video(address: &str, port: u16) -> String {
    sdp(&[&format!("c=IN IP4 {address}"), &format!("m=video {port} RTP/AVP 96"), MEDIAS[1]])
}

#[test]
fn a_stream_may_be_pulled_from_one_edge_and_relayed_to_another() {
    let world = two_edges()
        .file("news.sdp", sdp(&MEDIAS[..2]))
        .file("news.toml", "source = \"rtsp://dss2/news.sdp\"")
        .file("news.dss2.sdp", video("198.51.100.7", 6970))
        .file("news.dss3.sdp", video("198.51.100.8", 6970));
    assert_eq!(world.problems().len(), 1);
    let catalog = world.load();
    assert!(catalog.route("news", "dss2").is_err() && catalog.route("news", "dss3").is_ok());
    let source = catalog.stream("news").unwrap().source.clone().unwrap();
    let url = "rtsp://dss2/news.sdp";
    assert!(!source.is_fed_by_us("198.51.100.7".parse().unwrap(), url));
    assert!(source.is_fed_by_us("198.51.100.8".parse().unwrap(), url));
}

#[test]
fn a_pulled_stream_does_not_come_back_through_another() {
    let world = |source: &str| {
        let settings = "[replica]\ngroup = \"239.1.2.3\"\nports = [5004]";
        two_edges()
            .file("news.sdp", video("239.1.2.3", 5004))
            .file("news.dss2.sdp", video("198.51.100.7", 6970))
            .file("again.sdp", sdp(&MEDIAS[..2]))
            .file("again.toml", format!("source = \"{source}\"\n{settings}"))
    };
    let pulling = |source| world(source).problems();
    let edge = pulling("rtsp://dss2/news.sdp").join("\n");
    let way = "again → 239.1.2.3:5004 → news → rtsp://dss2/news.sdp → again";
    assert!(edge.contains(&format!("again.toml: [replica] brings again back to itself: {way}")));
    let way = "news → rtsp://dss2/news.sdp → again → 239.1.2.3:5004 → news";
    assert!(edge.contains(&format!("news.dss2.sdp: brings news back to itself: {way}")), "{edge}");
    // DSS1 receives news from its group.
    let origin = pulling("rtsp://dss1/news.sdp").join("\n");
    let way = "again → 239.1.2.3:5004 → news → rtsp://dss1/news.sdp → again";
    assert!(origin.contains(way), "{origin}");
    // By another name.
    let catalog = world("rtsp://mirror/news.sdp").load();
    let source = catalog.stream("again").unwrap().source.as_ref().unwrap();
    for server in ["198.51.100.7", "127.0.0.1", "::1"] {
        let server = server.parse().unwrap();
        assert!(source.is_fed_by_us(server, source.url()), "{server}");
        assert!(!source.is_fed_by_us(server, "rtsp://mirror/again.sdp"), "{server}");
    }
    assert_eq!(pulling("rtsp://dss1/other.sdp"), Vec::<String>::new());
}
