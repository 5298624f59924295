//! Reads the files of the streams.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::arrival::{arrivals, pulled, remarks};
use super::folder::Folder;
use super::route::Route;
use super::sdp_match::{self, Consent, Original};
use super::stream::{Consented, Settings, Stream, find};
use crate::config::Config;
use crate::config::edge::Edge;
use crate::config::toml_file;
use crate::file;
use crate::problem::{Fault, Problem};
use crate::sdp::{MediaFormat, Session, cleaned};

/// Reads the streams, one after the other.
pub(crate) struct Reader<'a> {
    config: &'a Config,
    folder: &'a Folder,
    /// The streams of the catalogue before, sorted by name.
    before: &'a [Arc<Stream>],
    interface: Option<Arc<str>>,
    /// The edges with their names, which the streams share.
    edges: Vec<(Arc<str>, &'a Edge)>,
    /// The formats of all media so far, which the streams share.
    formats: HashSet<Arc<MediaFormat>>,
    /// The problems so far, in the order in which they were found.
    pub(crate) problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(
        config: &'a Config,
        folder: &'a Folder,
        before: &'a [Arc<Stream>],
        problems: Vec<Problem>,
    ) -> Self {
        Self {
            config,
            folder,
            before,
            interface: config.origin.interface.as_deref().map(Arc::from),
            edges: config.edges.iter().map(|edge| (edge.name.as_str().into(), edge)).collect(),
            formats: HashSet::new(),
            problems,
        }
    }

    /// Reads a stream's files. None if its SDP file can't be used, and could not be before.
    pub(crate) fn stream(&mut self, name: &str) -> Option<Stream> {
        let file = self.folder.file(name, "sdp");
        let old = find(self.before, name).map(|old| &**old);
        let (session, unreadable) = match Session::read(&file) {
            Ok(session) => (Some(session), None),
            Err(problem) => (None, Some(problem)),
        };
        if let Some(problem) = unreadable {
            self.report(vec![problem], old.is_some());
        }
        let mut stream = match (&session, old) {
            (Some(session), _) => self.arriving(session, name, &file, old),
            // How it arrives stays as it was, whatever NAME.toml says now.
            (None, Some(old)) => {
                let settings = self.settings(name, Some(old));
                Stream { settings, consents: Box::default(), ..old.clone() }
            }
            (None, None) => return None,
        };
        let own = stream.settings.as_deref();
        stream.rtcp = own.and_then(|own| own.rtcp).unwrap_or(self.config.rtcp);
        let title = own.and_then(|own| own.title.as_deref()).map(cleaned);
        stream.title = title.filter(|title| !title.is_empty()).or(stream.title);
        stream.consents = self.consents(&stream, session.as_ref(), old);
        Some(stream)
    }

    /// A stream whose SDP file was read, without its consents.
    fn arriving(
        &mut self,
        session: &Session,
        name: &str,
        file: &Path,
        old: Option<&Stream>,
    ) -> Stream {
        let settings = self.settings(name, old);
        let source = settings.as_ref().and_then(|own| own.source.clone());
        let arrivals = match source {
            Some(_) => pulled(session, file),
            None => arrivals(session, file, self.interface.as_ref()),
        };
        match &arrivals {
            Ok(_) => self.problems.extend(remarks(session, file)),
            Err(problem) => self.problems.push(problem.clone()),
        }
        let mut stream = Stream {
            name: name.to_owned(),
            title: session.title().map(str::to_owned),
            media: session.relayed().map(|(_, media)| self.shared(media.format())).collect(),
            source,
            rtcp: settings.as_ref().and_then(|own| own.rtcp).unwrap_or(self.config.rtcp),
            replicas: Box::default(),
            arrivals: arrivals.map_err(Box::new),
            settings,
            consents: Box::default(),
        };
        self.replicate(&mut stream, old);
        stream
    }

    fn shared(&mut self, format: MediaFormat) -> Arc<MediaFormat> {
        if let Some(known) = self.formats.get(&format) {
            return known.clone();
        }
        let format = Arc::new(format);
        self.formats.insert(format.clone());
        format
    }

    /// Notes problems of a file; `kept` if its earlier content stays in use.
    fn report(&mut self, problems: Vec<Problem>, kept: bool) {
        let noted = |problem: Problem| if kept { problem.without_effect() } else { problem };
        self.problems.extend(problems.into_iter().map(noted));
    }

    /// The settings of a stream's NAME.toml, if there is one.
    fn settings(&mut self, name: &str, old: Option<&Stream>) -> Option<Box<Settings>> {
        if !self.folder.settings.contains(name) {
            return None;
        }
        let file = self.folder.file(name, "toml");
        let old = old.and_then(|old| old.settings.clone());
        let settings = read_settings(&file).map(Box::new).unwrap_or_else(|problems| {
            self.report(problems, old.is_some());
            old.unwrap_or_default()
        });
        let source = settings.source.as_ref();
        let exposed =
            source.and_then(|source| source.exposed(settings.password_file.as_deref(), &file));
        self.problems.extend(exposed);
        Some(settings)
    }

    /// Makes the stream's replicas from its NAME.toml; if they can't be made, the old ones stay.
    fn replicate(&mut self, stream: &mut Stream, old: Option<&Stream>) {
        let section = stream.settings.as_ref().and_then(|settings| settings.replica.as_ref());
        let (Some(section), Ok(arrivals)) = (section, &stream.arrivals) else { return };
        let original =
            Original { media: &stream.media, arrivals, rtcp: stream.rtcp, session: None };
        let interface = self.interface.as_ref();
        match section.replicas(original, interface) {
            Ok(replicas) => {
                // A stream that another program sends to a group is taken from there.
                if let Some(arrivals) = section.elsewhere(original, interface) {
                    stream.arrivals = Ok(arrivals);
                }
                stream.replicas = replicas;
            }
            Err(what) => {
                let file = self.folder.file(&stream.name, "toml");
                let old = old.filter(|old| !old.replicas.is_empty() && old.arrivals.is_ok());
                let problem = Problem::error(file, format!("[replica] {what}"));
                self.report(vec![problem], old.is_some());
                if let Some(old) = old {
                    stream.replicas.clone_from(&old.replicas);
                    stream.arrivals.clone_from(&old.arrivals);
                }
            }
        }
    }

    /// The routes to the edges that have a file for the stream.
    fn consents(
        &mut self,
        stream: &Stream,
        session: Option<&Session>,
        old: Option<&Stream>,
    ) -> Box<[Consented]> {
        let mut consents = Vec::new();
        for name in self.folder.streams.get(&stream.name).into_iter().flatten() {
            let edge = self.edges.iter().find(|(edge, _)| **edge == **name).cloned();
            let Some((name, edge)) = edge else {
                let file = self.folder.consent_file(&stream.name, name);
                self.problems.extend(Session::read(&file).err());
                continue;
            };
            let old = old.and_then(|old| old.route_to(edge));
            let route = self.route(stream, session, edge, old);
            consents.push((name, route.map_err(|problem| problem.brief().into())));
        }
        consents.into()
    }

    /// The stream's route to an edge by the edge's file. If the file can't be used the old route stays.
    fn route(
        &mut self,
        stream: &Stream,
        session: Option<&Session>,
        edge: &Edge,
        old: Option<&Arc<Route>>,
    ) -> Result<Arc<Route>, Problem> {
        let file = self.folder.consent_file(&stream.name, &edge.name);
        let made = Session::read(&file).and_then(|theirs| {
            let arrivals = stream.arrivals.as_ref().map_err(|problem| (**problem).clone())?;
            let original = Original { media: &stream.media, arrivals, rtcp: stream.rtcp, session };
            let consent = Consent { file: &file, session: &theirs, address: edge.address };
            let pairs = sdp_match::pairs(original, consent, &mut self.problems)?;
            let (stream, edge) = (stream.name.clone(), edge.name.clone());
            Ok(Arc::new(Route { stream, edge, pairs }))
        });
        match (made, old) {
            (Err(problem), Some(old)) => {
                self.problems.push(problem.without_effect());
                Ok(old.clone())
            }
            // A problem of the stream's own file has been noted already.
            (Err(problem), None) => {
                self.problems.extend((problem.file == file).then(|| problem.clone()));
                Err(problem)
            }
            (Ok(route), _) => Ok(route),
        }
    }
}

