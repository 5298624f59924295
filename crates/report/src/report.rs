//! The summary.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::AddAssign;

use serde::Serialize;

use crate::analysis::{Analysis, Broken, LONGEST};
use crate::edge::{Counts, Edge, Relay};
use crate::network::{Network, Networks};
use crate::time::{DAY, MICROS, date};
use crate::totals::Totals;

/// The name of what there was no room for to tell it apart.
pub(crate) const OTHERS: &[u8] = b"(others)";

/// Days without any event are listed too, unless there are more than this.
const DAYS: u64 = 3660;

/// What the logs say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// When dynrelayd's logs begin, in seconds since 1970; none if there are none in the window.
    pub from: Option<u64>,
    /// When they end.
    pub until: Option<u64>,
    /// Everything.
    pub total: Row,
    /// By name.
    pub streams: Vec<Row>,
    /// By name.
    pub edges: Vec<Row>,
    /// `STREAM/EDGE`, by name.
    pub relays: Vec<Row>,
    /// Days of UTC in order, as `2026-11-22`; for sessions, days as the server logs them.
    pub days: Vec<Row>,
    /// Viewers' networks, the busiest first.
    pub networks: Vec<Row>,
    /// How many relays closed for which reason.
    pub reasons: BTreeMap<String, u64>,
    /// How many viewers were turned away for which reason.
    pub turned_away: BTreeMap<String, u64>,
    /// How many sessions ended with which RTSP status.
    pub statuses: BTreeMap<String, u64>,
    /// Relays that had not closed when the log ended.
    pub running: u64,
    /// How many lines there were.
    pub lines: Lines,
    /// The first broken lines.
    pub broken: Vec<Broken>,
}

/// What lines were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lines {
    /// All.
    pub read: u64,
    /// dynrelayd's entries.
    pub entries: u64,
    /// Servers' sessions.
    pub sessions: u64,
    /// Headers, empty lines, other programs' entries.
    pub others: u64,
    /// Said nothing.
    pub broken: u64,
}

impl AddAssign for Lines {
    fn add_assign(&mut self, other: Self) {
        let Self { read, entries, sessions, others, broken } = other;
        self.read += read;
        self.entries += entries;
        self.sessions += sessions;
        self.others += others;
        self.broken += broken;
    }
}

/// The sums of one stream, edge, day or network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Whose.
    pub name: String,
    /// The sums.
    #[serde(flatten)]
    pub totals: Totals,
    /// Bytes that would have been sent too, had everything been relayed all the time.
    pub saved: u64,
}

/// A stream on its way to an edge.
struct Course {
    stream: String,
    edge: String,
    relay: Relay,
}

impl Course {
    /// Since when it runs at the end of the log, if it does.
    fn runs_since(&self, began: u64) -> Option<u64> {
        let (opened, closed) = self.relay.last;
        (opened > closed && opened >= began).then_some(opened / MICROS)
    }

    /// Bytes that it sends in so many seconds, if it is relayed.
    fn sends(&self, seconds: u64) -> u64 {
        let (time, bytes) = self.relay.closed;
        let bytes = u128::from(bytes) * u128::from(seconds) / u128::from(time.max(1));
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

impl Report {
    pub(crate) fn of(from: &Analysis) -> Self {
        let mut report = Self { lines: from.lines, broken: from.told.clone(), ..Self::default() };
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
        // Who was turned away was sent to no edge.
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
        // What all relays together send in a day, were they never closed.
        let mut courses = Vec::new();
        for ((stream, edge), relay) in std::mem::take(&mut tables.relays) {
            let mut course = Course { stream, edge, relay };
            if let Some(since) = course.runs_since(from.began) {
                self.running += 1;
                let since = since.max(end.saturating_sub(LONGEST));
                from.filter.spread((since, end + 1), [0], |day, relayed, _| {
                    let part = Totals { relayed, ..Totals::default() };
                    course.relay.totals += part;
                    let row = tables.days.entry(Some(day)).or_default();
                    row.totals += part;
                    row.saved = row.saved.saturating_add(course.sends(relayed));
                });
            }
            courses.push(course);
        }
        for course in &courses {
            let totals = course.relay.totals;
            if totals == Totals::default() && course.relay.closed == (0, 0) {
                continue;
            }
            let saved = course.sends(period.saturating_sub(totals.relayed));
            for row in [
                streams.entry(course.stream.clone()).or_default(),
                edges.entry(course.edge.clone()).or_default(),
                &mut self.total,
            ] {
                add(row, totals, saved);
            }
            let name = format!("{}/{}", course.stream, course.edge);
            self.relays.push(Row { name, totals, saved });
        }
        self.streams = rows(streams);
        self.edges = rows(edges);
        self.days = days(tables.days, &courses, window);
        self.networks = networks(tables.networks);
    }
}

impl Analysis {
    /// The edges that are reported on, by their names. Two may have the same: what is known of one
    /// from dynrelayd, and from its own log.
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

/// Sums by name, over the edges that are wanted.
#[derive(Default)]
struct Tables {
    relays: BTreeMap<(String, String), Relay>,
    /// None: those that could not be told apart.
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

/// The networks that viewers came from, the busiest first.
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

/// Each day with what it would have taken more to relay everything throughout it, as far as the
/// window has it. Days without any event are among them, so that a plot has no gaps.
fn days(
    mut days: BTreeMap<Option<u64>, Row>,
    courses: &[Course],
    window: Option<(u64, u64)>,
) -> Vec<Row> {
    let others = days.remove(&None).filter(|row| row.totals != Totals::default());
    let (from, until) = window.unwrap_or((0, 0));
    let of_window = window.iter().flat_map(|(from, until)| [from / DAY, (until - 1) / DAY]);
    let known: BTreeSet<u64> = days.keys().copied().flatten().chain(of_window).collect();
    let (first, last) = known.first().zip(known.last()).map_or((1, 0), |(a, b)| (*a, *b));
    let all: Vec<u64> = if last.saturating_sub(first) < DAYS {
        (first..=last).collect()
    } else {
        known.into_iter().collect()
    };
    let mut rows = Vec::new();
    for day in all {
        let row = days.remove(&Some(day)).unwrap_or_default();
        let seconds = until.min((day + 1) * DAY).saturating_sub(from.max(day * DAY));
        let sent = courses.iter().map(|course| course.sends(seconds));
        // `saved` holds what relays sent that run at the end.
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
