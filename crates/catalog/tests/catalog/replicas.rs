//! Replicas, and loops through them.

use crate::world::{EDGE, World, sdp};
use catalog::{Catalog, Pass, Place, Problem, Replica, Run};

const HERE: &str = "c=IN IP4 192.0.2.1";
const VIDEO: &[&str] = &["m=video 5004 RTP/AVP 96", "a=rtpmap:96 H264/90000"];
const AUDIO: &str = "m=audio 5006 RTP/AVP 14";

fn camera() -> String {
    sdp(&[HERE, VIDEO[0], VIDEO[1], AUDIO])
}

/// A stream `news` that arrives at this host, with this `[replica]`.
fn world(section: &str) -> World {
    World::new().file("news.sdp", camera()).file("news.toml", format!("[replica]\n{section}"))
}

/// Each flow as `5004>239.1.2.3:5004`.
fn flows(replica: &Replica) -> Vec<String> {
    let flow = |path: &catalog::Path| format!("{}>{}", path.source.port, path.target);
    replica.paths().map(flow).collect()
}

fn replicas(catalog: &Catalog) -> &[Replica] {
    &catalog.stream("news").unwrap().replicas
}

/// Its problems.
fn wrong(section: &str) -> String {
    let world = world(section);
    assert_eq!(replicas(&world.load()), []);
    world.problems().iter().find(|one| one.starts_with("news.toml")).unwrap().clone()
}

#[test]
fn a_group_gets_everything_on_the_ports_of_arrival() {
    let catalog = world("group = \"239.255.1.2\"").load();
    assert_eq!(catalog.problems(), World::new().load().problems());
    let [replica] = replicas(&catalog) else { panic!("one") };
    assert_eq!((replica.place, replica.run), (Place::Group, Run::Always));
    let expected = [
        "5004>239.255.1.2:5004",
        "5005>239.255.1.2:5005",
        "5006>239.255.1.2:5006",
        "5007>239.255.1.2:5007",
    ];
    assert_eq!(flows(replica), expected);
    assert!(replica.paths().all(|path| path.pass == Pass::Everything));
    let multicast = replica.pairs[0].rtp.multicast.clone().unwrap();
    assert_eq!((multicast.ttl, &multicast.interface), (1, &None));
}

#[test]
fn ports_ttl_and_interface_can_be_set() {
    let section = "group = \"ff15::1\"\nports = [6000, 7000]\nttl = 0\ninterface = \"eth1\"\n\
        run = \"on-demand\"";
    let catalog = world(section).load();
    let [replica] = replicas(&catalog) else { panic!("one") };
    assert_eq!(replica.run, Run::OnDemand);
    let expected = ["5004>[ff15::1]:6000", "5005>[ff15::1]:6001", "5006>[ff15::1]:7000"];
    assert_eq!(flows(replica)[..3], expected);
    let multicast = replica.pairs[1].rtp.multicast.clone().unwrap();
    assert_eq!((multicast.ttl, multicast.interface.as_deref()), (0, Some("eth1")));
}

#[test]
fn the_interface_is_the_origins_unless_it_is_named() {
    let world = World::with(&format!("[origin]\ninterface = \"eth0\"\n{EDGE}"))
        .file("news.sdp", camera())
        .file("news.toml", "[replica]\ngroup = \"239.255.1.2\"");
    let catalog = world.load();
    let multicast = replicas(&catalog)[0].pairs[0].rtp.multicast.clone().unwrap();
    assert_eq!(multicast.interface.as_deref(), Some("eth0"));
}

#[test]
fn dss1_gets_what_an_edge_gets_at_the_address_of_arrival() {
    let catalog = world("group = \"239.255.1.2\"\ndss = [6970, 6972]").load();
    let [_, dss] = replicas(&catalog) else { panic!("two") };
    assert_eq!(dss.place, Place::Dss);
    assert_eq!(flows(dss)[..2], ["5004>192.0.2.1:6970", "5005>192.0.2.1:6971"]);
    let passes: Vec<Pass> = dss.paths().map(|path| path.pass).collect();
    assert_eq!(passes[..2], [Pass::Everything, Pass::SenderReports]);
    let without = world("dss = [6970, 6972]")
        .file("news.toml", "rtcp = \"none\"\n[replica]\ndss = [6970, 6972]");
    assert_eq!(flows(&replicas(&without.load())[0]).len(), 2);
}

