//! The example files of the package.

use std::path::Path;

use catalog::{Catalog, Consent, Pass};
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
