//! The SDP files that the catalogue offers to edges.

use std::fs;
use std::path::Path;

use crate::world::{EDGE, World, sdp};
use catalog::sdp::Session;
use catalog::{Comparison, OfferError};

const NEWS: &[&str] = &[
    "c=IN IP4 239.1.2.3/127",
    "m=video 5004 RTP/AVP 96",
    "a=rtpmap:96 H264/90000",
    "m=audio 5006 RTP/AVP 14",
];

fn world() -> World {
    World::new().file("news.sdp", sdp(NEWS))
}

fn ports(world: &World) -> Vec<u16> {
    let offer = world.load().offer("news", "dss2", None).unwrap();
    offer.media.into_iter().map(|(_, port)| port).collect()
}

#[test]
fn an_offer_is_a_valid_consent() {
    let offer = world().load().offer("news", "dss2", Some(&[48028, 58030])).unwrap();
    assert!(offer.file.ends_with("streams/news.dss2.sdp"), "{}", offer.file.display());
    let world = world().file("news.dss2.sdp", &offer.sdp);
    let catalog = world.load();
    assert_eq!(catalog.problems(), []);
    let targets: Vec<String> = catalog
        .route("news", "dss2")
        .unwrap()
        .paths()
        .map(|path| path.target.to_string())
        .collect();
    assert_eq!(
        targets,
        ["48028", "48029", "58030", "58031"].map(|port| format!("198.51.100.7:{port}"))
    );
}

#[test]
fn chosen_ports_are_even_free_and_stay() {
    let chosen = ports(&world());
    assert!(chosen.iter().all(|port| port % 2 == 0 && (20_000..32_768).contains(port)));
    assert_eq!(chosen[1], chosen[0] + 2);
    assert_eq!(ports(&world()), chosen);
    // Other streams' files reserve ports, also a file that does not fit, and a file of another edge
    // at the same address.
    let offer = |port: u16| sdp(&["c=IN IP4 198.51.100.7", &format!("m=video {port} RTP/AVP 9")]);
    let sport = World::with(&format!("{EDGE}{}", EDGE.replace("name = \"dss2", "name = \"dss3")))
        .file("news.sdp", sdp(NEWS))
        .file("sport.sdp", sdp(&["c=IN IP4 239.1.2.4", "m=video 5004/2800 RTP/AVP 9"]))
        .file("sport.dss3.sdp", offer(20_000).replace("20000", "20000/6300"));
    assert!(ports(&sport).iter().all(|port| *port >= 32_600));
    let catalog = sport.load();
    let taken = catalog.offer("news", "dss2", Some(&[6000, 20_002])).unwrap_err();
    assert!(matches!(&taken, OfferError::Taken { port: 20_002, .. }), "{taken}");
    assert!(taken.to_string().contains("sport.dss3.sdp"), "{taken}");
}

#[test]
fn saved_ports_stay() {
    let offer = world().load().offer("news", "dss2", Some(&[25_000, 25_010])).unwrap();
    let saved = world().file("news.dss2.sdp", &offer.sdp);
    assert_eq!(ports(&saved), [25_000, 25_010]);
    // Ports that can't be used are replaced.
    let odd = String::from_utf8(offer.sdp).unwrap().replace("25000", "25001");
    assert_ne!(ports(&world().file("news.dss2.sdp", odd)), [25_001, 25_010]);
}

#[test]
fn a_server_on_this_host_gets_other_ports_than_the_encoders() {
    let lines = ["c=IN IP4 192.0.2.1", "m=video 5004 RTP/AVP 96", "a=rtpmap:96 H264/90000"];
    let copy = World::new().file("news.sdp", sdp(&lines)).load().local_copy("news").unwrap();
    let text = String::from_utf8(copy.sdp).unwrap();
    let port = copy.media[0].1;
    assert!(port != 5004 && text.contains(&format!("m=video {port} RTP/AVP 96\r\n")), "{text}");
    assert!(text.contains("c=IN IP4 192.0.2.1\r\n"), "{text}");
}

#[test]
fn invalid_ports_are_refused() {
    let world = world();
    let catalog = world.load();
    let refused = |ports: &[u16]| catalog.offer("news", "dss2", Some(ports)).unwrap_err();
    assert!(matches!(refused(&[6000]), OfferError::Count { media: 2, given: 1, .. }));
    assert_eq!(refused(&[6001, 6004]), OfferError::Odd(6001));
    assert_eq!(refused(&[0, 6004]), OfferError::Odd(0));
    assert_eq!(refused(&[6000, 6000]), OfferError::Twice(6000));
    assert!(matches!(catalog.offer("olds", "dss2", None), Err(OfferError::Unknown(_))));
    assert!(matches!(catalog.offer("news", "dss9", None), Err(OfferError::Unknown(_))));
    let tcp = World::new().file("news.sdp", sdp(&["c=IN IP4 239.1.2.3", "m=video 1 TCP 9"]));
    assert!(matches!(tcp.load().offer("news", "dss2", None), Err(OfferError::Stream(_))));
}

