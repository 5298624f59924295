//! The summary.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::analysis::{Analysis, Broken, Count};
use crate::edge::Relay;
use crate::ledger::Ledger;
use crate::time::{DAY, date};
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
        (opened > closed && opened >= began).then_some(opened)
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
        let mut report = Self {
            lines: Lines {
                read: from.read,
                entries: from.entries,
                sessions: from.sessions,
                others: from.others,
                broken: from.broken,
            },
            broken: from.told.clone(),
            reasons: named(&from.counts[Count::Reason as usize]),
            turned_away: named(&from.counts[Count::TurnedAway as usize]),
            statuses: named(&from.counts[Count::Status as usize]),
            ..Self::default()
        };
        let window = from.period.map(|(first, last)| from.filter.clip((first, last + 1)));
        let window = window.filter(|(from, until)| from < until);
        (report.from, report.until) = window.unzip();

        let mut tables = Tables::default();
        for (key, edge) in &from.edges {
            let (name, alias) = from.name_of(key, &edge.alias);
            let wanted = from.filter.edge.as_ref();
            if wanted
                .is_some_and(|wanted| ![&*name, &*alias, &*text(key)].contains(&wanted.as_str()))
            {
                continue;
            }
            tables.take(&name, edge);
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
        let mut networks = rows(tables.networks);
        let weight = |row: &Row| (row.totals.watched, row.totals.sessions, row.totals.starts);
        networks.sort_by(|a, b| weight(b).cmp(&weight(a)).then_with(|| a.name.cmp(&b.name)));
        self.networks = networks;
    }
}

impl Analysis {
    /// What an edge is called, and by its own log.
    fn name_of(&self, key: &[u8], alias: &[u8]) -> (String, String) {
        let alias = text(alias);
        let name = match self.names.get(key) {
            Some(name) => text(name),
            None if alias.is_empty() => text(key),
            None => alias.clone(),
        };
        (name, alias)
    }
}

/// Sums by name, over the edges that are wanted.
#[derive(Default)]
struct Tables {
    relays: BTreeMap<(String, String), Relay>,
    /// None: those that could not be told apart.
    days: BTreeMap<Option<u64>, Row>,
    networks: BTreeMap<String, Row>,
}

impl Tables {
    fn take(&mut self, name: &str, edge: &crate::edge::Edge) {
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
        take_all(&mut self.networks, &edge.networks);
    }
}

fn take_all<K: std::fmt::Display + std::hash::Hash + Eq>(
    rows: &mut BTreeMap<String, Row>,
    of: &Ledger<K, Totals>,
) {
    for (key, totals) in of.iter() {
        if *totals != Totals::default() {
            let name = key.map_or_else(|| text(OTHERS), ToString::to_string);
            rows.entry(name).or_default().totals += *totals;
        }
    }
}

/// Each day with what it would have taken to relay everything throughout it, as far as the window
/// has it.
fn days(
    mut days: BTreeMap<Option<u64>, Row>,
    courses: &[Course],
    window: Option<(u64, u64)>,
) -> Vec<Row> {
    if let Some((from, until)) = window
        && (until - 1) / DAY - from / DAY < DAYS
    {
        for day in from / DAY..=(until - 1) / DAY {
            let seconds = until.min((day + 1) * DAY) - from.max(day * DAY);
            let sent = courses.iter().map(|course| course.sends(seconds));
            let row = days.entry(Some(day)).or_default();
            // `saved` holds what relays sent that run at the end.
            let spent = row.totals.sent.saturating_add(row.saved);
            row.saved = sent.fold(0, u64::saturating_add).saturating_sub(spent);
        }
    }
    let named = days
        .into_iter()
        .map(|(day, row)| Row { name: day.map_or_else(|| text(OTHERS), date), ..row });
    named
        .filter(|row| row.saved > 0 || row.totals != Totals::default() || row.name != text(OTHERS))
        .collect()
}

fn add(row: &mut Row, totals: Totals, saved: u64) {
    row.totals += totals;
    row.saved = row.saved.saturating_add(saved);
}

fn rows(named: BTreeMap<String, Row>) -> Vec<Row> {
    named.into_iter().map(|(name, row)| Row { name, ..row }).collect()
}

fn named(counts: &BTreeMap<Box<[u8]>, u64>) -> BTreeMap<String, u64> {
    counts.iter().map(|(name, count)| (text(name), *count)).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
