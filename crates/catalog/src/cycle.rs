//! Streams that would feed themselves, directly or through other streams of this host.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use crate::config::Config;
use crate::folder::Folder;
use crate::problem::Problem;
use crate::replica::{Place, Replica, Run};
use crate::route::{Refusal, Route};
use crate::stream::Stream;
use crate::watched::Watched;

/// Where a stream's packets can be had by another stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Point {
    /// At a port that they are sent to.
    Port(SocketAddr),
    /// From the server that they are sent to.
    Server(Watched),
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(socket) => socket.fmt(f),
            Self::Server(watched) => watched.fmt(f),
        }
    }
}

/// Which streams arrive where, and where each is sent.
#[derive(Debug, Default)]
struct Graph {
    arriving: HashMap<Point, BTreeSet<String>>,
    leaving: BTreeMap<String, BTreeSet<Point>>,
}

/// Takes away every route and replica that would bring a stream back to where it arrives, or to the
/// server that it is pulled from; and every route to where another stream arrives, since both would
/// mix there. (A replica may well be another stream's source.)
pub(crate) fn refuse(
    streams: &mut BTreeMap<String, Stream>,
    config: &Config,
    folder: &Folder,
) -> Vec<Problem> {
    let graph = Graph::of(streams.values(), config);
    let mut problems = Vec::new();
    for (name, stream) in streams {
        for (edge, consent) in &mut stream.consents {
            let Ok(route) = consent else { continue };
            let points = by_route(route, config);
            let why = graph.circle(name, points).or_else(|| graph.mixed(route));
            if let Some(why) = why {
                let problem = Problem::error(folder.consent_file(name, edge), why);
                *consent = Err(Refusal::Unfit(problem.brief()));
                problems.push(problem);
            }
        }
        stream.replicas.retain(|replica| {
            // What another program sends to where the stream arrives is just how it comes there.
            let ours = (replica.run != Run::Elsewhere).then(|| by_replica(name, replica, config));
            let circle = graph.circle(name, ours.unwrap_or_default());
            let problem = circle
                .map(|why| Problem::error(folder.file(name, "toml"), format!("[replica] {why}")));
            let good = problem.is_none();
            problems.extend(problem);
            good
        });
    }
    problems
}

/// Tells each stream's source which servers have the stream from here, with what was left of the ways.
pub(crate) fn note_fed(streams: &mut BTreeMap<String, Stream>, config: &Config) {
    let graph = Graph::of(streams.values(), config);
    for (name, stream) in streams {
        stream.source = stream.source.take().map(|source| source.feeding(graph.fed_by(name)));
    }
}

/// Where a route's packets can be had: at the edge's ports, and from the edge.
fn by_route(route: &Route, config: &Config) -> Vec<Point> {
    let mut points: Vec<Point> = route.paths().map(|path| Point::Port(path.target)).collect();
    if let Some(edge) = config.edges.iter().find(|edge| edge.name == route.edge) {
        let watched = Watched::at(&edge.viewer_url(&route.stream));
        points.extend([watched.on(edge.address), watched].map(Point::Server));
    }
    points
}

/// Where a replica's packets can be had: at its ports, and from the server that has these.
fn by_replica(stream: &str, replica: &Replica, config: &Config) -> Vec<Point> {
    let mut points: Vec<Point> = replica.paths().map(|path| Point::Port(path.target)).collect();
    if replica.place == Place::Dss
        && let Some(url) = config.origin.viewer_url(stream)
    {
        let watched = Watched::at(&url);
        points.extend(replica.targets().map(|target| Point::Server(watched.on(target.ip()))));
        points.extend(here(watched));
    }
    points
}

/// A stream at the server on the origin host, by both of its names.
fn here(watched: Watched) -> [Point; 2] {
    [watched.on(Ipv4Addr::LOCALHOST.into()), watched].map(Point::Server)
}

