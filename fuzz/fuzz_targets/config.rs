//! Fuzzes loading of dynrelay.toml.
#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use catalog::Catalog;
use libfuzzer_sys::fuzz_target;

/// The path of the file. Its folder belongs to this process and has one stream.
fn file() -> &'static PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder").keep();
        std::fs::create_dir(folder.join("streams")).expect("its streams");
        folder.join("dynrelay.toml")
    })
}

fuzz_target!(|bytes: &[u8]| {
    std::fs::write(file(), bytes).expect("the file is written");
    match Catalog::load(file()) {
        Ok(catalog) => {
            let config = catalog.config();
            assert!(config.limits.connections > 0 && config.limits.requests_per_second > 0);
            for edge in catalog.edges() {
                assert!(model::is_name(&edge.name));
                let url = edge.viewer_url("news");
                assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
            }
            for problem in catalog.problems() {
                assert!(!problem.to_string().contains(char::is_control), "{problem:?}");
            }
        }
        // Each fault is one line.
        Err(error) => {
            let said = error.to_string();
            assert!(said.lines().all(|line| !line.contains(char::is_control)), "{error:?}");
        }
    }
});
