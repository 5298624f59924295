//! A configuration folder for a test.

use std::fs;
use std::path::PathBuf;

use catalog::{Catalog, ConfigError};
use tempfile::TempDir;

/// A folder with dynrelay.toml and streams/. Dropping it removes it.
pub(crate) struct World {
    folder: TempDir,
}

impl World {
    /// One edge, dss2 at 198.51.100.7, and no streams.
    pub(crate) fn new() -> Self {
        Self::with(EDGE)
    }

    pub(crate) fn with(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("streams")).unwrap();
        fs::write(folder.path().join("dynrelay.toml"), config).unwrap();
        Self { folder }
    }

    /// Writes a file of the streams folder.
    pub(crate) fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.streams().join(name), text).unwrap();
        self
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("dynrelay.toml")
    }

    pub(crate) fn streams(&self) -> PathBuf {
        self.folder.path().join("streams")
    }

    pub(crate) fn load(&self) -> Catalog {
        self.try_load().unwrap()
    }

    pub(crate) fn try_load(&self) -> Result<Catalog, ConfigError> {
        Catalog::load(&self.config())
    }

    /// The problems, one line each, with the bare names of files.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.load().problems().iter().map(catalog::Problem::brief).collect()
    }
}

pub(crate) const EDGE: &str =
    "[[edge]]\nname = \"dss2\"\naddress = \"198.51.100.7\"\nurl = \"rtsp://dss2\"\n";

/// An SDP file with these lines after the heading.
pub(crate) fn sdp(lines: &[&str]) -> String {
    format!("v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n{}\r\n", lines.join("\r\n"))
}
