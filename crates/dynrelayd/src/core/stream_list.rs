//! The answer to `streams`. A large catalogue takes a while to list, so the caller's own thread does
//! that, when it writes the answer.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use catalog::{Catalog, Replica, Run, Stream};
use control::{Origin, OriginKind, Page, ReplicaStatus, StreamList, StreamStatus};
use model::SourceState;
use serde::{Serialize, Serializer};

/// Streams on a page, as the viewers' page shows them.
const PAGE: usize = 50;

/// A caller's choice of streams.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StreamChoice {
    /// The number of the page, from 1; none: every stream.
    pub(crate) page: Option<usize>,
    /// Of a page: text that the name or the title contains, in any case.
    pub(crate) search: String,
}

/// The chosen streams of a catalogue. Clones share the finished list.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    catalog: Arc<Catalog>,
    /// By name, those of which there is more to say than what the catalogue has.
    active: Arc<BTreeMap<String, StreamStatus>>,
    choice: StreamChoice,
    made: Arc<OnceLock<StreamList>>,
}

impl Streams {
    /// These streams, which nobody has listed yet.
    pub(crate) fn new(
        catalog: Arc<Catalog>,
        active: BTreeMap<String, StreamStatus>,
        choice: StreamChoice,
    ) -> Self {
        Self { catalog, active: Arc::new(active), choice, made: Arc::default() }
    }

    /// The caller's choice.
    pub(crate) fn choice(&self) -> &StreamChoice {
        &self.choice
    }

    /// The streams of the page, and where the page stands. The stream with exactly the name that
    /// the caller searches comes first, then those on air; those off air come last.
    pub(crate) fn pick(&self) -> (Vec<&Stream>, Option<Page>) {
        let streams = self.catalog.streams();
        let Some(number) = self.choice.page else { return (streams.collect(), None) };
        let search = self.choice.search.to_lowercase();
        let contains = |text: &str| text.to_lowercase().contains(&search);
        let matches = |stream: &&Stream| {
            contains(&stream.name) || stream.title.as_deref().is_some_and(contains)
        };
        let mut found: Vec<&Stream> = streams.filter(matches).collect();
        found.sort_by_key(|stream| {
            match self.active.get(&stream.name).and_then(|active| active.on_air) {
                _ if stream.name == self.choice.search => 0,
                Some(true) => 1,
                None => 2,
                Some(false) => 3,
            }
        });
        let (matches, pages) = (found.len(), found.len().div_ceil(PAGE).max(1));
        let number = number.clamp(1, pages);
        let shown = found.into_iter().skip((number - 1) * PAGE).take(PAGE);
        (shown.collect(), Some(Page { number, pages, matches }))
    }

    fn list(&self) -> StreamList {
        let status = |stream: &Stream| match self.active.get(&stream.name) {
            Some(active) => active.clone(),
            None => idle(stream),
        };
        let (streams, page) = self.pick();
        StreamList { streams: streams.into_iter().map(status).collect(), page }
    }
}

impl Serialize for Streams {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.made.get_or_init(|| self.list()).serialize(to)
    }
}

/// A stream that nobody needs.
pub(crate) fn idle(stream: &Stream) -> StreamStatus {
    let origin = Origin {
        kind: kind(stream),
        state: SourceState::Idle,
        detail: stream.source.as_ref().map(ToString::to_string),
        replicas: stream.replicas.iter().map(idle_replica).collect(),
    };
    StreamStatus {
        name: stream.name.clone(),
        title: stream.title.clone(),
        media: stream.labels().collect(),
        edges: stream.edges().map(str::to_owned).collect(),
        relayed_to: Vec::new(),
        on_air: None,
        origin: Some(origin),
    }
}

/// A replica that does not run.
pub(crate) fn idle_replica(plan: &Replica) -> ReplicaStatus {
    ReplicaStatus {
        to: plan.targets().collect(),
        state: match plan.run {
            Run::Elsewhere => SourceState::Elsewhere,
            Run::Always | Run::OnDemand => SourceState::Idle,
        },
        since: 0,
        detail: None,
        packets: 0,
        bytes: 0,
        lost: 0,
    }
}

/// How a stream comes to this host.
pub(crate) fn kind(stream: &Stream) -> OriginKind {
    if stream.source.is_some() {
        return OriginKind::Rtsp;
    }
    let elsewhere = stream.replicas.iter().any(|replica| replica.run == Run::Elsewhere);
    let sources = stream.sources().unwrap_or_default();
    let multicast = sources.iter().flatten().any(|source| source.address.is_multicast());
    if multicast && !elsewhere { OriginKind::Multicast } else { OriginKind::Unicast }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn a_page_has_the_exact_name_first_and_then_what_is_on_air() {
        let sdp = |port: u16| testing::sdp("239.1.1.1", 5000 + 2 * port);
        let files: Vec<_> = (0..120).map(|n| (format!("s{n:03}.sdp"), sdp(n))).collect();
        let catalog = testing::catalog(&testing::edge("dss2", "198.51.100.7", ""), &files);
        let on_air = |name: &str, on_air| {
            let stream = catalog.stream(name).unwrap();
            (name.to_owned(), StreamStatus { on_air: Some(on_air), ..idle(stream) })
        };
        let page = |page, search: &str| {
            let active = BTreeMap::from([on_air("s119", true), on_air("s000", false)]);
            let choice = StreamChoice { page: Some(page), search: search.into() };
            let list = Streams::new(Arc::clone(&catalog), active, choice).list();
            let names = list.streams.into_iter().map(|stream| stream.name);
            (names.collect::<Vec<_>>(), list.page.unwrap())
        };
        let (names, at) = page(1, "");
        assert_eq!((names.len(), names[0].as_str(), names[1].as_str()), (50, "s119", "s001"));
        assert_eq!(at, Page { number: 1, pages: 3, matches: 120 });
        let (names, at) = page(9, "");
        assert_eq!((names.len(), names[19].as_str(), at.number), (20, "s000", 3));
        let (names, _) = page(1, "S11");
        assert_eq!((names.len(), names[0].as_str()), (10, "s119"));
        assert_eq!(page(1, "s005").0, ["s005"]);
        assert_eq!(page(1, "nothing").1, Page { number: 1, pages: 1, matches: 0 });
    }
}
