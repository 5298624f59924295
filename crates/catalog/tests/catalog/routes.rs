//! The routes of a stream to an edge, and reasons why there is none.

use std::sync::Arc;

use crate::world::{EDGE, World, sdp};
use catalog::{Pass, Refusal, Route};

const C: &str = "c=IN IP4 239.1.2.3/127";
const VIDEO: &[&str] = &["m=video 5004 RTP/AVP 96", "a=rtpmap:96 H264/90000"];

/// The route of a stream `news` described by `stream` to dss2, which takes `edge`.
fn route(stream: &[&str], edge: &[&str]) -> Result<Arc<Route>, Refusal> {
    let world = World::new().file("news.sdp", sdp(stream)).file("news.dss2.sdp", sdp(edge));
    world.load().route("news", "dss2").cloned()
}

/// Each flow as `239.1.2.3:5004>6000`.
fn flows(route: &Route) -> Vec<String> {
    route.paths().map(|path| format!("{}>{}", path.source.socket(), path.target.port())).collect()
}

fn good(stream: &[&str], edge: &[&str]) -> Vec<String> {
    flows(&route(stream, edge).unwrap())
}

/// The reason why they do not fit.
fn unfit(stream: &[&str], edge: &[&str]) -> String {
    match route(stream, edge) {
        Err(Refusal::Unfit(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn unknown_names_and_missing_consent_are_told_apart() {
    let catalog = World::new().file("news.sdp", sdp(&[&[C], VIDEO].concat())).load();
    let refusal = |stream, edge| catalog.route(stream, edge).unwrap_err();
    assert_eq!(refusal("x", "dss2"), Refusal::UnknownStream("x".into()));
    assert_eq!(refusal("news", "x"), Refusal::UnknownEdge("x".into()));
    assert_eq!(
        refusal("news", "dss2").to_string(),
        "dss2 has not agreed to take news: there is no news.dss2.sdp"
    );
}

#[test]
fn rtcp_goes_where_both_sides_say() {
    let base = ["m=video 6000 RTP/AVP 96", "a=rtpmap:96 h264/90000"];
    let stream = |extra| good(&[&[C], VIDEO, &[extra]].concat(), &base);
    assert_eq!(stream("b=AS:1"), ["239.1.2.3:5004>6000", "239.1.2.3:5005>6001"]);
    assert_eq!(stream("a=rtcp:7000"), ["239.1.2.3:5004>6000", "239.1.2.3:7000>6001"]);
    assert_eq!(
        stream("a=rtcp:7000 IN IP4 239.9.9.9"),
        ["239.1.2.3:5004>6000", "239.9.9.9:7000>6001"]
    );
    assert_eq!(stream("a=rtcp-mux"), ["239.1.2.3:5004>6000"]);
    let edge = |extra| good(&[&[C], VIDEO].concat(), &[&base[..], &[extra]].concat());
    assert_eq!(edge("a=rtcp:6500"), ["239.1.2.3:5004>6000", "239.1.2.3:5005>6500"]);
    assert_eq!(edge("a=rtcp-mux"), ["239.1.2.3:5004>6000", "239.1.2.3:5005>6000"]);
    let last = good(&[&[C], VIDEO].concat(), &["m=video 65535 RTP/AVP 96", base[1]]);
    assert_eq!(last, ["239.1.2.3:5004>65535"]);
}

#[test]
fn which_rtcp_passes_is_configured() {
    let pass = |general: &str, own: &str| {
        let world = World::with(&format!("[forward]\nrtcp = \"{general}\"\n{EDGE}"))
            .file("news.sdp", sdp(&[&[C], VIDEO].concat()))
            .file("news.dss2.sdp", sdp(VIDEO))
            .file("news.toml", own);
        let catalog = world.load();
        let route = catalog.route("news", "dss2").unwrap();
        assert_eq!(route.pairs[0].rtp.pass, Pass::Everything);
        route.pairs[0].rtcp.as_ref().map(|rtcp| rtcp.pass)
    };
    assert_eq!(pass("sender-reports", ""), Some(Pass::SenderReports));
    assert_eq!(pass("all", ""), Some(Pass::Everything));
    assert_eq!(pass("none", ""), None);
    assert_eq!(pass("none", "rtcp = \"all\""), Some(Pass::Everything));
}

#[test]
fn sender_reports_of_multiplexed_rtcp_pass() {
    let pass = |rtcp: &str| {
        let lines = [&[C], VIDEO, &["a=rtcp-mux"]].concat();
        let world = World::with(&format!("[forward]\nrtcp = \"{rtcp}\"\n{EDGE}"))
            .file("news.sdp", sdp(&lines))
            .file("news.dss2.sdp", sdp(&lines[1..]));
        let catalog = world.load();
        assert_eq!(catalog.problems(), []);
        let pair = &catalog.route("news", "dss2").unwrap().pairs[0];
        assert_eq!(pair.rtcp, None);
        pair.rtp.pass
    };
    assert_eq!(pass("sender-reports"), Pass::Multiplexed);
    assert_eq!(pass("none"), Pass::Multiplexed);
    assert_eq!(pass("all"), Pass::Everything);
}

#[test]
fn payload_types_that_look_like_rtcp_are_named() {
    let file = |more| sdp(&[C, "m=video 5004 RTP/AVP 96 80", "a=rtpmap:80 H264/90000", more]);
    let world = |more| World::new().file("news.sdp", file(more)).file("news.dss2.sdp", file(more));
    let mux = world("a=rtcp-mux");
    assert_eq!(mux.problems(), [""; 0]);
    let route = mux.load().route("news", "dss2").cloned().unwrap();
    let named = route.pairs[0].rtp.source.named;
    assert!(named.contains(80) && !named.contains(81) && !named.contains(96));
    let plain = world("a=recvonly");
    let what = "news.sdp, line 6: media 1 has the payload type 80, and packets of 64 to 95 look like \
                RTCP to some programs; 96 to 127 are safe";
    assert_eq!(plain.problems(), [what]);
    let route = plain.load().route("news", "dss2").cloned().unwrap();
    assert!(route.pairs[0].rtp.source.named.contains(80));
    assert!(route.pairs[0].rtcp.as_ref().unwrap().source.named.is_empty());
}

#[test]
fn ranges_and_layers_become_pairs() {
    let map = VIDEO[1];
    let ranged = good(&[C, "m=video 5004/2 RTP/AVP 96", map], &["m=video 6000/2 RTP/AVP 96", map]);
    let expected = [
        "239.1.2.3:5004>6000",
        "239.1.2.3:5005>6001",
        "239.1.2.3:5006>6002",
        "239.1.2.3:5007>6003",
    ];
    assert_eq!(ranged, expected);
    let layered = [
        "239.1.2.3:5004>6000",
        "239.1.2.3:5005>6001",
        "239.1.2.4:5004>6002",
        "239.1.2.4:5005>6003",
    ];
    let layers = ["c=IN IP4 239.1.2.3/127/2", VIDEO[0], map];
    assert_eq!(good(&layers, &["m=video 6000/2 RTP/AVP 96", map]), layered);
    let theirs = ["c=IN IP4 239.8.8.8/127/2", "m=video 6000 RTP/AVP 96", map];
    assert_eq!(good(&layers, &theirs), layered);
    let both = ["c=IN IP4 239.1.2.3/127/2", "m=video 5004/2 RTP/AVP 96", map];
    assert_eq!(good(&both, &both)[2], "239.1.2.4:5006>5006");
    let pair = route(&layers, &theirs).unwrap().pairs[1].clone();
    assert_eq!(pair.label, "video H264 2/2");
    let many = ["c=IN IP6 ff15::1/3", "m=video 5004 RTP/AVP 96", map];
    assert_eq!(good(&many, &["m=video 6000/3 RTP/AVP 96", map])[4], "[ff15::3]:5004>6004");

    assert_eq!(
        unfit(&layers, &["m=video 6000 RTP/AVP 96", map]),
        "news.dss2.sdp, line 5: media 1 has 1 port, the stream's has 2 ports (RTP with its RTCP)"
    );
    let odd = ["c=IN IP4 239.1.2.3/127/3", "m=video 5004/2 RTP/AVP 96", map];
    assert!(unfit(&odd, &odd).contains("3 addresses for 2 ports"));
    let huge = ["c=IN IP4 239.1.2.3", "m=video 2/30000 RTP/AVP 96", map];
    assert!(unfit(&huge, &huge).contains("more than 512"));
    let high = ["c=IN IP4 239.8.8.8/127/2", "m=video 65534 RTP/AVP 96", map];
    assert!(unfit(&layers, &high).contains("above 65535"));
}

#[test]
fn media_may_share_a_port_at_the_edge() {
    let stream = [C, VIDEO[0], VIDEO[1], "m=audio 5006 RTP/AVP 14"];
    let edge = ["m=video 6000 RTP/AVP 96", VIDEO[1], "m=audio 6000 RTP/AVP 14"];
    let expected = [
        "239.1.2.3:5004>6000",
        "239.1.2.3:5005>6001",
        "239.1.2.3:5006>6000",
        "239.1.2.3:5007>6001",
    ];
    assert_eq!(good(&stream, &edge), expected);
}

#[test]
fn media_that_arrive_on_one_port_stay_together() {
    let stream = [C, VIDEO[0], VIDEO[1], "m=audio 5004 RTP/AVP 14"];
    let edge = |audio| ["m=video 6000 RTP/AVP 96", VIDEO[1], audio];
    let together = route(&stream, &edge("m=audio 6000 RTP/AVP 14")).unwrap();
    assert_eq!(flows(&together), ["239.1.2.3:5004>6000", "239.1.2.3:5005>6001"]);
    assert_eq!(together.pairs[0].label, "video H264 + audio MPA");
    assert_eq!(
        unfit(&stream, &edge("m=audio 6002 RTP/AVP 14")),
        "news.dss2.sdp, line 7: media 2 arrives on 239.1.2.3:5004 together with video H264, \
         so the edge must take both on port 6000"
    );
}

#[test]
fn rtcp_never_shares_a_port_with_another_medias_rtp() {
    let both = |video, audio| [C, video, VIDEO[1], audio];
    let stream = both(VIDEO[0], "m=audio 5005 RTP/AVP 14");
    let edge = both("m=video 6000 RTP/AVP 96", "m=audio 6002 RTP/AVP 14");
    let expected = ["239.1.2.3:5004>6000", "239.1.2.3:5005>6002", "239.1.2.3:5006>6003"];
    assert_eq!(good(&stream, &edge), expected);
    let expected = ["239.1.2.3:5004>5004", "239.1.2.3:5005>5005", "239.1.2.3:5006>5006"];
    assert_eq!(good(&stream, &stream), expected);
    let world = World::new().file("news.sdp", sdp(&edge)).file("news.dss2.sdp", sdp(&stream));
    assert_eq!(
        world.problems(),
        ["news.dss2.sdp: the RTCP of video H264 (6001 to 5005) is left out: that is another \
          media's RTP port"]
    );
}

#[test]
fn a_misfit_says_what_differs() {
    let stream = [C, VIDEO[0], VIDEO[1], "m=audio 5006 RTP/AVP 97", "a=rtpmap:97 L16/44100"];
    assert_eq!(
        unfit(&stream, &[VIDEO[0], VIDEO[1], "m=audio 5006 RTP/AVP 14"]),
        "news.dss2.sdp, line 7: media 2 is audio MPA/90000 pt 14, the stream's is audio \
         L16/44100 pt 97"
    );
    assert_eq!(unfit(&stream, VIDEO), "news.dss2.sdp: has 1 media, the stream has 2");
    let swapped = ["m=audio 5006 RTP/AVP 97", "a=rtpmap:97 L16/44100", VIDEO[0], VIDEO[1]];
    assert!(unfit(&stream, &swapped).contains("media 1 is audio"));
    let one = |line: &'static str, map: &'static str| unfit(&[&[C], VIDEO].concat(), &[line, map]);
    assert!(one("m=video 0 RTP/AVP 96", VIDEO[1]).contains("port 0"));
    assert!(one("m=video 9 RTP/AVP/TCP 96", VIDEO[1]).contains("only RTP over UDP"));
    assert!(one("m=video 9 RTP/AVP 96", "a=rtpmap:96 H264/8000").contains("H264/8000 pt 96"));
    assert!(one("m=video 9 RTP/AVP 97", "a=rtpmap:97 H264/90000").contains("pt 97"));
    assert!(one("m=video 9 RTP/AVP 96 97", VIDEO[1]).contains("pt 97"));
    assert!(one("m=video x RTP/AVP 96", VIDEO[1]).contains("line 5: a port is"));
}

#[test]
fn the_channels_of_audio_must_be_the_same() {
    let file = |map| [C, "m=audio 5004 RTP/AVP 97", map];
    let unfit = |ours, theirs| unfit(&file(ours), &file(theirs)[1..]);
    let (mono, stereo, eight) =
        ("a=rtpmap:97 L24/48000", "a=rtpmap:97 L24/48000/2", "a=rtpmap:97 L24/48000/8");
    assert_eq!(
        unfit(stereo, eight),
        "news.dss2.sdp, line 5: media 1 is audio L24/48000/8 pt 97, the stream's is audio \
         L24/48000/2 pt 97"
    );
    assert!(unfit(stereo, mono).contains("is audio L24/48000 pt 97"));
    assert_eq!(good(&file(mono), &file("a=rtpmap:97 L24/48000/1")).len(), 2);
    let l16 = [C, "m=audio 5004 RTP/AVP 10"];
    assert_eq!(good(&l16, &["m=audio 5004 RTP/AVP 10", "a=rtpmap:10 L16/44100/2"]).len(), 2);
}

#[test]
fn srtp_and_plain_rtp_do_not_fit() {
    let key = |key: &str| format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}");
    let (one, two) = (key("AAAA"), key("BBBB"));
    let (srtp, plain) = ("m=video 5004 RTP/SAVP 96", "m=video 5004 RTP/AVPF 96");
    let file = |media, key| [C, media, VIDEO[1], key];
    let encrypted = unfit(&file(srtp, &one), &file(plain, "a=x"));
    assert!(encrypted.ends_with("is RTP/AVPF, but the stream is encrypted (RTP/SAVP)"));
    let bare = unfit(&file(plain, "a=x"), &file(srtp, &one));
    assert!(bare.ends_with("is RTP/SAVP, but the stream is not encrypted (RTP/AVP)"));
    let problems = |theirs| {
        let (ours, theirs) = (sdp(&file(srtp, &one)), sdp(&file(srtp, theirs)));
        World::new().file("news.sdp", ours).file("news.dss2.sdp", theirs).problems()
    };
    assert_eq!(problems(&one), [""; 0]);
    assert!(problems(&two)[0].contains("has other keys than the stream's file (a=crypto)"));
}

#[test]
fn a_static_payload_type_needs_no_rtpmap() {
    let stream = [C, "m=audio 5006 RTP/AVP 14 0"];
    let edge = ["m=audio 6000 RTP/AVP 0 14", "a=rtpmap:14 mpa/90000", "a=rtpmap:0 PCMU/8000/1"];
    assert_eq!(good(&stream, &edge).len(), 2);
}

#[test]
fn streams_that_cannot_be_relayed_say_why() {
    let of = |lines: &[&str]| unfit(lines, VIDEO);
    assert_eq!(of(VIDEO), "news.sdp, line 5: media 1 has no address (no `c=` line)");
    assert!(of(&[C]).contains("describes no media"));
    assert!(of(&[C, "m=video 0 RTP/AVP 96"]).contains("port 0"));
    assert!(of(&["c=IN IP4 0.0.0.0", VIDEO[0]]).contains("name its group"));
    assert!(of(&[C, "m=application 9 UDP/DTLS/SCTP webrtc"]).contains("only RTP"));
    let filter = |filter| of(&[C, VIDEO[0], VIDEO[1], filter]);
    assert!(filter("a=source-filter: excl IN IP4 * 10.0.0.1").contains("excludes"));
    assert!(filter("a=source-filter: incl IN IP6 * ::1").contains("another family"));
}

#[test]
fn sections_that_are_not_rtp_are_left_out() {
    let (audio, video) = ("m=audio 3456 RTP/AVP 0", "m=video 2232 RTP/AVP 31");
    let board = ["m=whiteboard 32416 UDP WB", "a=orient:portrait"];
    let stream = sdp(&[C, audio, board[0], board[1], video]);
    for edge in [vec![audio, video], vec![audio, video, board[0]]] {
        let world = World::new().file("wb.sdp", &stream).file("wb.dss2.sdp", sdp(&edge));
        let what = "wb.sdp, line 7: media 2 is UDP, not RTP, so it is left out";
        assert_eq!(world.problems(), [what]);
        let catalog = world.load();
        assert_eq!(flows(catalog.route("wb", "dss2").unwrap()).len(), 4);
        assert_eq!(catalog.stream("wb").unwrap().media.len(), 2);
        assert!(catalog.compare("wb", "dss2").unwrap().unwrap().fits());
        let offer = catalog.offer("wb", "dss2", Some(&[6000, 6002])).unwrap();
        assert!(!String::from_utf8(offer.sdp).unwrap().contains("whiteboard"));
    }
    // RTP over TCP is a media that would be missing.
    let tcp = unfit(&[C, audio, "m=video 9 TCP/RTP/AVP 31"], &[audio]);
    assert!(tcp.contains("media 2 is TCP/RTP/AVP, and only RTP over UDP"), "{tcp}");
}

#[test]
fn groups_are_joined_for_their_senders_on_their_interface() {
    let config = format!("[origin]\ninterface = \"eth0\"\n{EDGE}");
    let source = |lines: &[&str]| {
        let world =
            World::with(&config).file("news.sdp", sdp(lines)).file("news.dss2.sdp", sdp(VIDEO));
        let source = world.load().route("news", "dss2").unwrap().pairs[0].rtp.source.clone();
        let senders: Vec<_> = source.senders.iter().map(ToString::to_string).collect();
        (senders.join(","), source.interface.as_deref().map(str::to_owned))
    };
    let some = |text: &str| Some(text.to_owned());
    let ssm = "a=source-filter: incl IN IP4 239.1.2.3 10.0.0.1";
    let other = "a=source-filter: incl IN IP4 239.9.9.9 10.0.0.1";
    let all = "a=source-filter:incl IN IP4 * 10.0.0.2";
    let of = |senders: &str, interface| (senders.to_owned(), some(interface));
    let both = "a=source-filter:incl IN IP4 239.1.2.3 10.0.0.2 10.0.0.1 10.0.0.2";
    assert_eq!(source(&[&[C], VIDEO].concat()), of("", "eth0"));
    assert_eq!(source(&[&[C, ssm], VIDEO].concat()), of("10.0.0.1", "eth0"));
    assert_eq!(source(&[&[C, other], VIDEO].concat()), of("", "eth0"));
    assert_eq!(source(&[&[C, ssm], VIDEO, &[all]].concat()), of("10.0.0.2", "eth0"));
    assert_eq!(source(&[&[C], VIDEO, &[both]].concat()), of("10.0.0.1,10.0.0.2", "eth0"));
    assert_eq!(source(&[&["c=IN IP6 ff12::1%eth7"], VIDEO].concat()), of("", "eth7"));
    assert_eq!(source(&[&["c=IN IP4 127.0.0.1"], VIDEO].concat()), (String::new(), None));
}

#[test]
fn a_probable_mistake_is_a_warning() {
    let audio = "m=audio 5006 RTP/AVP 14";
    let world = World::new()
        .file("news.sdp", sdp(&[C, VIDEO[0], VIDEO[1], "a=rtcp-mux"]))
        .file("news.dss2.sdp", sdp(&["c=IN IP4 198.51.100.9", VIDEO[0], VIDEO[1]]))
        .file("talk.sdp", sdp(&[C, audio]))
        .file("talk.dss2.sdp", sdp(&["m=audio 5004 RTP/AVP 14"]));
    assert_eq!(
        world.problems(),
        [
            "news.dss2.sdp, line 6: media 1 has no a=rtcp-mux and the stream's has: RTCP will \
             come on the RTP port",
            "news.dss2.sdp, line 6: media 1 names the address 198.51.100.9, but packets go to 198.51.100.7, the \
             edge's address in dynrelay.toml",
            "talk.dss2.sdp: sends to 198.51.100.7:5004, as news.dss2.sdp does: both streams would \
             mix there",
        ]
    );
    assert!(world.load().route("talk", "dss2").is_ok());
}

#[test]
fn another_description_of_the_codec_is_a_warning() {
    let file = |more: &[&str]| sdp(&[&[C], VIDEO, more].concat());
    let problems = |ours: &[&str], theirs: &[&str]| {
        World::new().file("news.sdp", file(ours)).file("news.dss2.sdp", file(theirs)).problems()
    };
    let (old, new) =
        ("a=fmtp:96 packetization-mode=1; x=old", "a=fmtp:96 packetization-mode=1;x=new");
    let other = "news.dss2.sdp, line 6: media 1 does not describe H264/90000 pt 96 as the stream's \
                 file does (a=fmtp); players go by the edge's";
    assert_eq!(problems(&[new], &[old]), [other]);
    assert_eq!(problems(&[new], &[]), [other]);
    assert_eq!(problems(&[new], &["a=fmtp:96 x=new;packetization-mode=1;"]), [""; 0]);
    assert_eq!(problems(&[], &[old]), [""; 0], "a file that says nothing contradicts nothing");
}
