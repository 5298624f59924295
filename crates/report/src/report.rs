//! The report: the sums of an analysis by stream, edge, relay, day and network.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use crate::analysis::{Analysis, Broken};
use crate::batch::Lines;
use crate::edge::{Counts, Edge, Relay};
use crate::network::{Network, Networks};
use crate::sums::{OTHERS, Totals};
use crate::time::{DAY, MAX_SECONDS, MICROS, date};

/// Up to so many days, also days without any event are listed.
const MAX_DAYS: u64 = 3660;

/// A report on logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// When dynrelayd's logs begin, in seconds since 1970; none without such logs in the filter's time.
    pub from: Option<u64>,
    /// When they end.
    pub until: Option<u64>,
    /// The sums of everything.
    pub total: Row,
    /// Streams, by name.
    pub streams: Vec<Row>,
    /// Edges, by name.
    pub edges: Vec<Row>,
    /// Relays `STREAM/EDGE`, by name.
    pub relays: Vec<Row>,
    /// Days of UTC in order, as `2026-11-22`.
    pub days: Vec<Row>,
    /// Networks of viewers, the busiest first.
    pub networks: Vec<Row>,
    /// How many relays closed for which reason.
    pub reasons: BTreeMap<String, u64>,
    /// How many viewers were turned away for which reason.
    pub turned_away: BTreeMap<String, u64>,
    /// How many sessions ended with which RTSP status.
    pub statuses: BTreeMap<String, u64>,
    /// Relays that still ran when the logs ended.
    pub running: u64,
    /// How many lines of which kind were read.
    pub lines: Lines,
    /// The first broken lines.
    pub broken: Vec<Broken>,
}

/// The sums of one stream, edge, day or network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The name of that stream, edge, day or network.
    pub name: String,
    /// The sums.
    #[serde(flatten)]
    pub totals: Totals,
    /// Bytes that permanent relays would have sent in addition.
    pub saved: u64,
}

/// The sums of one stream at one edge.
struct RelaySums {
    stream: String,
    edge: String,
    relay: Relay,
}

impl RelaySums {
    /// Since when it ran at the end of the logs, in seconds since 1970; none if it had closed.
    fn runs_since(&self, restarted: u64) -> Option<u64> {
        let (opened, closed) = self.relay.last;
        (opened > closed && opened >= restarted).then_some(opened / MICROS)
    }