/// Where the streaming server on the origin host has a stream that it takes from a group.
fn by_group(stream: &Stream, config: &Config) -> Option<[Point; 2]> {
    let url = config.origin.viewer_url(&stream.name)?;
    let mut arrivals = stream.arrivals.iter().flatten().flatten();
    arrivals.any(|one| one.rtp.address.is_multicast()).then(|| here(Watched::at(&url)))
}

impl Graph {
    fn of<'a>(streams: impl Iterator<Item = &'a Stream>, config: &Config) -> Self {
        let mut graph = Self::default();
        for stream in streams {
            let arrivals = stream.arrivals.iter().flatten().flatten();
            let own = arrivals.flat_map(|one| std::iter::once(&one.rtp).chain(&one.rtcp));
            let elsewhere = |replica: &&Replica| replica.run == Run::Elsewhere;
            // Where another program takes the encoder's packets, and makes the stream of them.
            let theirs = stream.replicas.iter().filter(elsewhere).flat_map(Replica::paths);
            for source in own.chain(theirs.map(|path| &path.source)) {
                let point = Point::Port(source.socket());
                graph.arriving.entry(point).or_default().insert(stream.name.clone());
            }
            if let Some(source) = &stream.source {
                let point = Point::Server(Watched::at(source.url()));
                graph.arriving.entry(point).or_default().insert(stream.name.clone());
            }
            let ours = stream.replicas.iter().filter(|replica| !elsewhere(replica));
            let ours = ours.flat_map(|replica| by_replica(&stream.name, replica, config));
            let points = stream.routes().flat_map(|route| by_route(route, config)).chain(ours);
            let points = points.chain(by_group(stream, config).into_iter().flatten());
            graph.leaving.insert(stream.name.clone(), points.collect());
        }
        graph
    }

    /// What is wrong with sending a stream to these points, if one of them leads back to it.
    fn circle(&self, stream: &str, points: Vec<Point>) -> Option<String> {
        let way = points.into_iter().find_map(|point| self.way_back(stream, point))?;
        Some(format!("brings {stream} back to itself: {way}; its packets would go round for ever"))
    }

    /// What is wrong with a route, if it leads to where any stream arrives.
    fn mixed(&self, route: &Route) -> Option<String> {
        route.paths().find_map(|path| {
            let target = path.target;
            let other = self.arriving.get(&Point::Port(target))?.first()?;
            Some(format!("sends to {target}, where {other} arrives: both would mix there"))
        })
    }

    /// The servers that have a stream from here, or another that is made of it.
    fn fed_by(&self, stream: &str) -> BTreeSet<Watched> {
        let (mut servers, mut seen) = (BTreeSet::new(), BTreeSet::from([stream]));
        let mut next = vec![stream];
        while let Some(stream) = next.pop() {
            for point in self.leaving.get(stream).into_iter().flatten() {
                if let Point::Server(watched) = point {
                    servers.insert(watched.clone());
                }
                let fed = self.arriving.get(point).into_iter().flatten();
                next.extend(fed.map(String::as_str).filter(|name| seen.insert(name)));
            }
        }
        servers
    }

    /// The shortest way from a stream by this point back to it, such as
    /// `news → 239.1.1.1:5004 → sport → rtsp://dss2/sport.sdp → news`.
    fn way_back(&self, stream: &str, point: Point) -> Option<String> {
        let mut seen = BTreeSet::from([point.clone()]);
        let mut ways = VecDeque::from([(format!("{stream} → {point}"), point)]);
        while let Some((way, at)) = ways.pop_front() {
            let Some(fed) = self.arriving.get(&at) else { continue };
            if fed.contains(stream) {
                return Some(format!("{way} → {stream}"));
            }
            for next in fed {
                for point in self.leaving.get(next).into_iter().flatten() {
                    if seen.insert(point.clone()) {
                        ways.push_back((format!("{way} → {next} → {point}"), point.clone()));
                    }
                }
            }
        }
        None
    }
}
