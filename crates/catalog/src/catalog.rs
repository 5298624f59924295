//! Everything that may be relayed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::Config;
use crate::config::config_file::ConfigFile;
use crate::config::edge::Edge;
use crate::problem::{ConfigError, Fault, Problem};
use crate::sdp::Session;
use crate::streams::comparison::{Comparison, Side};
use crate::streams::folder::Folder;
use crate::streams::loops;
use crate::streams::reader::Reader;
use crate::streams::route::{Refusal, Route};
use crate::streams::stream::{Stream, find};
use model::Rules;

/// dynrelay.toml and the streams folder, as they were when they were read. Clones share the streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    config: Config,
    /// Sorted by name.
    streams: Box<[Arc<Stream>]>,
    problems: Vec<Problem>,
}

impl Catalog {
    /// Reads everything. It fails only if dynrelay.toml has faults. Other files that can't be used are
    /// in [`Catalog::problems`], and affect no others.
    pub fn load(config: &Path) -> Result<Self, ConfigError> {
        Self::whole(config, None)
    }

    /// Reads everything again. A file that is there but can't be used, perhaps because somebody is
    /// editing it, is a problem and changes nothing: its content in `self` stays in use. Only a file
    /// that is gone removes a stream or a consent. The new catalogue shares the streams that have not
    /// changed with `self`.
    pub fn load_again(&self, config: &Path) -> Result<Self, ConfigError> {
        Self::whole(config, Some(self))
    }

    /// Reads as much as can be read, and returns the faults of dynrelay.toml as well. A setting with a
    /// fault has its default. An edge with a fault is left out, and only the syntax of the files for it
    /// is checked. Fails if dynrelay.toml can't be read, or is not TOML.
    pub fn salvage(config: &Path) -> Result<(Self, Vec<Fault>), ConfigError> {
        Self::read(config, None)
    }

    fn whole(config: &Path, before: Option<&Self>) -> Result<Self, ConfigError> {
        match Self::read(config, before)? {
            (catalog, faults) if faults.is_empty() => Ok(catalog),
            (_, faults) => Err(ConfigError::Invalid { file: config.to_owned(), faults }),
        }
    }

    fn read(config: &Path, before: Option<&Self>) -> Result<(Self, Vec<Fault>), ConfigError> {
        let ConfigFile { config, faults, warnings: mut problems, edges } = ConfigFile::of(config)?;
        let known = before.into_iter().flat_map(Self::files);
        let folder = Folder::list(&config.streams, &edges, known, &mut problems);
        let old = before.map_or(&[][..], |before| &before.streams);
        let mut reader = Reader::new(&config, &folder, old, problems);
        let mut streams: Vec<Stream> =
            folder.streams.keys().filter_map(|name| reader.stream(name)).collect();
        let mut problems = reader.problems;
        problems.extend(loops::refuse(&mut streams, &config, &folder));
        problems.extend(loops::shared_ports(&folder, &streams));
        let share = |stream: Stream| match find(old, &stream.name) {
            Some(old) if **old == stream => old.clone(),
            _ => stream.into(),
        };
        let streams = streams.into_iter().map(share).collect();
        Ok((Self { config, streams, problems }, faults))
    }

    /// The names of the files in the streams folder that were used.
    fn files(&self) -> impl Iterator<Item = String> {
        self.streams().flat_map(|Stream { name, settings, consents, .. }| {
            let consents = consents.iter().map(move |(edge, _)| format!("{name}.{edge}.sdp"));
            let settings = settings.iter().map(move |_| format!("{name}.toml"));
            std::iter::once(format!("{name}.sdp")).chain(consents).chain(settings)
        })
    }

    /// dynrelay.toml.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The problems of all files, in the order in which they were found.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The streams, by name.
    pub fn streams(&self) -> impl ExactSizeIterator<Item = &Stream> {
        self.streams.iter().map(|stream| &**stream)
    }

    /// The stream of that name.
    pub fn stream(&self, name: &str) -> Option<&Stream> {
        find(&self.streams, name).map(|stream| &**stream)
    }

    /// Reads the SDP file of a stream again: the catalogue keeps only what relaying needs.
    pub fn session(&self, stream: &str) -> Result<Session, Problem> {
        Session::read(&self.sdp_file(stream))
    }

    /// The path of a stream's SDP file.
    pub fn sdp_file(&self, stream: &str) -> PathBuf {
        self.config.streams.join(format!("{stream}.sdp"))
    }

    /// The path of an edge's SDP file for a stream.
    pub fn consent_file(&self, stream: &str, edge: &str) -> PathBuf {
        self.config.streams.join(format!("{stream}.{edge}.sdp"))
    }

    /// A warning for each stream that no edge has a file for, and that therefore can't be relayed.
    pub fn unconsented(&self) -> impl Iterator<Item = Problem> {
        let edge = self.config.edges.first().map(|edge| edge.name.as_str());
        let idle = self.streams().filter(|stream| stream.consents.is_empty());
        idle.zip(edge.into_iter().cycle()).map(|(Stream { name, .. }, edge)| {
            let what = format!(
                "no edge has agreed to take {name}, so it can't be relayed: the SDP file that an \
                 edge has for it belongs here as {name}.{edge}.sdp (`dynrelay sdp offer {name} \
                 {edge}` makes one)"
            );
            Problem::warning(self.sdp_file(name), what)
        })
    }

    /// The problems of each SDP file of a folder by itself, for a folder without a dynrelay.toml.
    pub fn unreadable(folder: &Path) -> Vec<Problem> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "sdp"));
        files.sort();
        files.iter().filter_map(|file| Session::read(file).err()).collect()
    }

    /// The edges, in the order of dynrelay.toml.
    pub fn edges(&self) -> &[Edge] {
        &self.config.edges
    }

    /// The edge of that name.
    pub fn edge(&self, name: &str) -> Option<&Edge> {
        self.config.edges.iter().find(|edge| edge.name == name)
    }

    /// The route of a stream to an edge, or why there is none.
    pub fn route(&self, stream: &str, edge: &str) -> Result<&Arc<Route>, Refusal> {
        let known = self.stream(stream).ok_or_else(|| Refusal::UnknownStream(stream.to_owned()))?;
        self.edge(edge).ok_or_else(|| Refusal::UnknownEdge(edge.to_owned()))?;
        match known.consent(edge) {
            Some(consent) => consent.as_ref().map_err(|why| Refusal::Unfit((**why).to_owned())),
            None => Err(Refusal::NoConsent { stream: stream.to_owned(), edge: edge.to_owned() }),
        }
    }

    /// When the relays of a stream close; the general rules if the stream is not known.
    pub fn rules(&self, stream: &str) -> Rules {
        let settings = self.stream(stream).and_then(|stream| stream.settings.as_ref());
        settings.map_or(self.config.rules, |own| own.shutdown.change(self.config.rules))
    }

    /// Compares an edge's SDP file for a stream with the stream's. `None` if there is no such stream
    /// or no such edge. Fails if a file can't be read, or is not SDP.
    pub fn compare(&self, stream: &str, edge: &str) -> Option<Result<Comparison, Problem>> {
        let (known, edge) = (self.stream(stream)?, self.edge(edge)?);
        let arrivals = known.arrivals.as_ref().map_err(|problem| &**problem);
        let (ours, theirs) = (self.sdp_file(stream), self.consent_file(stream, &edge.name));
        let sides = Side::read(&ours).and_then(|ours| Ok((ours, Side::read(&theirs)?)));
        Some(sides.map(|(ours, theirs)| Comparison::made(&ours, &theirs, arrivals, edge.address)))
    }
}