    /// How many bytes it sends in so many seconds, at its mean rate.
    fn sends(&self, seconds: u64) -> u64 {
        let (time, bytes) = self.relay.closed;
        let bytes = u128::from(bytes) * u128::from(seconds) / u128::from(time.max(1));
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

impl Report {
    /// Sums up an analysis.
    #[must_use]
    pub fn of(from: &Analysis) -> Self {
        let mut report = Self { lines: from.lines, broken: from.broken.clone(), ..Self::default() };
        let window = from.period.map(|(first, last)| from.filter.clip((first, last + 1)));
        let window = window.filter(|(from, until)| from < until);
        (report.from, report.until) = window.unzip();

        let mut tables = Tables::default();
        tables.take_networks(&from.networks);
        for (name, edge) in from.wanted_edges() {
            tables.take(&name, edge);
            add_counts(&mut report.reasons, &edge.reasons);
            add_counts(&mut report.statuses, &edge.statuses);
        }
        // Viewers who were turned away were sent to no edge.
        if from.filter.edge.is_none() {
            add_counts(&mut report.turned_away, &from.turned_away);
        }
        let closed_until = from.period.map_or(0, |(_, last)| last);
        report.fill(from, tables, window, closed_until);
        report
    }

    fn fill(&mut self, from: &Analysis, mut tables: Tables, window: Option<(u64, u64)>, end: u64) {
        let period = window.map_or(0, |(from, until)| until - from);
        let (mut streams, mut edges) = (BTreeMap::new(), BTreeMap::new());
        let mut relays = Vec::new();
        for ((stream, edge), relay) in std::mem::take(&mut tables.relays) {
            let mut sums = RelaySums { stream, edge, relay };
            if let Some(since) = sums.runs_since(from.restarted) {
                self.running += 1;
                let since = since.max(end.saturating_sub(MAX_SECONDS));
                from.filter.spread((since, end + 1), [0], |day, relayed, _| {
                    let part = Totals { relayed, ..Totals::default() };
                    sums.relay.totals += part;
                    let row = tables.days.entry(Some(day)).or_default();
                    row.totals += part;
                    row.saved = row.saved.saturating_add(sums.sends(relayed));
                });
            }
            relays.push(sums);
        }
        for sums in &relays {
            let totals = sums.relay.totals;
            if totals == Totals::default() && sums.relay.closed == (0, 0) {
                continue;
            }
            let saved = sums.sends(period.saturating_sub(totals.relayed));
            for row in [
                streams.entry(sums.stream.clone()).or_default(),
                edges.entry(sums.edge.clone()).or_default(),
                &mut self.total,
            ] {
                add(row, totals, saved);
            }
            let name = format!("{}/{}", sums.stream, sums.edge);
            self.relays.push(Row { name, totals, saved });
        }
        self.streams = rows(streams);
        self.edges = rows(edges);
        self.days = days(tables.days, &relays, window);
        self.networks = networks(tables.networks);
    }
}

impl Analysis {
    /// The edges that the filter covers, by name. Two may have the same name: dynrelayd's sums of an
    /// edge, and those of its own log.
    fn wanted_edges(&self) -> Vec<(String, &Edge)> {
        let mut edges = Vec::new();
        let mut wanted = BTreeSet::new();
        for (key, edge) in &self.edges {
            let (key, alias) = (text(key), text(&edge.alias));
            let name = match self.names.get(key.as_bytes()) {
                Some(name) => text(name),
                None if alias.is_empty() => key.clone(),
                None => alias.clone(),
            };
            if self.filter.edge.as_ref().is_none_or(|edge| [&key, &alias, &name].contains(&edge)) {
                wanted.insert(name.clone());
            }
            edges.push((name, edge));
        }
        edges.retain(|(name, _)| wanted.contains(name));
        edges
    }
}

/// The sums of all covered edges.
#[derive(Default)]
struct Tables {
    relays: BTreeMap<(String, String), Relay>,
    /// None stands for days beyond the limit.
    days: BTreeMap<Option<u64>, Row>,
    networks: HashMap<Option<Network>, Totals>,
}

impl Tables {
    fn take(&mut self, name: &str, edge: &Edge) {
        let others = || text(OTHERS);
        for (stream, relay) in edge.relays.iter() {
            let stream = stream.map_or_else(others, |stream| text(stream));
            let sum = self.relays.entry((stream, name.to_owned())).or_default();
            sum.totals += relay.totals;
            sum.closed.0 = sum.closed.0.saturating_add(relay.closed.0);
            sum.closed.1 = sum.closed.1.saturating_add(relay.closed.1);
            sum.last = (sum.last.0.max(relay.last.0), sum.last.1.max(relay.last.1));
        }
        for (day, totals) in edge.days.iter() {
            self.days.entry(day.map(|day| day.0)).or_default().totals += *totals;
        }
        self.take_networks(&edge.networks);
    }

    fn take_networks(&mut self, networks: &Networks) {
        for (network, totals) in networks.iter() {
            *self.networks.entry(network).or_default() += totals;
        }
    }
}

/// The networks of viewers, the busiest first.
fn networks(sums: HashMap<Option<Network>, Totals>) -> Vec<Row> {
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.retain(|(_, totals)| *totals != Totals::default());
    let weight = |totals: &Totals| (totals.watched, totals.sessions, totals.starts);
    sums.sort_unstable_by_key(|(network, totals)| (Reverse(weight(totals)), *network));
    let name = |network: Option<Network>| {
        network.map_or_else(|| text(OTHERS), |network| network.to_string())
    };
    let row = |(network, totals)| Row { name: name(network), totals, saved: 0 };
    sums.into_iter().map(row).collect()
}

/// Each day, with the bytes that permanent relays would have sent in addition. Days without any event
/// are among them, so that a plot has no gaps.
fn days(
    mut days: BTreeMap<Option<u64>, Row>,
    relays: &[RelaySums],
    window: Option<(u64, u64)>,
) -> Vec<Row> {
    let others = days.remove(&None).filter(|row| row.totals != Totals::default());
    let (from, until) = window.unwrap_or((0, 0));
    let of_window = window.iter().flat_map(|(from, until)| [from / DAY, (until - 1) / DAY]);
    let known: BTreeSet<u64> = days.keys().copied().flatten().chain(of_window).collect();
    let (first, last) = known.first().zip(known.last()).map_or((1, 0), |(a, b)| (*a, *b));
    let all: Vec<u64> = if last.saturating_sub(first) < MAX_DAYS {
        (first..=last).collect()
    } else {
        known.into_iter().collect()
    };
    let mut rows = Vec::new();
    for day in all {
        let row = days.remove(&Some(day)).unwrap_or_default();
        let seconds = until.min((day + 1) * DAY).saturating_sub(from.max(day * DAY));
        let sent = relays.iter().map(|sums| sums.sends(seconds));
        // `saved` holds the bytes of relays that still ran at the end.
        let spent = row.totals.sent.saturating_add(row.saved);
        let saved = sent.fold(0, u64::saturating_add).saturating_sub(spent);
        rows.push(Row { name: date(day), totals: row.totals, saved });
    }
    rows.extend(others.map(|row| Row { name: text(OTHERS), ..row }));
    rows
}

fn add(row: &mut Row, totals: Totals, saved: u64) {
    row.totals += totals;
    row.saved = row.saved.saturating_add(saved);
}

fn rows(named: BTreeMap<String, Row>) -> Vec<Row> {
    named.into_iter().map(|(name, row)| Row { name, ..row }).collect()
}

fn add_counts(sums: &mut BTreeMap<String, u64>, counts: &Counts) {
    for (name, count) in counts {
        let sum = sums.entry(text(name)).or_default();
        *sum = sum.saturating_add(*count);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, Read, Write};
    use std::num::NonZeroUsize;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::chunk::MAX_LINE;
    use crate::edge::Limits;
    use crate::filter::Filter;
    use crate::parallel::Reading;

    /// The report on a log. Limits are so low that the order of names matters.
    fn report(log: impl Read + Send, threads: usize, step: usize) -> Report {
        let mut analysis = Analysis::new(Filter::default());
        analysis.limits = Limits { edges: 3, streams: 4, days: 3, networks: 3 };
        let threads = NonZeroUsize::new(threads).unwrap();
        analysis.read_with(Reading { threads, step }, "log", log).unwrap();
        Report::of(&analysis)
    }

    /// Lines of all kinds. The same session has another meaning after another header.
    fn line() -> impl Strategy<Value = String> {
        let name = || select(vec!["a", "b", "c", "d", "e"]);
        let day = || 10..30_u8;
        let header = select(vec![
            "#Fields: date time c-ip cs-uri-stem x-duration sc-bytes s-ip s-dns",
            "#Fields: date time c-ip cs-uri-stem sc-bytes x-duration s-dns s-ip",
            "#Fields: date",
            "#Date: 2024-07-10",
        ]);
        let session = (day(), 0..9_u8, name(), 0..200_000_u64, name()).prop_map(
            |(day, net, stream, much, edge)| {
                format!("2024-07-{day} 12:00:00 10.0.{net}.1 /{stream} {much} 7 {edge}.test {edge}")
            },
        );
        let entry =
            (day(), 0..9_u8, name(), name(), select(vec!["up", "start", "opened", "closed"]));
        let entry = entry.prop_map(|(day, net, stream, edge, event)| {
        format!(
            r#"{{"time":"2024-07-{day}T12:00:00Z","event":"{event}","stream":"{stream}","edge":"{edge}","address":"{net}","client":"10.0.{net}.1","seconds":{net}00,"bytes":99}}"#
        )
    });
        let other =
            select(vec!["", "noise", "{\"event\":\"closed\"}", "{\"MESSAGE\":\"sshd\"}", "{"]);
        prop_oneof![
            1 => header.prop_map(str::to_owned),
            4 => session,
            4 => entry,
            1 => other.prop_map(str::to_owned),
        ]
    }

    proptest! {
        #[test]
        fn threads_and_cuts_make_no_difference(
            lines in proptest::collection::vec(line(), 0..60),
            end in select(vec!["\n", "\r\n"]),
            threads in 2..5_usize,
            step in 1..600_usize,
        ) {
            let log = lines.join(end);
            let wanted = report(Cursor::new(&log), 1, MAX_LINE);
            prop_assert_eq!(&report(Cursor::new(&log), threads, step), &wanted);
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(log.as_bytes()).unwrap();
            prop_assert_eq!(&report(&packed.finish().unwrap()[..], threads, step), &wanted);
        }
    }

    /// A reader that fails at the end.
    struct Torn(Cursor<Vec<u8>>);

    impl Read for Torn {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::other("torn")),
                count => Ok(count),
            }
        }
    }

    #[test]
    fn lines_before_an_error_are_added() {
        let log =
            b"#Fields: date time cs-uri-stem x-duration sc-bytes\n2024-07-10 12:00:00 /a 1 1\n";
        let log = [&log[..], &b"2024-07-10 12:00:00 /a 1 1\n".repeat(99)].concat();
        let mut analysis = Analysis::new(Filter::default());
        let reading = Reading { threads: NonZeroUsize::new(3).unwrap(), step: 100 };
        let error = analysis.read_with(reading, "log", Torn(Cursor::new(log))).unwrap_err();
        assert_eq!(error.to_string(), "torn");
        assert_eq!(analysis.lines.sessions, 100);
    }
}