#[test]
fn media_that_share_a_port_share_one_at_the_edge() {
    let lines = ["c=IN IP4 239.1.2.3", "m=video 5004 RTP/AVP 33", "m=audio 5004 RTP/AVP 14"];
    let world = World::new().file("news.sdp", sdp(&lines));
    let chosen = ports(&world);
    assert_eq!(chosen[0], chosen[1]);
    let refused = world.load().offer("news", "dss2", Some(&[6000, 6002])).unwrap_err();
    assert!(matches!(refused, OfferError::Unfit(_)), "{refused}");
    assert!(world.load().offer("news", "dss2", Some(&[6000, 6000])).is_ok());
}

#[test]
fn layers_take_ports_in_a_row() {
    let lines = ["c=IN IP4 239.1.2.3/16/3", "m=video 5004 RTP/AVP 96", "a=rtpmap:96 H264/90000"];
    let world = World::new().file("news.sdp", sdp(&lines));
    let offer = world.load().offer("news", "dss2", Some(&[6000])).unwrap();
    assert!(String::from_utf8(offer.sdp).unwrap().contains("m=video 6000/3 RTP/AVP 96\r\n"));
}

/// An edge can be offered every real-life case that can be relayed, and the file compares as
/// fitting.
#[test]
fn every_case_that_can_be_relayed_can_be_offered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdp-cases");
    let mut offered = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Ok(session) = Session::read(&path) else { continue };
        let world = World::new().file("news.sdp", session.original());
        let catalog = world.load();
        let Ok(offer) = catalog.offer("news", "dss2", None) else { continue };
        let again = Session::parse(&offer.sdp).unwrap();
        let formats = |session: &Session| {
            session.media.iter().map(|one| one.formats.clone()).collect::<Vec<_>>()
        };
        assert_eq!(formats(&again), formats(&session), "{}", path.display());
        let text = String::from_utf8_lossy(&offer.sdp).into_owned();
        assert!(!text.contains("IP4 239.") && !text.contains("source-filter"), "{text}");
        let world = world.file("news.dss2.sdp", &offer.sdp);
        let [stream, edge] = ["news.sdp", "news.dss2.sdp"].map(|name| world.streams().join(name));
        let comparison = Comparison::of(&stream, &edge).unwrap();
        assert!(comparison.fits() && comparison.problems.is_empty(), "{comparison:?}");
        offered += 1;
    }
    assert!(offered >= 20, "{offered}");
}

/// The comparison and the catalogue agree.
#[test]
fn the_catalogue_relays_what_fits() {
    let c = "c=IN IP4 198.51.100.7";
    let (video, audio) = ("m=video 6000 RTP/AVP 96", "m=audio 6002 RTP/AVP 14");
    let map = "a=rtpmap:96 H264/90000";
    for (edge, fits) in [
        (&[c, video, map, audio][..], true),
        (&[c, video, map], false),
        (&[c, video, map, audio, "m=audio 6004 RTP/AVP 14"], false),
        (&[c, audio, video, map], false),
        (&[c, video, audio], false),
        (&[c, "m=video 6001/2 RTP/AVP 96", map, audio], false),
        (&["m=video 6001 RTP/AVP 96", map, audio], true),
        (&[c, "m=video 0 RTP/AVP 96", map, audio], false),
    ] {
        let world = world().file("news.dss2.sdp", sdp(edge));
        let [stream, theirs] = ["news.sdp", "news.dss2.sdp"].map(|name| world.streams().join(name));
        let comparison = Comparison::of(&stream, &theirs).unwrap();
        assert_eq!(comparison.fits(), fits, "{comparison:?}");
        let catalog = world.load();
        assert_eq!(catalog.route("news", "dss2").is_ok(), fits, "{edge:?}");
        assert_eq!(catalog.compare("news", "dss2").unwrap().unwrap().fits(), fits, "{edge:?}");
    }
}

/// For a pulled stream only kinds and formats count, not the place of arrival.
#[test]
fn a_stream_that_is_pulled_can_be_offered() {
    let lines = ["m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000", "m=audio 0 RTP/AVP 14"];
    let world = World::new()
        .file("news.sdp", sdp(&lines))
        .file("news.toml", "source = \"rtsp://192.0.2.9/news\"\n");
    let offer = world.load().offer("news", "dss2", Some(&[6000, 6002])).unwrap();
    let world = world.file("news.dss2.sdp", &offer.sdp);
    let catalog = world.load();
    assert!(catalog.route("news", "dss2").is_ok(), "{:?}", catalog.problems());
    assert!(catalog.compare("news", "dss2").unwrap().unwrap().fits());
}
