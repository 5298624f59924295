//! `dynrelay start`: relays a stream as if a viewer had asked for it.

use std::net::IpAddr;

use clap::Args;
use control::{Request, Started, Via};

use crate::context::Context;
use crate::failure::Failure;

/// The options of `dynrelay start`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Start {
    /// The stream's name
    stream: String,
    /// The edge to relay to [default: the daemon chooses one for the client]
    #[arg(long, value_name = "EDGE")]
    edge: Option<String>,
    /// The viewer's address; the daemon chooses the edge by it
    #[arg(long, value_name = "IP")]
    client: Option<IpAddr>,
}

/// Starts the relay and prints where to watch it.
pub(crate) fn run(context: &mut Context<'_>, start: Start) -> Result<(), Failure> {
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

#[cfg(test)]
mod tests {
    use control::{ErrorCode, Refused};

    use super::*;
    use crate::fake::Fake;

    fn news(client: Option<IpAddr>) -> Start {
        Start { stream: "news".into(), edge: None, client }
    }

    #[test]
    fn prints_where_to_watch() {
        let client = Some("203.0.113.9".parse().unwrap());
        let mut fake = Fake::answering(
            r#"{"url":"rtsp://dss2.example.net/news.sdp","via":"edge","edge":"dss2","state":"starting"}"#,
        );
        let out = fake.run(|context| run(context, news(client))).unwrap();
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
        let out = fake.run(|context| run(context, news(None))).unwrap();
        assert!(out.starts_with("news needs no relay"), "{out}");
    }

    #[test]
    fn a_refusal_is_a_failure() {
        let refused = Refused::new(ErrorCode::Limit, "1000 relays are enough");
        let failure = Fake::refusing(refused).run(|context| run(context, news(None))).unwrap_err();
        assert_eq!(failure.to_string(), "1000 relays are enough");
    }
}
