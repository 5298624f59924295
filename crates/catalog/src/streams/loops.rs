//! Finds streams that would feed themselves, directly or through other streams, and streams that would
//! mix at one port.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::arrival::Arrival;
use super::folder::Folder;
use super::replica::{Place, Replica, Run};
use super::route::Route;
use super::rtsp_identity::RtspIdentity;
use super::stream::Stream;
use crate::config::Config;
use crate::problem::Problem;

/// A place where another stream can take a stream's packets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    /// A port that they are sent to.
    Port(SocketAddr),
    /// The server that they are sent to.
    Server(RtspIdentity),
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(socket) => socket.fmt(f),
            Self::Server(stream) => stream.fmt(f),
        }
    }
}

/// The streams and where they arrive. A stream is named by its index.
struct Graph<'a> {
    config: &'a Config,
    streams: &'a [Stream],
    /// Sorted.
    arriving: Vec<(Point, usize)>,
    /// Whether any stream is pulled; if none is, servers feed nothing.
    pulls: bool,
}

/// A route or a replica that must not be used.
enum Refused {
    Route { stream: usize, edge: usize },
    Replica { stream: usize, replica: usize },
}

/// Removes every route and replica that would bring a stream back to where it arrives, or to the
/// server that it is pulled from; and every route to where another stream arrives, because both would
/// mix there. (A replica may well be another stream's source.)
pub(crate) fn refuse(streams: &mut [Stream], config: &Config, folder: &Folder) -> Vec<Problem> {
    let refused = Graph::of(streams, config).refused(folder);
    // From the last to the first, so that the indices of replicas stay right.
    for (refused, problem) in refused.iter().rev() {
        match *refused {
            Refused::Route { stream, edge } => {
                streams[stream].consents[edge].1 = Err(problem.brief().into());
            }
            Refused::Replica { stream, replica } => {
                let mut replicas = std::mem::take(&mut streams[stream].replicas).into_vec();
                replicas.remove(replica);
                streams[stream].replicas = replicas.into();
            }
        }
    }
    note_fed(streams, config);
    refused.into_iter().map(|(_, problem)| problem).collect()
}

/// Tells each pulled stream's source which servers get the stream from this origin.
fn note_fed(streams: &mut [Stream], config: &Config) {
    if streams.iter().all(|stream| stream.source.is_none()) {
        return;
    }
    let graph = Graph::of(streams, config);
    let pulled = (0..streams.len()).filter(|stream| streams[*stream].source.is_some());
    let fed: Vec<(usize, Box<[RtspIdentity]>)> =
        pulled.map(|stream| (stream, graph.fed_by(stream))).collect();
    for (stream, fed) in fed {
        let source = streams[stream].source.take();
        streams[stream].source = source.map(|source| source.feeding(fed));
    }
}

/// Warns of two streams that are sent to one port, most often because a file was copied.
pub(crate) fn shared_ports(folder: &Folder, streams: &[Stream]) -> Vec<Problem> {
    let mut takers: HashMap<SocketAddr, (&str, Option<&str>)> = HashMap::new();
    let mut problems = Vec::new();
    let file = |(stream, edge): (&str, Option<&str>)| match edge {
        Some(edge) => folder.consent_file(stream, edge),
        None => folder.file(stream, "toml"),
    };
    let mut check = |own, targets: &mut dyn Iterator<Item = SocketAddr>| {
        let other = |target| (target, *takers.entry(target).or_insert(own));
        if let Some((target, taker)) = targets.map(other).find(|(_, taker)| *taker != own) {
            let taker: PathBuf = file(taker);
            let taker = taker.file_name().unwrap_or_default().to_string_lossy();
            let what = format!("sends to {target}, as {taker} does: both streams would mix there");
            problems.push(Problem::warning(file(own), what));
        }
    };
    for stream in streams {
        for route in stream.routes() {
            let own = (stream.name.as_str(), Some(route.edge.as_str()));
            check(own, &mut route.pairs.iter().map(|pair| pair.rtp.target));
        }
        for replica in &stream.replicas {
            check((&stream.name, None), &mut replica.targets());
        }
    }
    problems
}

fn is_elsewhere(replica: &&Replica) -> bool {
    replica.run == Run::Elsewhere
}

/// A stream at the server on the origin host, by both names of the host.
fn here(stream: RtspIdentity) -> [Point; 2] {
    [stream.on(Ipv4Addr::LOCALHOST.into()), stream].map(Point::Server)
}

impl<'a> Graph<'a> {
    fn of(streams: &'a [Stream], config: &'a Config) -> Self {
        let mut arriving = Vec::new();
        for (index, stream) in streams.iter().enumerate() {
            let own = stream.arrivals.iter().flatten().flatten();
            let own = own.flat_map(Arrival::sources);
            // Where another program takes the encoder's packets, and makes the stream from them.
            let theirs = stream.replicas.iter().filter(is_elsewhere).flat_map(Replica::paths);
            let sources = own.chain(theirs.map(|path| &path.source));
            let ports = sources.map(|source| Point::Port(source.socket()));
            let pull = stream.source.iter();
            let servers = pull.map(|pull| Point::Server(RtspIdentity::of(pull.url())));
            arriving.extend(ports.chain(servers).map(|point| (point, index)));
        }
        arriving.sort();
        arriving.dedup();
        let pulls = streams.iter().any(|stream| stream.source.is_some());
        Self { config, streams, arriving, pulls }
    }

    /// The streams that arrive at a point.
    fn arriving_at(&self, point: &Point) -> impl Iterator<Item = usize> {
        let start = self.arriving.partition_point(|(other, _)| other < point);
        let at = self.arriving[start..].iter();
        at.take_while(move |(other, _)| other == point).map(|(_, stream)| *stream)
    }

