//! Everything that may be relayed.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use model::Rules;

use crate::arrival::{Arrival, arrivals, pulled};
use crate::config::Config;
use crate::cycle;
use crate::edge::Edge;
use crate::fault::{ConfigError, Fault};
use crate::file;
use crate::fit::{self, Consented};
use crate::folder::Folder;
use crate::password;
use crate::problem::Problem;
use crate::reading::Reading;
use crate::replica::Original;
use crate::route::{Refusal, Route};
use crate::sdp::Session;
use crate::stream::{Settings, Stream};
use crate::toml_file;

/// dynrelay.toml and the streams folder, as they were when they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    config: Config,
    streams: BTreeMap<String, Stream>,
    problems: Vec<Problem>,
}

/// A stream's file, read, and where its packets arrive.
struct Arriving {
    session: Session,
    arrivals: Result<Vec<Vec<Arrival>>, Problem>,
}

/// What the streams are made from.
struct Making<'a> {
    config: &'a Config,
    folder: &'a Folder,
    before: Option<&'a Catalog>,
}

impl Catalog {
    /// Reads everything. Only dynrelay.toml itself can fail; whatever else is wrong is in
    /// [`Catalog::problems`], and takes nothing else down.
    pub fn load(config: &Path) -> Result<Self, ConfigError> {
        Self::whole(config, None)
    }

    /// Reads everything anew. A file that is there but can't be used, perhaps because it is being
    /// edited just now, is a problem and changes nothing: what it said when `self` was read stays
    /// in force. Only a file that is gone takes a stream or a consent away.
    pub fn load_again(&self, config: &Path) -> Result<Self, ConfigError> {
        Self::whole(config, Some(self))
    }

    /// Reads as much as can be read, for whoever looks for all that is wrong, and gives the faults
    /// of dynrelay.toml. What they concern has its default; an edge with a fault is left out, and
    /// of the files for it only the syntax is looked at.
    ///
    /// An error is a dynrelay.toml that can't be read, or that is no TOML.
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
        let Reading { config, faults, warnings: mut problems, edges } = Reading::of(config)?;
        let known: Vec<String> = before.iter().flat_map(|before| before.files()).collect();
        let folder = Folder::list(&config.streams, &edges, &known, &mut problems);
        let mut arriving = BTreeMap::new();
        for name in folder.streams.keys() {
            let path = folder.file(name, "sdp");
            let old = before.and_then(|before| before.stream(name));
            let old = old.map(|old| old.session.clone());
            let read = Session::read(&path).map_err(|problem| vec![problem]);
            if let Some(session) = or_before(read, old, &mut problems) {
                let arrivals = arrivals(&session, &path, config.origin.interface.as_deref());
                arriving.insert(name.clone(), Arriving { session, arrivals });
            }
        }
        let making = Making { config: &config, folder: &folder, before };
        let mut streams = BTreeMap::new();
        for (name, arriving) in arriving {
            let stream = making.stream(&name, arriving, &mut problems);
            streams.insert(name, stream);
        }
        problems.extend(cycle::refuse(&mut streams, &config, &folder));
        cycle::note_fed(&mut streams, &config);
        problems.extend(shared_ports(&folder, &streams));
        Ok((Self { config, streams, problems }, faults))
    }

    /// The names of the files in the streams folder that it was made of.
    fn files(&self) -> impl Iterator<Item = String> {
        self.streams.values().flat_map(|Stream { name, settings, consents, .. }| {
            let consents = consents.keys().map(move |edge| format!("{name}.{edge}.sdp"));
            let settings = settings.iter().map(move |_| format!("{name}.toml"));
            std::iter::once(format!("{name}.sdp")).chain(consents).chain(settings)
        })
    }

    /// dynrelay.toml.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What is wrong, in the order in which it was found.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The streams, by name.
    pub fn streams(&self) -> impl ExactSizeIterator<Item = &Stream> {
        self.streams.values()
    }

    /// The stream of that name.
    pub fn stream(&self, name: &str) -> Option<&Stream> {
        self.streams.get(name)
    }

    /// A warning for each stream that no edge has a file for: it can't be relayed.
    pub fn unconsented(&self) -> impl Iterator<Item = Problem> {
        let edge = self.config.edges.first().map(|edge| edge.name.as_str());
        let idle = self.streams().filter(|stream| stream.consents.is_empty());
        idle.zip(edge.into_iter().cycle()).map(|(Stream { name, .. }, edge)| {
            let what = format!(
                "no edge has agreed to take {name}, so it can't be relayed: the SDP file that an \
                 edge has for it belongs here as {name}.{edge}.sdp (`dynrelay sdp offer {name} \
                 {edge}` makes one)"
            );
            Problem::warning(self.config.streams.join(format!("{name}.sdp")), what)
        })
    }

    /// What is wrong with each SDP file of a folder by itself, where no dynrelay.toml says what the
    /// files are for.
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

    /// The way of a stream to an edge, or why there is none.
    pub fn route(&self, stream: &str, edge: &str) -> Result<&Route, Refusal> {
        let known = self.stream(stream).ok_or_else(|| Refusal::UnknownStream(stream.to_owned()))?;
        self.edge(edge).ok_or_else(|| Refusal::UnknownEdge(edge.to_owned()))?;
        match known.consents.get(edge) {
            Some(consent) => consent.as_ref().map_err(Clone::clone),
            None => Err(Refusal::NoConsent { stream: stream.to_owned(), edge: edge.to_owned() }),
        }
    }

    /// When the relays of a stream close; the general rules for a stream that is not known.
    pub fn rules(&self, stream: &str) -> Rules {
        self.stream(stream).map_or(self.config.rules, |stream| stream.rules)
    }
}

