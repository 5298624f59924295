//! `dynrelay start` and `dynrelay stop`: open and close a relay.

use std::net::IpAddr;

use clap::Args;
use control::{RelayList, RelayStatus, Request, Started, Via};

use crate::context::Context;
use crate::failure::Failure;
use crate::relay_arg::RelayArg;
use wording::{age, count, size};

/// The options of `dynrelay start`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Start {
    /// The stream's name
    stream: String,
    /// The edge to relay to; without it the daemon chooses one for the client
    #[arg(long, value_name = "EDGE")]
    edge: Option<String>,
    /// The viewer's address; the daemon chooses the edge by it
    #[arg(long, value_name = "IP")]
    client: Option<IpAddr>,
}

/// Starts a relay, and prints where to watch the stream.
pub(crate) fn start(context: &mut Context<'_>, start: Start) -> Result<(), Failure> {
    let Start { stream, edge, client } = start;
    let request = Request::Start { stream: stream.clone(), edge, client };
    let Some(started) = context.ask::<Started>(&request)? else { return Ok(()) };
    let to = started.edge.as_deref().unwrap_or("its edge");
    let said = match (started.via, started.state) {
        (Via::Origin, _) => format!("{stream} needs no relay: this viewer is local to the origin."),
        (Via::Edge, Some(state)) => format!("{stream} is on its way to {to}: {state}."),
        (Via::Edge, None) => format!("{stream} is on its way to {to}."),
    };
    context.say(&said)?;
    context.say(&format!("Watch it at {}", started.url))?;
    Ok(())
}

/// Stops a relay, and prints its last counters.
pub(crate) fn stop(context: &mut Context<'_>, relay: &RelayArg) -> Result<(), Failure> {
    let (stream, edge) = relay.parts()?;
    let edge = match edge {
        Some(edge) => edge,
        None => only_edge(context, &stream)?,
    };
    let named = format!("{stream}/{edge}");
    let request = Request::Stop { stream, edge };
    let Some(relay) = context.ask::<RelayStatus>(&request)? else { return Ok(()) };
    context.say(&format!(
        "{named} is stopped: it sent {} in {}, ran for {}, and was refused {}.",
        size(relay.bytes),
        count(relay.packets, "packet"),
        age(relay.since.saturating_sub(relay.started)),
        count(relay.refusals, "time"),
    ))?;
    Ok(())
}

/// The edge that the stream is relayed to, if it is a single one.
fn only_edge(context: &mut Context<'_>, stream: &str) -> Result<String, Failure> {
    let RelayList { relays, .. } = context.query(&Request::List { all: false, rates: false })?;
    let edges = relays.into_iter().filter(|relay| relay.stream == stream);
    let mut edges: Vec<String> = edges.map(|relay| relay.edge).collect();
    match (edges.pop(), edges.len()) {
        (Some(edge), 0) => Ok(edge),
        (Some(last), _) => Err(Failure::Usage(format!(
            "{stream} is relayed to {} and {last}: name one, such as `dynrelay stop {stream}/{last}`",
            edges.join(", ")
        ))),
        (None, _) => Err(Failure::Unfit(format!("{stream} is not relayed now"))),
    }
}

#[cfg(test)]
mod tests {
    use control::{ErrorCode, Refused};

    use super::*;
    use crate::fake::Fake;

    fn news(client: Option<IpAddr>) -> Start {
        Start { stream: "news".into(), edge: None, client }
    }

    #[test]
    fn start_prints_where_to_watch() {
        let client = Some("203.0.113.9".parse().unwrap());
        let mut fake = Fake::answering(
            r#"{"url":"rtsp://dss2.example.net/news.sdp","via":"edge","edge":"dss2","state":"starting"}"#,
        );
        let out = fake.run(|context| start(context, news(client))).unwrap();
        assert_eq!(
            out,
            "news is on its way to dss2: starting.\nWatch it at rtsp://dss2.example.net/news.sdp\n"
        );
        assert_eq!(fake.asked(), [Request::Start { stream: "news".into(), edge: None, client }]);
    }

    #[test]
    fn a_local_viewer_needs_no_relay() {
        let mut fake =
            Fake::answering(r#"{"url":"rtsp://dss1.example.org/news.sdp","via":"origin"}"#);
        let out = fake.run(|context| start(context, news(None))).unwrap();
        assert!(out.starts_with("news needs no relay"), "{out}");
    }

    #[test]
    fn a_refusal_is_a_failure() {
        let refused = Refused::new(ErrorCode::Limit, "1000 relays are enough");
        let failure = Fake::refusing(refused).run(|context| start(context, news(None)));
        assert_eq!(failure.unwrap_err().to_string(), "1000 relays are enough");
    }

    /// A relay of news that closed after an hour, or is open.
    fn relay(edge: &str, state: &str) -> String {
        format!(
            r#"{{"stream":"news","edge":"{edge}","state":"{state}","since":3600,"started":0,
            "packets":10,"bytes":12000,"rate":0,"refusals":1}}"#
        )
    }

    fn stop_news(edge: &str) -> Request {
        Request::Stop { stream: "news".into(), edge: edge.into() }
    }

    #[test]
    fn stop_prints_the_last_counters() {
        let mut fake = Fake::answering(&relay("dss2", "closed"));
        let out = fake.run(|context| stop(context, &RelayArg::typed(&["news/dss2"]))).unwrap();
        assert_eq!(
            out,
            "news/dss2 is stopped: it sent 12 kB in 10 packets, ran for 1h 0m, and was refused 1 time.\n"
        );
        assert_eq!(fake.asked(), [stop_news("dss2")]);
    }

    #[test]
    fn stop_needs_no_edge_if_there_is_only_one() {
        let list = |edges: &[&str]| {
            let relays: Vec<String> = edges.iter().map(|edge| relay(edge, "live")).collect();
            format!(r#"{{"relays":[{}]}}"#, relays.join(","))
        };
        let mut fake = Fake::answering(&list(&["dss2"])).then(&relay("dss2", "closed"));
        fake.run(|context| stop(context, &RelayArg::typed(&["news"]))).unwrap();
        assert_eq!(fake.asked()[1..], [stop_news("dss2")]);
        let stop = |edges: &[&str]| {
            let mut fake = Fake::answering(&list(edges));
            fake.run(|context| stop(context, &RelayArg::typed(&["news"]))).unwrap_err()
        };
        let many = stop(&["dss2", "dss3"]);
        assert!(matches!(many, Failure::Usage(_)) && many.to_string().contains("dss2 and dss3"));
        assert_eq!(stop(&[]).to_string(), "news is not relayed now");
    }
}