    /// The routes and replicas that must not be used, with the reason, by stream.
    fn refused(&self, folder: &Folder) -> Vec<(Refused, Problem)> {
        let mut refused = Vec::new();
        for (index, stream) in self.streams.iter().enumerate() {
            for (edge, (name, consent)) in stream.consents.iter().enumerate() {
                let Ok(route) = consent else { continue };
                let loops = self.loops(index, self.by_route(route));
                if let Some(why) = loops.or_else(|| self.mixes(route)) {
                    let file = folder.consent_file(&stream.name, name);
                    let route = Refused::Route { stream: index, edge };
                    refused.push((route, Problem::error(file, why)));
                }
            }
            // A replica that another program sends to where the stream arrives is how it arrives.
            let replicas = stream.replicas.iter().enumerate();
            for (number, replica) in replicas.filter(|(_, replica)| !is_elsewhere(replica)) {
                if let Some(why) = self.loops(index, self.by_replica(&stream.name, replica)) {
                    let file = folder.file(&stream.name, "toml");
                    let problem = Problem::error(file, format!("[replica] {why}"));
                    refused.push((Refused::Replica { stream: index, replica: number }, problem));
                }
            }
        }
        refused
    }

    /// Where a route's packets can be taken: at the edge's ports, and from the edge.
    fn by_route(&self, route: &Route) -> Vec<Point> {
        let mut points: Vec<Point> = route.paths().map(|path| Point::Port(path.target)).collect();
        let mut edges = self.config.edges.iter().filter(|_| self.pulls);
        if let Some(edge) = edges.find(|edge| edge.name == route.edge) {
            let stream = RtspIdentity::of(&edge.viewer_url(&route.stream));
            points.extend([stream.on(edge.address), stream].map(Point::Server));
        }
        points
    }

    /// Where a replica's packets can be taken: at its ports, and from the server that has these.
    fn by_replica(&self, stream: &str, replica: &Replica) -> Vec<Point> {
        let mut points: Vec<Point> = replica.paths().map(|path| Point::Port(path.target)).collect();
        if replica.place == Place::Dss
            && let Some(url) = self.config.origin.viewer_url(stream)
        {
            let stream = RtspIdentity::of(&url);
            points.extend(replica.targets().map(|target| Point::Server(stream.on(target.ip()))));
            points.extend(here(stream));
        }
        points
    }

    /// Where the streaming server on the origin host serves a stream that arrives in a group.
    fn by_group(&self, stream: &Stream) -> Option<[Point; 2]> {
        let url = self.config.origin.viewer_url(&stream.name)?;
        let mut arrivals = stream.arrivals.iter().flatten().flatten();
        arrivals.any(|one| one.rtp.address.is_multicast()).then(|| here(RtspIdentity::of(&url)))
    }

    /// Every point that a stream goes to, in order.
    fn leaving(&self, stream: usize) -> BTreeSet<Point> {
        let stream = &self.streams[stream];
        let routes = stream.routes().flat_map(|route| self.by_route(route));
        let replicas = stream.replicas.iter().filter(|replica| !is_elsewhere(replica));
        let replicas = replicas.flat_map(|replica| self.by_replica(&stream.name, replica));
        routes.chain(replicas).chain(self.by_group(stream).into_iter().flatten()).collect()
    }

    /// Why a stream must not be sent to these points: one of them leads back to it.
    fn loops(&self, stream: usize, points: Vec<Point>) -> Option<String> {
        let way = points.into_iter().find_map(|point| self.way_back(stream, point))?;
        let name = &self.streams[stream].name;
        Some(format!("brings {name} back to itself: {way}; its packets would go round for ever"))
    }

    /// Why a route must not be used: it leads to where a stream arrives.
    fn mixes(&self, route: &Route) -> Option<String> {
        route.paths().find_map(|path| {
            let target = path.target;
            let other = &self.streams[self.arriving_at(&Point::Port(target)).next()?].name;
            Some(format!("sends to {target}, where {other} arrives: both would mix there"))
        })
    }

    /// The servers that get a stream from this origin, directly or through another stream.
    fn fed_by(&self, stream: usize) -> Box<[RtspIdentity]> {
        let (mut servers, mut seen) = (BTreeSet::new(), BTreeSet::from([stream]));
        let mut next = vec![stream];
        while let Some(stream) = next.pop() {
            for point in self.leaving(stream) {
                next.extend(self.arriving_at(&point).filter(|stream| seen.insert(*stream)));
                if let Point::Server(stream) = point {
                    servers.insert(stream);
                }
            }
        }
        servers.into_iter().collect()
    }

    /// The shortest way from a stream by this point back to it, such as
    /// `news → 239.1.1.1:5004 → sport → rtsp://dss2/sport.sdp → news`.
    fn way_back(&self, stream: usize, point: Point) -> Option<String> {
        // Most points feed nothing.
        self.arriving_at(&point).next()?;
        let name = |stream: usize| &self.streams[stream].name;
        let mut seen = BTreeSet::from([point.clone()]);
        let mut ways = VecDeque::from([(format!("{} → {point}", name(stream)), point)]);
        while let Some((way, at)) = ways.pop_front() {
            if self.arriving_at(&at).any(|fed| fed == stream) {
                return Some(format!("{way} → {}", name(stream)));
            }
            for next in self.arriving_at(&at) {
                for point in self.leaving(next) {
                    if seen.insert(point.clone()) {
                        ways.push_back((format!("{way} → {} → {point}", name(next)), point));
                    }
                }
            }
        }
        None
    }
}
