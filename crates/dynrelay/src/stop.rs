//! `dynrelay stop`: closes a relay now.

use control::{RelayStatus, Request};

use crate::context::Context;
use crate::failure::Failure;
use crate::relay_arg::RelayArg;
use crate::wording::{age, count, size};

/// Stops the relay and prints its last counters.
pub(crate) fn run(context: &mut Context<'_>, relay_arg: &RelayArg) -> Result<(), Failure> {
    let (stream, edge) = relay_arg.parts()?;
    let Some(edge) = edge else {
        let usage = format!(
            "name the edge: `dynrelay stop {stream} EDGE`; `dynrelay list` shows the \
                edges"
        );
        return Err(Failure::Usage(usage));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    #[test]
    fn prints_the_last_counters() {
        let mut fake = Fake::answering(
            r#"{"stream":"news","edge":"dss2","state":"closed","since":3600,"started":0,
            "packets":10,"bytes":12000,"rate":0,"refusals":1,"reason":"stopped"}"#,
        );
        let out = fake.run(|context| run(context, &RelayArg::typed(&["news/dss2"]))).unwrap();
        assert_eq!(
            out,
            "news/dss2 is stopped: it sent 12 kB in 10 packets, ran for 1h 0m, and was refused 1 time.\n"
        );
        let request = Request::Stop { stream: "news".into(), edge: "dss2".into() };
        assert_eq!(fake.asked(), [request]);
    }

    #[test]
    fn without_an_edge_nothing_is_asked() {
        let mut fake = Fake::default();
        let failure = fake.run(|context| run(context, &RelayArg::typed(&["news"]))).unwrap_err();
        assert!(matches!(failure, Failure::Usage(_)));
        assert!(fake.asked().is_empty());
    }
}