/// What was read, else what the file said before, if anything.
fn or_before<T>(
    read: Result<T, Vec<Problem>>,
    before: Option<T>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    match (read, before) {
        (Ok(now), _) => Some(now),
        (Err(wrong), None) => {
            problems.extend(wrong);
            None
        }
        (Err(wrong), before) => {
            problems.extend(wrong.into_iter().map(Problem::without_effect));
            before
        }
    }
}

impl Making<'_> {
    fn stream(
        &self,
        name: &str,
        Arriving { session, arrivals }: Arriving,
        problems: &mut Vec<Problem>,
    ) -> Stream {
        let before = self.before.and_then(|before| before.stream(name));
        let old_settings = before.and_then(|before| before.settings.clone());
        let settings = self.folder.settings.contains(name).then(|| {
            let read = settings(&self.folder.file(name, "toml"));
            or_before(read, old_settings, problems).unwrap_or_default()
        });
        let own = settings.clone().unwrap_or_default();
        problems.extend(password::exposed(&own, &self.folder.file(name, "toml")));
        let title = own.title.as_deref().map(str::trim).filter(|title| !title.is_empty());
        let arrivals = match own.source {
            Some(_) => pulled(&session, &self.folder.file(name, "sdp")),
            None => arrivals,
        };
        problems.extend(arrivals.as_ref().err().cloned());
        let mut stream = Stream {
            name: name.to_owned(),
            source: own.source,
            title: title.or_else(|| session.title()).map(str::to_owned),
            session,
            rules: own.shutdown.change(self.config.rules),
            rtcp: own.rtcp.unwrap_or(self.config.rtcp),
            settings,
            arrivals,
            replicas: Vec::new(),
            consents: BTreeMap::new(),
        };
        self.replicate(&mut stream, before, problems);
        let consenting = self.folder.streams.get(name).into_iter().flatten();
        for edge in consenting {
            if let Some(edge) = self.config.edges.iter().find(|known| known.name == *edge) {
                let old = before.and_then(|before| before.route_to(edge));
                let route = self.route(&stream, edge, old, problems);
                let route = route.map_err(|problem| Refusal::Unfit(problem.brief()));
                stream.consents.insert(edge.name.clone(), route);
            } else {
                problems.extend(Session::read(&self.folder.consent_file(name, edge)).err());
            }
        }
        stream
    }

    /// Makes the stream's replicas, by its NAME.toml; those of before, if they can't be made.
    fn replicate(&self, stream: &mut Stream, before: Option<&Stream>, problems: &mut Vec<Problem>) {
        let section = stream.settings.as_ref().and_then(|settings| settings.replica.as_ref());
        let (Some(section), Ok(arrivals)) = (section, &stream.arrivals) else { return };
        let original = Original {
            session: &stream.session,
            arrivals,
            rtcp: stream.rtcp,
            interface: self.config.origin.interface.as_deref(),
        };
        let file = self.folder.file(&stream.name, "toml");
        let made = section.replicas(original).map(|made| {
            // Where another program sends it, it is taken from there.
            (made, section.elsewhere(original).unwrap_or_else(|| arrivals.clone()))
        });
        let made = made.map_err(|what| vec![Problem::error(file, format!("[replica] {what}"))]);
        let old = before.filter(|before| !before.replicas.is_empty());
        let old = old.and_then(|old| Some((old.replicas.clone(), old.arrivals.clone().ok()?)));
        if let Some((replicas, arrivals)) = or_before(made, old, problems) {
            stream.replicas = replicas;
            stream.arrivals = Ok(arrivals);
        }
    }

    /// The stream's way to an edge, by the edge's file; the old way, if the file can't be used.
    fn route(
        &self,
        stream: &Stream,
        edge: &Edge,
        old: Option<&Route>,
        problems: &mut Vec<Problem>,
    ) -> Result<Route, Problem> {
        let file = self.folder.consent_file(&stream.name, &edge.name);
        let fitted = Session::read(&file).and_then(|session| {
            let arrivals = stream.arrivals.as_ref().map_err(Clone::clone)?;
            let (address, rtcp) = (edge.address, stream.rtcp);
            let consent = Consented { file: &file, session: &session, address, rtcp };
            let pairs = fit::pairs(&stream.session, arrivals, consent, problems)?;
            Ok(Route { stream: stream.name.clone(), edge: edge.name.clone(), pairs })
        });
        let route = match (fitted, old) {
            (Err(problem), Some(old)) => {
                problems.push(problem.without_effect());
                Ok(old.clone())
            }
            (fitted, _) => fitted,
        };
        // What is wrong with the stream's own file is known by now.
        route.inspect_err(|problem| {
            problems.extend((problem.file == file).then(|| problem.clone()));
        })
    }
}

