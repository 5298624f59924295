//! `dynrelay show`: shows one stream's relays, flow by flow.

use control::{RelayDetail, RelayShow, RelayStatus, Request};
use model::{Gate, State};

use crate::color::Color;
use crate::context::Context;
use crate::failure::Failure;
use crate::relay_arg::RelayArg;
use crate::streams::origin_lines;
use crate::table::{Cell, Column, Table};
use crate::text::wrapped;
use wording::{
    age, closing, count, flow_name, flow_note, grouped, rate, silence, silence_note, size, utc, why,
};

/// The indentation of a fact.
const INDENT: usize = 11;

/// Prints the relays of a stream, or its relay to one edge.
pub(crate) fn run(context: &mut Context<'_>, relay_arg: &RelayArg) -> Result<(), Failure> {
    let (stream, edge) = relay_arg.parts()?;
    let named = edge.as_ref().map_or_else(|| stream.clone(), |edge| format!("{stream}/{edge}"));
    let request = Request::Show { stream, edge };
    let Some(RelayShow { origin, relays }) = context.ask(&request)? else { return Ok(()) };
    if let Some(origin) = &origin {
        let (stream, _) = relay_arg.parts()?;
        for (line, color) in origin_lines(&stream, origin, context.now) {
            context.heading(&line, color)?;
        }
        context.say("")?;
    }
    if relays.is_empty() {
        context
            .say(&format!("{named} is not relayed now, and no relay of it has closed lately."))?;
    }
    for (at, detail) in relays.iter().enumerate() {
        if at > 0 {
            context.say("")?;
        }
        one(context, detail)?;
    }
    Ok(())
}

fn one(context: &mut Context<'_>, detail: &RelayDetail) -> Result<(), Failure> {
    let relay = &detail.relay;
    context.heading(&heading(relay, context.now), Color::of_state(relay.state))?;
    for (what, fact) in facts(detail, context.now) {
        // A long value goes on below its beginning.
        let lines = wrapped(&fact, context.width.saturating_sub(INDENT));
        for (what, line) in std::iter::once(what).chain(std::iter::repeat("")).zip(&lines) {
            context.say(&format!("  {what:<8} {line}"))?;
        }
    }
    if !detail.flows.is_empty() {
        context.say("")?;
        context.print(&flows(detail))?;
    }
    for note in detail.flows.iter().filter_map(flow_note) {
        for line in wrapped(&note, context.width.saturating_sub(2)) {
            context.say(&format!("  {line}"))?;
        }
    }
    if let Some(note) = silence_note(detail) {
        context.say("")?;
        for line in wrapped(&note, context.width) {
            context.say(&line)?;
        }
    }
    Ok(())
}

fn heading(relay: &RelayStatus, now: u64) -> String {
    let RelayStatus { stream, edge, state, since, reason, .. } = relay;
    let time = age(now.saturating_sub(*since));
    match reason {
        None => format!("{stream}/{edge} is {state} (for {time})"),
        Some(reason) => format!("{stream}/{edge} closed {time} ago: {reason}"),
    }
}

/// Prints the explanation first, then the numbers.
fn facts(detail: &RelayDetail, now: u64) -> Vec<(&'static str, String)> {
    let relay = &detail.relay;
    let ago = |at: u64| format!("{} ago", age(now.saturating_sub(at)));
    let sent = format!("{} in {}", size(relay.bytes), count(relay.packets, "packet"));
    let why = why(detail, now);
    let mut facts: Vec<_> = (!why.is_empty()).then_some(("why", why)).into_iter().collect();
    facts.push(("since", utc(relay.since)));
    facts.extend(closing(detail, now).into_iter().map(|what| ("closes", what)));
    facts.extend(detail.asked.map(|asked| ("asked", ago(asked))));
    if relay.state == State::Closed {
        facts.push(("ran for", age(relay.since.saturating_sub(relay.started))));
        facts.push(("sent", sent));
    } else {
        facts.push(("began", ago(relay.started)));
        facts.push(("sent", format!("{sent}, {} now", rate(relay.rate))));
    }
    facts.push(("to", detail.address.to_string()));
    facts.push(("refused", count(relay.refusals, "time")));
    if relay.forged > 0 {
        let errors = count(relay.forged, "ICMP error");
        facts.push(("forged", format!("{errors} that fit no packet; they have no effect")));
    }
    let reports: u64 = detail.flows.iter().map(|flow| flow.reports).sum();
    if reports > 0 {
        facts.push(("heard", format!("{} from the edge", count(reports, "packet"))));
    }
    // For a closed relay, the last number of viewers is unknown.
    if relay.state != State::Closed {
        let said = relay.viewers.map(|viewers| viewers.to_string());
        facts.push(("viewers", said.unwrap_or_else(|| "the edge does not report them".to_owned())));
    }
    facts
}