#[test]
fn a_replica_of_another_program_is_received_from_its_group() {
    let section = "group = \"239.255.1.2\"\nports = [6000, 6002]\nrun = \"elsewhere\"";
    let world = world(section).file("news.dss2.sdp", camera());
    let catalog = world.load();
    assert_eq!(flows(&replicas(&catalog)[0])[0], "5004>239.255.1.2:6000");
    let sources = catalog.stream("news").unwrap().sources().unwrap();
    assert_eq!(sources[1][0].socket().to_string(), "239.255.1.2:6002");
    let route = catalog.route("news", "dss2").unwrap();
    assert_eq!(route.pairs[0].rtp.source.socket().to_string(), "239.255.1.2:6000");
}

#[test]
fn faults_are_named() {
    for (section, expected) in [
        ("", "names neither a `group` nor the ports of DSS1 (`dss`)"),
        ("ttl = 1\ndss = [6970, 6972]", "has `ttl`, which is for a `group`, and names none"),
        ("group = \"192.0.2.9\"", "column 9: `192.0.2.9` is not a multicast group"),
        ("group = \"224.0.0.9\"", "is for routers' own use"),
        ("group = \"here\"", "is not an IP address of a multicast group"),
        ("group = \"239.255.1.2\"\nttl = 300", "a whole number, 0 to 255"),
        ("group = \"239.255.1.2\"\nrun = \"alway\"", "did you mean `always`?"),
        ("group = \"239.255.1.2\"\nport = [1]", "did you mean `ports`?"),
        ("group = \"239.255.1.2\"\nports = [6000]", "`ports` has 1, and the stream has 2 media"),
        ("group = \"239.255.1.2\"\nports = [6000, 65535]", "no port from 1 to 65534"),
        ("group = \"239.255.1.2\"\nports = [6000, 6000]", "name ports that differ"),
        ("dss = [6000, 6002]\nrun = \"elsewhere\"", "says run = \"elsewhere\", which is for"),
    ] {
        let what = wrong(section);
        assert!(what.contains(expected), "{section}: {what}");
    }
}

#[test]
fn a_stream_of_a_group_cannot_have_dss() {
    let world =
        world("dss = [6970, 6972]").file("news.sdp", camera().replace(HERE, "c=IN IP4 239.1.2.3"));
    assert!(world.problems()[0].contains("DSS1 can join that"), "{:?}", world.problems());
}

#[test]
fn a_pulled_stream_needs_ports() {
    let of = |section: &str| {
        let settings = format!("source = \"rtsp://cam/live\"\n[replica]\n{section}");
        World::new().file("news.sdp", camera()).file("news.toml", settings)
    };
    let catalog = of("group = \"239.255.1.2\"\nports = [6000, 6002]").load();
    let to: Vec<_> = replicas(&catalog)[0].targets().map(|target| target.port()).collect();
    assert_eq!(to, [6000, 6002]);
    let without = of("group = \"239.255.1.2\"").problems();
    assert!(without[0].contains("names no `ports` of the group"), "{without:?}");
    let dss = of("dss = [6970, 6972]").problems();
    assert!(dss[0].contains("go to a `group` alone"), "{dss:?}");
}

#[test]
fn media_on_one_port_stay_on_one() {
    let both = sdp(&[HERE, VIDEO[0], VIDEO[1], "m=audio 5004 RTP/AVP 14"]);
    let world = world("group = \"239.255.1.2\"\nports = [6000, 6000]").file("news.sdp", &both);
    assert_eq!(flows(&replicas(&world.load())[0]).len(), 2);
    let apart = world.file("news.toml", "[replica]\ngroup = \"239.255.1.2\"\nports = [6000, 6002]");
    assert!(apart.problems()[0].contains("must name one port"), "{:?}", apart.problems());
}

