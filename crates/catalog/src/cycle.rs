//! Streams that would feed themselves, directly or through other streams of this host.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;

use crate::folder::Folder;
use crate::problem::Problem;
use crate::replica::{Replica, Run};
use crate::route::{Path, Refusal, Route};
use crate::stream::Stream;

/// Which streams arrive where, and where each is sent.
#[derive(Debug, Default)]
struct Graph {
    arriving: HashMap<SocketAddr, BTreeSet<String>>,
    leaving: BTreeMap<String, BTreeSet<SocketAddr>>,
}

/// Takes away every route and replica that would bring a stream back to where it arrives, and every
/// route to where another stream arrives, since both would mix there. (A replica may well be
/// another stream's source.)
pub(crate) fn refuse(streams: &mut BTreeMap<String, Stream>, folder: &Folder) -> Vec<Problem> {
    let graph = Graph::of(streams.values());
    let mut problems = Vec::new();
    for (name, stream) in streams {
        for (edge, consent) in &mut stream.consents {
            let Ok(route) = consent else { continue };
            let why = graph.circle(name, route.paths()).or_else(|| graph.mixed(route));
            if let Some(why) = why {
                let problem = Problem::error(folder.consent_file(name, edge), why);
                *consent = Err(Refusal::Unfit(problem.brief()));
                problems.push(problem);
            }
        }
        stream.replicas.retain(|replica| {
            // What another program sends to where the stream arrives is just how it comes there.
            let ours = replica.paths().filter(|_| replica.run != Run::Elsewhere);
            let circle = graph.circle(name, ours);
            let problem = circle
                .map(|why| Problem::error(folder.file(name, "toml"), format!("[replica] {why}")));
            let good = problem.is_none();
            problems.extend(problem);
            good
        });
    }
    problems
}

impl Graph {
    fn of<'a>(streams: impl Iterator<Item = &'a Stream>) -> Self {
        let mut graph = Self::default();
        for stream in streams {
            let arrivals = stream.arrivals.iter().flatten().flatten();
            let own = arrivals.flat_map(|one| std::iter::once(&one.rtp).chain(&one.rtcp));
            let elsewhere = |replica: &&Replica| replica.run == Run::Elsewhere;
            // Where another program takes the encoder's packets, and makes the stream of them.
            let theirs = stream.replicas.iter().filter(elsewhere).flat_map(Replica::paths);
            for source in own.chain(theirs.map(|path| &path.source)) {
                graph.arriving.entry(source.socket()).or_default().insert(stream.name.clone());
            }
            let ours = stream.replicas.iter().filter(|replica| !elsewhere(replica));
            let paths = stream.routes().flat_map(Route::paths).chain(ours.flat_map(Replica::paths));
            graph.leaving.insert(stream.name.clone(), paths.map(|path| path.target).collect());
        }
        graph
    }

    /// What is wrong with these paths of a stream, if one of them leads back to it.
    fn circle<'a>(
        &self,
        stream: &str,
        mut paths: impl Iterator<Item = &'a Path>,
    ) -> Option<String> {
        let way = paths.find_map(|path| self.way_back(stream, path.target))?;
        Some(format!("brings {stream} back to itself: {way}; its packets would go round for ever"))
    }

    /// What is wrong with a route, if it leads to where any stream arrives.
    fn mixed(&self, route: &Route) -> Option<String> {
        route.paths().find_map(|path| {
            let (target, other) = (path.target, self.arriving.get(&path.target)?.first()?);
            Some(format!("sends to {target}, where {other} arrives: both would mix there"))
        })
    }

    /// The shortest way from a stream by this target back to it, such as
    /// `news → 239.1.1.1:5004 → sport → 192.0.2.1:6000 → news`.
    fn way_back(&self, stream: &str, target: SocketAddr) -> Option<String> {
        let mut ways = VecDeque::from([(format!("{stream} → {target}"), target)]);
        let mut seen = BTreeSet::from([target]);
        while let Some((way, at)) = ways.pop_front() {
            let Some(fed) = self.arriving.get(&at) else { continue };
            if fed.contains(stream) {
                return Some(format!("{way} → {stream}"));
            }
            for next in fed {
                for target in self.leaving.get(next).into_iter().flatten() {
                    if seen.insert(*target) {
                        ways.push_back((format!("{way} → {next} → {target}"), *target));
                    }
                }
            }
        }
        None
    }
}
