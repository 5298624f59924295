//! The example files of the package.

use std::path::Path;
use std::time::Duration;

use catalog::{Catalog, Consent, Pass, Rtcp};
use model::Rules;

fn share() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../share")
}

#[test]
fn the_example_can_be_relayed() {
    let catalog = Catalog::load(&share().join("dynrelay.toml")).unwrap();
    assert_eq!(catalog.problems(), []);
    assert_eq!(catalog.config().daemon.socket, Path::new("/run/dynrelay/control.sock"));
    assert_eq!(catalog.rules("news"), Rules::default());
    let edge = catalog.edge("dss2").unwrap();
    assert_eq!(edge.consent, Consent::File);
    assert_eq!(edge.viewer_url("news"), "rtsp://dss2.example.net/news.sdp");

    let news = catalog.stream("news").unwrap();
    assert_eq!(news.title.as_deref(), Some("The Evening News"));
    assert_eq!(news.labels().collect::<Vec<_>>(), ["video H264", "audio mpeg4-generic"]);
    assert_eq!(news.edges().collect::<Vec<_>>(), ["dss2"]);

    let route = catalog.route("news", "dss2").unwrap();
    let ways: Vec<(String, String, Pass)> = route
        .paths()
        .map(|path| (path.source.socket().to_string(), path.target.to_string(), path.pass))
        .collect();
    let way = |from: &str, to: &str, pass| (from.to_owned(), to.to_owned(), pass);
    assert_eq!(
        ways,
        [
            way("239.1.2.3:5004", "198.51.100.7:42000", Pass::Everything),
            way("239.1.2.3:5005", "198.51.100.7:42001", Pass::SenderReports),
            way("239.1.2.3:5006", "198.51.100.7:42002", Pass::Everything),
            way("239.1.2.3:5007", "198.51.100.7:42003", Pass::SenderReports),
        ]
    );
}

/// Every commented-out line shows a key. With all of them active, the file still loads.
#[test]
fn every_key_of_the_example_is_known() {
    let text = std::fs::read_to_string(share().join("dynrelay.toml")).unwrap();
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => key.to_owned(),
        _ => line.to_owned(),
    };
    let text: Vec<String> = text.lines().map(uncomment).collect();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("streams")).unwrap();
    std::fs::write(folder.path().join("dynrelay.toml"), text.join("\n")).unwrap();
    let catalog = Catalog::load(&folder.path().join("dynrelay.toml")).unwrap();
    let config = catalog.config();
    assert_eq!(catalog.problems(), []);
    assert_eq!(config.daemon.source_ports, Some(40000..=40999));
    assert_eq!(config.origin.viewer_url("x").as_deref(), Some("rtsp://dss1.example.org/x.sdp"));
    assert_eq!(config.edges[0].serves.len(), 2);
    // The shown values are the defaults.
    assert_eq!(config.limits, catalog::Limits::default());
    assert_eq!(config.rtcp, Rtcp::default());
    let interval = Duration::from_secs(1);
    assert_eq!(config.rules, Rules { probe_interval_v6: interval, ..Rules::default() });
    let daemon = catalog::Daemon {
        socket_group: Some("www-data".into()),
        source_ports: Some(40000..=40999),
        ..catalog::Daemon::default()
    };
    assert_eq!(config.daemon, daemon);
}
