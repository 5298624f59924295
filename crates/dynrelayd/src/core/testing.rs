//! Catalogues for the tests of the core.

use std::fs;
use std::sync::Arc;

use catalog::Catalog;

/// Reads a catalogue: the text of dynrelay.toml, and the streams' files with their texts.
pub(crate) fn catalog(config: &str, files: &[(String, String)]) -> Arc<Catalog> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("streams")).unwrap();
    let toml = folder.path().join("dynrelay.toml");
    fs::write(&toml, config).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join("streams").join(name), text).unwrap();
    }
    let catalog = Catalog::load(&toml).unwrap();
    let problems: Vec<_> = catalog.problems().iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{problems:?}");
    Arc::new(catalog)
}

/// An `[[edge]]` section.
pub(crate) fn edge(name: &str, address: &str, more: &str) -> String {
    format!(
        "[[edge]]\nname = \"{name}\"\naddress = \"{address}\"\nurl = \"rtsp://{name}.example\"\n{more}\n"
    )
}

/// An SDP file with one video.
pub(crate) fn sdp(address: &str, port: u16) -> String {
    format!(
        "v=0\no=- 0 0 IN IP4 {address}\ns=-\nc=IN IP4 {address}\nt=0 0\n\
         m=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    )
}