#[test]
fn a_faulty_section_changes_nothing() {
    for bad in ["[replica]\nports = [1]", "[replica]\ngroup = 7", "["] {
        let world = world("group = \"239.255.1.2\"");
        let before = world.load();
        let world = world.file("news.toml", bad);
        let after = before.load_again(&world.config()).unwrap();
        assert_eq!(replicas(&after), replicas(&before), "{bad}");
        let told = after.problems().iter().map(Problem::brief).collect::<String>();
        assert!(told.contains("until this is fixed, what was read before stays in use"), "{told}");
    }
    let world = world("group = \"239.255.1.2\"");
    let before = world.load();
    let world = world.file("news.toml", "");
    assert_eq!(replicas(&before.load_again(&world.config()).unwrap()), []);
}

#[test]
fn a_replica_into_its_own_source_is_refused() {
    let what = wrong("dss = [5000, 5004]");
    assert_eq!(
        what,
        "news.toml: [replica] brings news back to itself: news → 192.0.2.1:5004 → news; its \
         packets would go round for ever"
    );
    let group = camera().replace(HERE, "c=IN IP4 239.255.1.2");
    let world = world("group = \"239.255.1.2\"").file("news.sdp", group);
    assert!(world.problems()[0].contains("news → 239.255.1.2:5004 → news"));
}

/// A stream that arrives at one address and is replicated to another.
fn hop(world: World, name: &str, at: &str, to: &str) -> World {
    let (address, port) = at.split_once(':').unwrap();
    let address = format!("c=IN IP4 {address}");
    let video = format!("m=video {port} RTP/AVP 96");
    let (group, port) = to.split_once(':').unwrap();
    world
        .file(&format!("{name}.sdp"), sdp(&[&address, &video, VIDEO[1]]))
        .file(&format!("{name}.toml"), format!("[replica]\ngroup = \"{group}\"\nports = [{port}]"))
}

#[test]
fn a_loop_through_several_streams_is_spelled_out_for_each() {
    let world = hop(World::new(), "news", "239.1.1.3:5004", "239.1.1.1:5004");
    let world = hop(world, "sport", "239.1.1.1:5004", "239.1.1.2:5004");
    let world = hop(world, "talk", "239.1.1.2:5004", "239.1.1.3:5004");
    // Another stream that only leads there.
    let world = hop(world, "cam", "192.0.2.1:5004", "239.1.1.3:5006");
    let catalog = world.load();
    let problems = world.problems();
    let way = "news → 239.1.1.1:5004 → sport → 239.1.1.2:5004 → talk → 239.1.1.3:5004 → news";
    assert!(problems[0].contains(way), "{problems:?}");
    assert_eq!(problems.iter().filter(|one| one.contains("would go round")).count(), 3);
    for name in ["news", "sport", "talk"] {
        assert_eq!(catalog.stream(name).unwrap().replicas[..], [], "{name}");
    }
    assert_eq!(catalog.stream("cam").unwrap().replicas.len(), 1);
}

#[test]
fn a_replica_of_another_program_makes_no_loop() {
    let section = "[replica]\ngroup = \"239.1.1.1\"\nrun = \"elsewhere\"";
    let world = World::with(&EDGE.replace("198.51.100.7", "192.0.2.1"))
        .file("news.sdp", sdp(&[HERE, VIDEO[0], VIDEO[1]]))
        .file("news.toml", section)
        .file("news.dss2.sdp", sdp(&[HERE, VIDEO[0], VIDEO[1]]));
    let refusal = world.load().route("news", "dss2").unwrap_err().to_string();
    assert!(refusal.contains("news → 192.0.2.1:5004 → news"), "{refusal}");
}

#[test]
fn two_that_send_to_one_port_are_a_warning() {
    let world = hop(World::new(), "one", "192.0.2.1:5004", "239.1.1.9:5004");
    let world = hop(world, "two", "192.0.2.1:5006", "239.1.1.9:5004");
    assert_eq!(
        world.problems(),
        ["two.toml: sends to 239.1.1.9:5004, as one.toml does: both streams would mix there"]
    );
}
