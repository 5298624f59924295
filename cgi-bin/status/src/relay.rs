//! The page of one relay.

use cgi::Response;
use cgi::http::StatusCode;
use control::{Origin, RelayDetail, RelayShow, RelayStatus};
use model::{Gate, State};
use playlist::escape;
use wording::{age, count, flow_name, flow_note, grouped, rate, silence, silence_note, size};

use crate::html::{Site, facts, origin, state, time, viewers};
use crate::overview::{self, closed_table};
use crate::plot;
use crate::table::{Column, Table};

const fn column(name: &'static str, class: &'static str) -> Column {
    Column { name, class }
}

const FLOW_COLUMNS: [Column; 7] = [
    column("Flow", "name"),
    column("From", "address"),
    column("To", "address"),
    column("Gate", ""),
    column("Packets", "number"),
    column("Refused", "number"),
    column("Silent for", "number"),
];

/// The page of the relay `stream`/`edge`.
pub(crate) fn page(stream: &str, edge: &str, show: &RelayShow, site: &Site) -> Response {
    let heading = format!("{}/<wbr/>{}", escape(stream), escape(edge));
    let name = format!("{}/{}", escape(stream), escape(edge));
    let Some((latest, before)) = show.relays.split_first() else {
        let main = "<p id=\"sum\" role=\"status\">It is not relayed now, and no relay of it has \
                    closed lately.</p>\n";
        return site.page(StatusCode::NOT_FOUND, &heading, &name, main);
    };
    let now = wording::now();
    let relay = &latest.relay;
    let rates = relay.rates.as_ref().filter(|rates| !rates.bytes.is_empty());
    let until = if relay.state == State::Closed { "Rate until it closed" } else { "Rate" };
    let before: Vec<&RelayStatus> = before.iter().map(|closed| &closed.relay).collect();
    let before = match before.is_empty() {
        true => String::new(),
        false => closed_table(&before, site, now),
    };
    let main = format!(
        "<p id=\"sum\" role=\"status\">{}</p>\n{}{}{}{}{}{}{before}",
        sentence(relay),
        explanation(latest, now),
        facts("facts", &told(latest, show.origin.as_ref(), now)),
        rates.map(|rates| plot::large(rates, until)).unwrap_or_default(),
        flows(latest),
        list("It closes", &wording::closing(latest, now)),
        list("Worth knowing", &notes(latest)),
    );
    let title = format!("{name} is {}", relay.state);
    site.page(StatusCode::OK, &heading, &title, &main)
}

/// The relay's state in words. They change only when the state does.
fn sentence(relay: &RelayStatus) -> String {
    match &relay.reason {
        Some(reason) => format!("Closed: {}", overview::why(*reason)),
        None => state(relay.state),
    }
}

fn told(detail: &RelayDetail, from: Option<&Origin>, now: u64) -> Vec<(&'static str, String)> {
    let relay = &detail.relay;
    let ago = |at: u64| format!("{} ago <small>{}</small>", age(now.saturating_sub(at)), time(at));
    let sent =
        format!("{} <small>in {}</small>", size(relay.bytes), count(relay.packets, "packet"));
    let mut facts = vec![("Sent to", detail.address.to_string()), ("Began", ago(relay.started))];
    if relay.state == State::Closed {
        facts.push(("Closed", ago(relay.since)));
        facts.push(("Ran for", age(relay.since.saturating_sub(relay.started))));
    } else {
        facts.push(("In this state for", age(now.saturating_sub(relay.since))));
        facts.extend(detail.asked.map(|asked| ("Last asked for", ago(asked))));
        facts.push(("Viewers", viewers(relay.viewers)));
        facts.push(("Rate", rate(relay.rate)));
    }
    facts.push(("Sent", sent));
    facts.push(("Refused", grouped(relay.refusals)));
    if relay.forged > 0 {
        facts.push(("Forged ICMP errors, ignored", grouped(relay.forged)));
    }
    facts.extend(from.map(|from| ("Comes from", origin(from))));
    facts
}

/// Explains the state. A closed relay's reason is explained above; this adds only advice.
fn explanation(detail: &RelayDetail, now: u64) -> String {
    let text = match detail.relay.state {
        State::Closed => wording::advice(detail).unwrap_or_default(),
        _ => wording::why(detail, now),
    };
    if text.is_empty() { text } else { format!("<p class=\"story\">{}</p>\n", prose(&text)) }
}

/// Sentences as HTML. Commands in backticks become code.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(at, part)| match at % 2 {
        0 => escape(part).into_owned(),
        _ => format!("<code>{}</code>", escape(part)),
    });
    parts.collect()
}

fn list(heading: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: String = items.iter().map(|item| format!("<li>{}</li>\n", prose(item))).collect();
    format!("<section>\n<h2>{heading}</h2>\n<ul class=\"notes\">\n{items}</ul>\n</section>\n")
}

fn flows(detail: &RelayDetail) -> String {
    let mut table = Table::new("Flows", &FLOW_COLUMNS);
    for (at, flow) in detail.flows.iter().enumerate() {
        let gate = match flow.gate {
            Gate::Open => "<span class=\"gate open\">open</span>",
            Gate::Probe => "<span class=\"gate probe\">probe</span>",
            Gate::Shut => "<span class=\"gate shut\">shut</span>",
        };
        let silent = flow.idle_ms.map_or_else(
            || "<span class=\"some\">no input</span>".to_owned(),
            |idle| if idle < 1000 { "less than 1s".to_owned() } else { silence(idle) },
        );
        table.row(
            &format!("flow/{at}"),
            [
                escape(&flow_name(&flow.media, flow.kind)).to_string(),
                flow.from.to_string(),
                format!("{} <small>from port {}</small>", flow.to, flow.via.port()),
                gate.to_owned(),
                grouped(flow.packets),
                grouped(flow.refusals),
                silent,
            ],
        );
    }
    table.html("None.")
}

/// Notes beside the numbers.
fn notes(detail: &RelayDetail) -> Vec<String> {
    let flows = detail.flows.iter().filter_map(flow_note);
    flows.chain(silence_note(detail)).collect()
}
