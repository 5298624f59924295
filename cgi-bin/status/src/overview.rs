//! The page of all relays and streams.

use std::collections::BTreeMap;

use cgi::Response;
use cgi::http::StatusCode;
use control::{RelayStatus, StreamStatus};
use model::{CloseReason, State};
use playlist::escape;
use wording::{age, count, grouped, is_trouble, meaning, rate, size};

use crate::daemon::Overview;
use crate::html::{HOME, Site, facts, origin, state, time, viewers};
use crate::plot;
use crate::table::{Column, Table};

/// The number of closed relays that the page shows.
const CLOSED: usize = 20;

const fn column(name: &'static str, class: &'static str) -> Column {
    Column { name, class }
}

const RUNNING_COLUMNS: [Column; 7] = [
    column("Relay", "name"),
    column("State", ""),
    column("For", "number"),
    column("Rate", "number rate"),
    column("Sent", "number"),
    column("Viewers", "number"),
    column("Refused", "number"),
];
const CLOSED_COLUMNS: [Column; 6] = [
    column("Relay", "name"),
    column("Why", "why"),
    column("Closed", "number"),
    column("Ran for", "number"),
    column("Sent", "number"),
    column("Refused", "number"),
];
const STREAM_COLUMNS: [Column; 6] = [
    column("Stream", "name"),
    column("On air", ""),
    column("Relayed to", ""),
    column("Edges that take it", ""),
    column("Media", ""),
    column("Comes from", ""),
];

/// The page.
pub(crate) fn page(seen: &Overview, site: &Site) -> Response {
    let (closed, running): (Vec<_>, Vec<_>) =
        seen.relays.relays.iter().partition(|relay| relay.state == State::Closed);
    let viewers: u64 = running.iter().filter_map(|relay| relay.viewers).map(u64::from).sum();
    let sum = in_words(&running);
    let title = match viewers {
        0 => sum.clone(),
        _ => format!("{sum}, {}", count(viewers, "viewer")),
    };
    let total = seen.relays.rates.as_ref();
    let plot = total.map(|rates| plot::large(rates, "All relays together")).unwrap_or_default();
    let now = wording::now();
    let main = format!(
        "<p id=\"sum\" role=\"status\">{sum}.</p>\n{}{plot}{}{}{}",
        figures(seen, &running, viewers),
        running_table(&running, site, now),
        closed_table(&closed, site, now),
        stream_table(&seen.streams, site),
    );
    site.page(StatusCode::OK, HOME, &title, &main)
}

/// `3 relays: 2 live, 1 starting`. It changes only when a state does, so that a screen reader
/// speaks only then.
fn in_words(running: &[&RelayStatus]) -> String {
    if running.is_empty() {
        return "Nothing is relayed now".to_owned();
    }
    let mut states: BTreeMap<State, usize> = BTreeMap::new();
    for relay in running {
        *states.entry(relay.state).or_default() += 1;
    }
    let each: Vec<String> =
        states.iter().map(|(state, number)| format!("{number} {state}")).collect();
    format!("{}: {}", count(running.len(), "relay"), each.join(", "))
}

fn figures(seen: &Overview, running: &[&RelayStatus], viewers: u64) -> String {
    let now: u64 = running.iter().map(|relay| relay.rate).fold(0, u64::saturating_add);
    let silent = running.iter().filter(|relay| relay.viewers.is_none()).count();
    let viewers = match silent {
        0 => grouped(viewers),
        _ if silent == running.len() => "<span class=\"none\">unknown</span>".to_owned(),
        _ => format!("{}<small> or more</small>", grouped(viewers)),
    };
    let on_air = seen.streams.iter().filter(|stream| stream.on_air == Some(true)).count();
    let closed: u64 = seen.daemon.closed.values().sum();
    facts(
        "figures",
        &[
            ("Relays", running.len().to_string()),
            ("Viewers", viewers),
            ("Rate", rate(now)),
            ("Streams on air", format!("{on_air} <small>of {}</small>", seen.streams.len())),
            ("Relays closed", grouped(closed)),
            ("Daemon up", age(seen.daemon.uptime)),
        ],
    )
}

fn running_table(relays: &[&RelayStatus], site: &Site, now: u64) -> String {
    let mut table = Table::new("Relayed now", &RUNNING_COLUMNS);
    for relay in relays {
        let plot = relay.rates.as_ref().map(plot::small).unwrap_or_default();
        table.row(
            &format!("relay/{}/{}", relay.stream, relay.edge),
            [
                site.relay(&relay.stream, &relay.edge),
                state(relay.state),
                age(now.saturating_sub(relay.since)),
                format!("{plot} <span>{}</span>", rate(relay.rate)),
                size(relay.bytes),
                viewers(relay.viewers),
                grouped(relay.refusals),
            ],
        );
    }
    table.html("None: a relay starts when a viewer asks for a stream.")
}

/// The recently closed relays, the latest first.
pub(crate) fn closed_table(relays: &[&RelayStatus], site: &Site, now: u64) -> String {
    let mut table = Table::new("Recently closed", &CLOSED_COLUMNS);
    let mut ids: BTreeMap<String, usize> = BTreeMap::new();
    for relay in relays.iter().take(CLOSED) {
        let RelayStatus { stream, edge, started, since, .. } = relay;
        // A relay may begin and close several times in a second.
        let id = format!("closed/{stream}/{edge}/{started}");
        let times = ids.entry(id.clone()).or_default();
        *times += 1;
        let ago = age(now.saturating_sub(*since));
        table.row(
            &format!("{id}/{times}"),
            [
                site.relay(stream, edge),
                relay.reason.map(why).unwrap_or_default(),
                format!("{ago} ago <small>{}</small>", time(*since)),
                age(since.saturating_sub(*started)),
                size(relay.bytes),
                grouped(relay.refusals),
            ],
        );
    }
    table.html("None that the daemon remembers.")
}

/// A close reason and its meaning.
pub(crate) fn why(reason: CloseReason) -> String {
    let class = if is_trouble(reason) { "trouble" } else { "calm" };
    format!("<span class=\"{class}\">{reason}</span> <small>{}</small>", meaning(reason))
}

fn stream_table(streams: &[StreamStatus], site: &Site) -> String {
    let mut table = Table::new("Streams", &STREAM_COLUMNS);
    for stream in streams {
        let name = escape(&stream.name);
        let title = stream.title.as_deref().map(escape);
        let title = title.map(|title| format!("{title} <small>{name}</small>"));
        let on_air = match stream.on_air {
            Some(true) => "<span class=\"air on\">on air</span>",
            Some(false) => "<span class=\"air off\">off air</span>",
            None => "<span class=\"air unknown\">unknown</span>",
        };
        let relays = stream.relayed_to.iter().map(|edge| site.edge(&stream.name, edge));
        table.row(
            &format!("stream/{}", stream.name),
            [
                title.unwrap_or_else(|| name.into_owned()),
                on_air.to_owned(),
                some(relays.collect()),
                some(stream.edges.iter().map(|edge| escape(edge).into_owned()).collect()),
                some(stream.media.iter().map(|media| escape(media).into_owned()).collect()),
                stream.origin.as_ref().map(origin).unwrap_or_default(),
            ],
        );
    }
    table.html(
        "None: put <code>STREAM.sdp</code> and <code>STREAM.EDGE.sdp</code> into the streams \
         folder, then <code>dynrelay reload</code>.",
    )
}

fn some(list: Vec<String>) -> String {
    match list.is_empty() {
        true => "<span class=\"none\">none</span>".to_owned(),
        false => list.join(", "),
    }
}