/// Prints the flows. A wide terminal also shows the port that each is sent from.
fn flows(detail: &RelayDetail) -> Table {
    let mut table = Table::new([
        Column::name("FLOW"),
        Column::name("FROM"),
        Column::name("VIA").spare(2),
        Column::name("TO"),
        Column::name("GATE"),
        Column::number("PACKETS").spare(1),
        Column::number("REFUSED"),
        Column::number("SILENT"),
    ]);
    for flow in &detail.flows {
        // The address is the edge's, and stands above.
        let to = if flow.to.ip() == detail.address {
            format!(":{}", flow.to.port())
        } else {
            flow.to.to_string()
        };
        let (gate, color) = match flow.gate {
            Gate::Open => ("open", Color::Green),
            Gate::Probe => ("probe", Color::Yellow),
            Gate::Shut => ("shut", Color::Yellow),
        };
        table.row([
            // A codec's name can be long. The ports tell two media of a kind apart.
            flow_name(flow.media.split(' ').next().unwrap_or_default(), flow.kind).into(),
            flow.from.to_string().into(),
            format!(":{}", flow.via.port()).into(),
            to.into(),
            Cell::from(gate).colored(color),
            grouped(flow.packets).into(),
            grouped(flow.refusals).into(),
            flow.idle_ms.map_or_else(|| "no input".to_owned(), silence).into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use control::{ErrorCode, Refused};

    use super::*;
    use crate::fake::{Fake, NOW};

    fn flow(kind: &str, from: &str, to: &str, gaps: u8) -> String {
        format!(
            r#"{{"media":"video H264","kind":"{kind}","from":"{from}","to":"{to}",
            "via":"192.0.2.1:40000","lost":0,"reports":{gaps},"gate":"probe","packets":1234567,"bytes":1,"refusals":1,"drops":0,"gaps":{gaps},
            "ssrc_changes":0,"idle_ms":null}}"#
        )
    }

    fn detail(state: &str, reason: &str, flows: &str) -> String {
        format!(
            r#"{{"stream":"news","edge":"dss2","state":"{state}","since":{},"started":{},"packets":1,
            "bytes":1200,"rate":150000,"refusals":0,"viewers":null{reason},
            "address":"198.51.100.7","answers":true,"flows":[{flows}]}}"#,
            NOW - 60,
            NOW - 3660,
        )
    }

    #[test]
    fn a_running_relay_flow_by_flow() {
        let flows = [
            flow("rtp", "239.255.255.255:5004", "198.51.100.7:6970", 2),
            flow("rtcp", "239.255.255.255:5005", "198.51.100.7:6971", 0),
        ];
        let relays = format!(r#"{{"relays":[{}]}}"#, detail("live", "", &flows.join(",")));
        let mut fake = Fake::answering(&relays);
        let out = fake.run(|context| run(context, &RelayArg::typed(&["news/dss2"]))).unwrap();
        let request = Request::Show { stream: "news".into(), edge: Some("dss2".into()) };
        assert_eq!(fake.asked(), [request]);
        assert_eq!(
            out,
            "\
news/dss2 is live (for 1m 0s)
  why      The edge takes it. But it refuses video H264, which gets only probes.
           Nothing arrives from the encoder.
  since    2024-07-16T11:59:00Z
  began    1h 1m ago
  sent     1.2 kB in 1 packet, 1.2 Mbit/s now
  to       198.51.100.7
  refused  0 times
  heard    2 packets from the edge
  viewers  the edge does not report them

FLOW        FROM                  TO     GATE     PACKETS  REFUSED    SILENT
video RTP   239.255.255.255:5004  :6970  probe  1,234,567        1  no input
video RTCP  239.255.255.255:5005  :6971  probe  1,234,567        1  no input
  video H264 RTP: 2 packets never arrived
"
        );
        assert!(out.lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn the_port_it_is_sent_from_and_what_is_lost() {
        let flow = flow("rtp", "239.1.2.3:5004", "198.51.100.7:6970", 0)
            .replace(r#""lost":0"#, r#""lost":3"#)
            .replace("1234567", "7");
        let relays = format!(r#"{{"relays":[{}]}}"#, detail("live", "", &flow));
        let out = Fake::answering(&relays).run(|context| run(context, &RelayArg::typed(&["news"])));
        assert!(out.unwrap().ends_with(
            "
FLOW       FROM            VIA     TO     GATE   PACKETS  REFUSED    SILENT
video RTP  239.1.2.3:5004  :40000  :6970  probe        7        1  no input
  video H264 RTP: 3 packets could not be sent
"
        ));
    }

    #[test]
    fn a_closed_relay_says_why() {
        let closed = detail("closed", r#","reason":"no-viewers""#, "");
        let relays = format!(r#"{{"relays":[{closed},{closed}]}}"#);
        let out = Fake::answering(&relays).run(|context| run(context, &RelayArg::typed(&["news"])));
        let one = "\
news/dss2 closed 1m 0s ago: no-viewers
  why      Nobody watches there any more.
  since    2024-07-16T11:59:00Z
  ran for  1h 0m
  sent     1.2 kB in 1 packet
  to       198.51.100.7
  refused  0 times
";
        assert_eq!(out.unwrap(), format!("{one}\n{one}"));
    }

    #[test]
    fn an_edge_that_never_refused_gets_a_note() {
        let relay = detail("suspect", "", "").replace(r#""answers":true"#, r#""answers":false"#);
        let mut fake = Fake::answering(&format!(r#"{{"relays":[{relay}]}}"#));
        let out = fake.run(|context| run(context, &RelayArg::typed(&["news/dss2"]))).unwrap();
        let end = out.split_once("the edge does not report them\n").unwrap().1;
        assert_eq!(
            end,
            "
No refusal has ever come back from 198.51.100.7. If none comes after its viewers
have left, a firewall drops ICMP errors, and refusals cannot close this relay:
let ICMP destination-unreachable through from there to here, or set a lease in
[shutdown].
"
        );
    }

    #[test]
    fn where_it_comes_from_and_its_replicas() {
        let origin = format!(
            r#"{{"relays":[],"origin":{{"kind":"unicast","state":"running","replicas":[
            {{"to":["239.255.1.2:5004"],"state":"running","since":{},"packets":7,"bytes":8400,"lost":1}},
            {{"to":["192.0.2.1:6970"],"state":"idle","since":0}},
            {{"to":["239.255.1.3:5004"],"state":"failed","since":{NOW},"detail":"no way"}}]}}}}"#,
            NOW - 60
        );
        let out = Fake::answering(&origin).run(|context| run(context, &RelayArg::typed(&["news"])));
        assert_eq!(
            out.unwrap(),
            "\
news arrives by unicast: running
  replica  to 239.255.1.2:5004: running for 1m 0s
           sent 8.4 kB in 7 packets; 1 packet could not be sent
  replica  to 192.0.2.1:6970: idle until a relay runs
  replica  to 239.255.1.3:5004: failed for 0s (no way)

news is not relayed now, and no relay of it has closed lately.
"
        );
    }

    #[test]
    fn it_says_that_there_is_nothing_to_show() {
        let out = Fake::answering(r#"{"relays":[]}"#)
            .run(|context| run(context, &RelayArg::typed(&["news", "dss2"])));
        assert_eq!(
            out.unwrap(),
            "news/dss2 is not relayed now, and no relay of it has closed lately.\n"
        );
    }

    #[test]
    fn a_mistyped_name_gets_a_suggestion() {
        let streams =
            r#"{"streams":[{"name":"news","media":[],"edges":["dss2"],"relayed_to":[]}]}"#;
        let refused = |code, message: &str| Refused::new(code, message);
        let (unknown, no_edge) = (ErrorCode::UnknownStream, ErrorCode::NoEdge);
        let said = |words: &[&str], refused| {
            let mut fake = Fake::refusing(refused).then(streams);
            let failed = fake.run(|context| run(context, &RelayArg::typed(words)));
            failed.unwrap_err().to_string()
        };
        let none = "there is no stream nws";
        assert_eq!(said(&["nws"], refused(unknown, none)), format!("{none}; did you mean news?"));
        let none = "there is no edge ds2";
        let hinted = format!("{none}; did you mean dss2?");
        assert_eq!(said(&["news", "ds2"], refused(no_edge, none)), hinted);
        // The name is right, and something else is wrong.
        assert_eq!(said(&["news"], refused(unknown, "no relay")), "no relay");
        // The refusal is printed in every case.
        let mut alone = Fake::refusing(refused(unknown, none)).then("{}");
        let failed = alone.run(|context| run(context, &RelayArg::typed(&["nws"])));
        assert_eq!(failed.unwrap_err().to_string(), none);
    }
}