/// Reads NAME.toml.
fn settings(path: &Path) -> Result<Settings, Vec<Problem>> {
    let bytes = file::read(path).map_err(|problem| vec![problem])?;
    let text = String::from_utf8(bytes).map_err(|_| vec![Problem::error(path, "is not UTF-8")])?;
    let problem = |Fault { line, column, what }: Fault| {
        Problem::error(path, format!("column {column}: {what}")).at(line)
    };
    let table = toml_file::parse(&text).map_err(|fault| vec![problem(fault)])?;
    match toml_file::salvage(&text, table) {
        (settings, faults) if faults.is_empty() => {
            password::fetch(settings, path).map_err(|problem| vec![problem])
        }
        (_, faults) => Err(faults.into_iter().map(problem).collect()),
    }
}

/// Warns of two streams that are sent to one port, most often by a copied file.
fn shared_ports(folder: &Folder, streams: &BTreeMap<String, Stream>) -> Vec<Problem> {
    let mut takers: HashMap<SocketAddr, PathBuf> = HashMap::new();
    let mut problems = Vec::new();
    for (file, targets) in streams.values().flat_map(|stream| sent(folder, stream)) {
        let shared = targets.into_iter().find_map(|target| {
            let taker = takers.entry(target).or_insert_with(|| file.clone());
            (*taker != file).then(|| (target, taker.clone()))
        });
        if let Some((target, taker)) = shared {
            let taker = taker.file_name().unwrap_or_default().to_string_lossy();
            let what = format!("sends to {target}, as {taker} does: both streams would mix there");
            problems.push(Problem::warning(file, what));
        }
    }
    problems
}

/// Where a stream's RTP is sent, by the file that says so.
fn sent(folder: &Folder, stream: &Stream) -> Vec<(PathBuf, Vec<SocketAddr>)> {
    let routes = stream.routes().map(|route| {
        let targets = route.pairs.iter().map(|pair| pair.rtp.target);
        (folder.consent_file(&route.stream, &route.edge), targets.collect())
    });
    let replicas = stream
        .replicas
        .iter()
        .map(|replica| (folder.file(&stream.name, "toml"), replica.targets().collect()));
    routes.chain(replicas).collect()
}