/// Reads NAME.toml.
fn read_settings(path: &Path) -> Result<Settings, Vec<Problem>> {
    let bytes = file::read(path).map_err(|problem| vec![problem])?;
    let text = String::from_utf8(bytes).map_err(|_| vec![Problem::error(path, "is not UTF-8")])?;
    let problem = |Fault { line, column, what }: Fault| {
        Problem::error(path, format!("column {column}: {what}")).at(line)
    };
    let table = toml_file::parse(&text).map_err(|fault| vec![problem(fault)])?;
    let (mut settings, faults) = toml_file::salvage::<Settings>(&text, table);
    if !faults.is_empty() {
        return Err(faults.into_iter().map(problem).collect());
    }
    let Some(mut source) = settings.source.take() else {
        let password = settings.password_file.as_ref().map(|_| "password_file");
        return match password.or(settings.transport.map(|_| "transport")) {
            Some(key) => Err(vec![Problem::error(path, format!("has a `{key}` and no `source`"))]),
            None => Ok(settings),
        };
    };
    if let Some(transport) = settings.transport {
        source = source.with_transport(transport);
    }
    if let Some(password) = &settings.password_file {
        source = source.with_password_file(password, path).map_err(|problem| vec![problem])?;
    }
    settings.source = Some(source);
    Ok(settings)
}
