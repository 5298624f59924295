//! Everything that may be relayed.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::arrival::{Arrival, arrivals};
use crate::config::Config;
use crate::edge::Edge;
use crate::fault::{ConfigError, Fault};
use crate::file;
use crate::fit::{self, Consented};
use crate::folder::Folder;
use crate::problem::Problem;
use crate::reading::Reading;
use crate::route::{Refusal, Route};
use crate::rules::Rules;
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

/// Which stream's packets arrive at a socket.
type Arrivals = HashMap<SocketAddr, String>;

impl Catalog {
    /// Reads everything. Only dynrelay.toml itself can fail; whatever else is wrong is in
    /// [`Catalog::problems`], and takes nothing else down.
    pub fn load(config: &Path) -> Result<Self, ConfigError> {
        match Self::salvage(config)? {
            (catalog, faults) if faults.is_empty() => Ok(catalog),
            (_, faults) => Err(ConfigError::Invalid { file: config.to_owned(), faults }),
        }
    }

    /// Reads as much as can be read, for whoever looks for all that is wrong, and gives the faults
    /// of dynrelay.toml. What they concern has its default; an edge with a fault is left out, and
    /// of the files for it only the syntax is looked at.
    ///
    /// An error is a dynrelay.toml that can't be read, or that is no TOML.
    pub fn salvage(config: &Path) -> Result<(Self, Vec<Fault>), ConfigError> {
        let Reading { config, faults, warnings: mut problems, edges } = Reading::of(config)?;
        let folder = Folder::list(&config.streams, &edges, &mut problems);
        let mut arriving = BTreeMap::new();
        for name in folder.streams.keys() {
            let path = folder.file(name, "sdp");
            match Session::read(&path) {
                Err(problem) => problems.push(problem),
                Ok(session) => {
                    let interface = config.origin.interface.as_deref();
                    let arrivals = arrivals(&session, &path, interface);
                    problems.extend(arrivals.as_ref().err().cloned());
                    arriving.insert(name.clone(), Arriving { session, arrivals });
                }
            }
        }
        let sources = sources(&arriving);
        let mut streams = BTreeMap::new();
        for (name, arriving) in arriving {
            let stream = stream(&config, &folder, &sources, &name, arriving, &mut problems);
            streams.insert(name, stream);
        }
        problems.extend(shared_ports(&folder, &streams));
        Ok((Self { config, streams, problems }, faults))
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

fn sources(arriving: &BTreeMap<String, Arriving>) -> Arrivals {
    let mut sources = Arrivals::new();
    for (name, Arriving { arrivals, .. }) in arriving {
        for arrival in arrivals.iter().flatten().flatten() {
            for source in std::iter::once(&arrival.rtp).chain(&arrival.rtcp) {
                sources.insert(source.socket(), name.clone());
            }
        }
    }
    sources
}

fn stream(
    config: &Config,
    folder: &Folder,
    sources: &Arrivals,
    name: &str,
    Arriving { session, arrivals }: Arriving,
    problems: &mut Vec<Problem>,
) -> Stream {
    let settings = settings(folder, name).unwrap_or_else(|wrong| {
        problems.extend(wrong);
        Settings::default()
    });
    let rtcp = settings.rtcp.unwrap_or(config.rtcp);
    let title = settings.title.as_deref().map(str::trim).filter(|title| !title.is_empty());
    let title = title.or_else(|| session.title()).map(str::to_owned);
    let mut consents = BTreeMap::new();
    let consenting = folder.streams.get(name).into_iter().flatten();
    for edge in consenting {
        let file = folder.consent_file(name, edge);
        let read = Session::read(&file).inspect_err(|problem| problems.push(problem.clone()));
        let Some(edge) = config.edges.iter().find(|known| known.name == *edge) else { continue };
        let route = read.and_then(|consent| {
            let arrivals = arrivals.as_ref().map_err(Clone::clone)?;
            let consent = Consented { file: &file, session: &consent, address: edge.address, rtcp };
            let pairs = fit::pairs(&session, arrivals, consent, problems);
            let route = pairs.map(|pairs| Route {
                stream: name.to_owned(),
                edge: edge.name.clone(),
                pairs,
            });
            route
                .and_then(|route| no_circle(&file, route, sources))
                .inspect_err(|problem| problems.push(problem.clone()))
        });
        consents.insert(edge.name.clone(), route.map_err(|p| Refusal::Unfit(p.brief())));
    }
    let rules = settings.shutdown.change(config.rules);
    Stream { name: name.to_owned(), title, session, rules, rtcp, consents }
}

fn settings(folder: &Folder, name: &str) -> Result<Settings, Vec<Problem>> {
    if !folder.settings.contains(name) {
        return Ok(Settings::default());
    }
    let path = folder.file(name, "toml");
    let bytes = file::read(&path).map_err(|problem| vec![problem])?;
    let text = String::from_utf8(bytes).map_err(|_| vec![Problem::error(&path, "is not UTF-8")])?;
    let problem = |Fault { line, column, what }: Fault| {
        Problem::error(&path, format!("column {column}: {what}")).at(line)
    };
    let table = toml_file::parse(&text).map_err(|fault| vec![problem(fault)])?;
    match toml_file::salvage(&text, table) {
        (settings, faults) if faults.is_empty() => Ok(settings),
        (_, faults) => Err(faults.into_iter().map(problem).collect()),
    }
}

/// Refuses a route that ends where a stream arrives: its packets would go round for ever.
fn no_circle(file: &Path, route: Route, sources: &Arrivals) -> Result<Route, Problem> {
    let circle = route.paths().find_map(|path| Some((path.target, sources.get(&path.target)?)));
    match circle {
        None => Ok(route),
        Some((target, stream)) => {
            let what = format!("sends to {target}, where {stream} arrives: packets would go round");
            Err(Problem::error(file, what))
        }
    }
}

/// Warns of two streams that are sent to one port, most often by a copied file.
fn shared_ports(folder: &Folder, streams: &BTreeMap<String, Stream>) -> Vec<Problem> {
    let mut takers: HashMap<SocketAddr, PathBuf> = HashMap::new();
    let mut problems = Vec::new();
    for route in streams.values().flat_map(Stream::routes) {
        let file = folder.consent_file(&route.stream, &route.edge);
        let shared = route.pairs.iter().find_map(|pair| {
            let taker = takers.entry(pair.rtp.target).or_insert_with(|| file.clone());
            (*taker != file).then(|| (pair.rtp.target, taker.clone()))
        });
        if let Some((target, taker)) = shared {
            let taker = taker.file_name().unwrap_or_default().to_string_lossy();
            let what = format!("sends to {target}, as {taker} does: both streams would mix there");
            problems.push(Problem::warning(file, what));
        }
    }
    problems
}
