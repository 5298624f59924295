//! The streams folder: which file is a stream, a consent, or a stream's settings.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use model::{MAX_NAME, is_name};

use crate::problem::Problem;

/// The files of the folder, by name alone.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    path: PathBuf,
    /// The streams, each with the edges that have a file for it.
    pub(crate) streams: BTreeMap<String, Vec<String>>,
    /// The streams that have a NAME.toml.
    pub(crate) settings: BTreeSet<String>,
}

impl Folder {
    /// Lists the folder and tells streams from consents by the names of the edges. Hidden files, and
    /// files that are neither SDP nor TOML, are ignored. A file that is `known` from an earlier listing
    /// counts as there until it is certain that it is gone.
    pub(crate) fn list(
        path: &Path,
        edges: &BTreeSet<String>,
        known: impl Iterator<Item = String>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut folder = Self { path: path.to_owned(), ..Self::default() };
        let mut sdp = BTreeSet::new();
        let listed = entries(path, |entry| folder.sort(entry, &mut sdp, problems));
        for name in known {
            let found = match name.rsplit_once('.') {
                Some((stem, "sdp")) => sdp.contains(stem),
                Some((stem, _)) => folder.settings.contains(stem),
                None => true,
            };
            let file = path.join(name);
            // A listing may miss a file that is renamed meanwhile.
            if !found && (listed.is_err() || !is_gone(&file)) {
                folder.sort(&file, &mut sdp, problems);
            }
        }
        if let Err(error) = listed {
            problems.push(Problem::error(path, format!("can't be read: {error}")));
        }
        // A stream comes before the consents to it, because its name is shorter.
        let mut stems: Vec<&String> = sdp.iter().collect();
        stems.sort_by_key(|stem| stem.len());
        for stem in stems {
            if let Err(what) = folder.place(stem, edges, &sdp) {
                problems.push(Problem::error(folder.file(stem, "sdp"), what));
            }
        }
        folder.streams.values_mut().for_each(|edges| edges.sort());
        folder.drop_lone_settings(problems);
        folder
    }

    /// The path of NAME.EXTENSION.
    pub(crate) fn file(&self, name: &str, extension: &str) -> PathBuf {
        self.path.join(format!("{name}.{extension}"))
    }

    /// The path of an edge's SDP for a stream.
    pub(crate) fn consent_file(&self, stream: &str, edge: &str) -> PathBuf {
        self.path.join(format!("{stream}.{edge}.sdp"))
    }

    fn sort(&mut self, path: &Path, sdp: &mut BTreeSet<String>, problems: &mut Vec<Problem>) {
        let Some(raw) = path.file_name() else { return };
        let name = raw.to_string_lossy();
        let Some((stem, extension)) = name.rsplit_once('.') else { return };
        let known = |wanted: &str| extension.eq_ignore_ascii_case(wanted);
        if name.starts_with('.') || !(known("sdp") || known("toml")) {
            return;
        }
        // A consent's stem is two names and a dot.
        let plain = stem.len() <= 2 * MAX_NAME + 1
            && !stem.is_empty()
            && stem.split('.').all(|part| part.is_empty() || is_name(part));
        if raw.to_str().is_none() || !plain {
            let what = "can't be a stream's name; one has letters, digits, `.`, `_` and `-` only";
            problems.push(Problem::error(path, what));
        } else if extension == "sdp" {
            sdp.insert(stem.to_owned());
        } else if extension == "toml" {
            self.settings.insert(stem.to_owned());
        } else {
            problems.push(Problem::warning(path, "is ignored: .sdp and .toml must be lower case"));
        }
    }

    /// Decides what STEM.sdp is. Names may contain dots, so the names of edges and streams decide:
    /// `news.dss2` is dss2's consent to news, and no stream, if dss2 is an edge. Otherwise it is a
    /// stream, unless it looks like the consent of an edge that is missing.
    fn place(
        &mut self,
        stem: &str,
        edges: &BTreeSet<String>,
        sdp: &BTreeSet<String>,
    ) -> Result<(), String> {
        let split = |edge: &String| {
            let stream = stem.strip_suffix(edge.as_str())?.strip_suffix('.')?;
            is_name(stream).then(|| (stream.to_owned(), edge.clone()))
        };
        let readings: Vec<(String, String)> = edges.iter().filter_map(split).collect();
        let mut good = readings.iter().filter(|(stream, _)| self.streams.contains_key(stream));
        match (good.next().cloned(), good.next(), readings.first()) {
            (Some((stream, edge)), None, _) => {
                self.streams.entry(stream).or_default().push(edge);
                Ok(())
            }
            (Some((stream, edge)), Some((other, another)), _) => Err(format!(
                "may be {edge}'s consent to {stream} or {another}'s to {other}; rename one of them"
            )),
            (None, _, Some((stream, edge))) => Err(format!(
                "says that {edge} takes {stream}, but there is no such stream; \
                 and a stream can't be called {stem}, for {edge} is an edge"
            )),
            (None, _, None) => self.place_stream(stem, edges, sdp),
        }
    }

    fn place_stream(
        &mut self,
        stem: &str,
        edges: &BTreeSet<String>,
        sdp: &BTreeSet<String>,
    ) -> Result<(), String> {
        if !is_name(stem) {
            return Err(format!(
                "`{stem}` is longer than {MAX_NAME} letters, or begins with a dot"
            ));
        }
        let consented = edges.iter().any(|edge| sdp.contains(&format!("{stem}.{edge}")));
        let of = stem.match_indices('.').map(|(dot, _)| stem.split_at(dot));
        let missing = of.rev().find(|(stream, _)| self.streams.contains_key(*stream));
        match missing {
            Some((stream, edge)) if !consented && !self.settings.contains(stem) => Err(format!(
                "there is no edge {} in dynrelay.toml; if this is not a consent to {stream} but a \
                 stream of its own, say so with a file {stem}.toml (it may be empty)",
                edge.trim_start_matches('.')
            )),
            _ => {
                self.streams.insert(stem.to_owned(), Vec::new());
                Ok(())
            }
        }
    }

    fn drop_lone_settings(&mut self, problems: &mut Vec<Problem>) {
        let all = std::mem::take(&mut self.settings).into_iter();
        let (known, lone): (BTreeSet<_>, BTreeSet<_>) =
            all.partition(|name| self.streams.contains_key(name));
        self.settings = known;
        problems.extend(lone.iter().map(|name| {
            let what = format!("is for a stream {name}, which isn't there");
            Problem::warning(self.file(name, "toml"), what)
        }));
    }
}

/// Calls `take` with the path of each entry of a folder.
fn entries(folder: &Path, mut take: impl FnMut(&Path)) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        take(&entry?.path());
    }
    Ok(())
}

fn is_gone(file: &Path) -> bool {
    file.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}
