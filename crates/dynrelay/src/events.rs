//! `dynrelay events`: prints a line for each change of a relay's state, while somebody reads them.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use control::{ClientError, Event, Pong};

use crate::color::Color;
use crate::context::Context;
use crate::event_stream::Told;
use crate::failure::Failure;
use crate::json;
use crate::text::plain;
use wording::{explained, utc};

/// The time between two checks whether the reader is still there.
const GLANCE: Duration = Duration::from_secs(1);

/// Prints events as they come. Goes on when the daemon restarts, and says on standard error that it
/// missed the events in between.
pub(crate) fn run(context: &mut Context<'_>) -> Result<(), Failure> {
    let (tell, told) = mpsc::channel();
    context.daemon.follow(Box::new(move |what| tell.send(what).is_ok()))?;
    let mut before = false;
    loop {
        match told.recv_timeout(GLANCE) {
            Ok(Told::There(daemon)) => {
                note(context, &arrival(&daemon, std::mem::replace(&mut before, true)))?;
            }
            Ok(Told::Gone) => {
                note(context, "dynrelayd is gone: waiting for it; events until then are missed")?;
            }
            Ok(Told::Event(line)) if context.json => json::line(context.out, line.get())?,
            Ok(Told::Event(line)) => {
                let event = serde_json::from_str(line.get()).map_err(ClientError::Garbled)?;
                let line = told_of(&event, context.colors);
                writeln!(context.out, "{line}")?;
            }
            Err(RecvTimeoutError::Timeout) if (context.reader_left)() => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        context.out.flush()?;
    }
}

/// The message when the daemon is there, or is back.
fn arrival(Pong { version, pid, .. }: &Pong, again: bool) -> String {
    match again {
        false => format!("following dynrelayd {version}, process {pid}"),
        true => format!("dynrelayd is back: {version}, process {pid}"),
    }
}

fn note(context: &mut Context<'_>, what: &str) -> io::Result<()> {
    writeln!(context.err, "dynrelay: {}", plain(what))
}

/// An event as a line: `2024-07-16T12:00:00Z news/dss2 closed: no-viewers (nobody …)`.
pub(crate) fn told_of(event: &Event, colors: bool) -> String {
    let Event { at, stream, edge, state, reason } = event;
    let state = Color::of_state(*state).on(state.word(), colors);
    let why = reason.as_ref().map(|reason| format!(": {}", explained(*reason))).unwrap_or_default();
    format!("{} {} {state}{}", utc(*at), plain(&format!("{stream}/{edge}")), plain(&why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, NOW, pong};

    fn happenings() -> Vec<Told> {
        let there = |pid| Told::There(pong("0.1.0", pid, 0));
        let event = |rest: &str| {
            let line = format!(r#"{{"at":{NOW},"stream":"news","edge":"dss2","state":{rest}}}"#);
            Told::Event(serde_json::value::RawValue::from_string(line).unwrap())
        };
        vec![
            there(42),
            event(r#""starting","later":1"#),
            Told::Gone,
            there(43),
            event(r#""closed","reason":"stopped""#),
        ]
    }

    #[test]
    fn events_go_to_output_and_restarts_to_standard_error() {
        let mut fake = Fake::following(happenings());
        let out = fake.run(run).unwrap();
        assert_eq!(
            out,
            "\
2024-07-16T12:00:00Z news/dss2 starting
2024-07-16T12:00:00Z news/dss2 closed: stopped (by an administrator, or with the daemon)
"
        );
        assert_eq!(
            fake.err(),
            "\
dynrelay: following dynrelayd 0.1.0, process 42
dynrelay: dynrelayd is gone: waiting for it; events until then are missed
dynrelay: dynrelayd is back: 0.1.0, process 43
"
        );
    }

    #[test]
    fn programs_get_what_the_daemon_said() {
        let out = Fake::following(happenings()).for_programs().run(run).unwrap();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with(r#""state":"starting","later":1}"#), "{out}");
        assert!(serde_json::from_str::<Event>(lines[1]).is_ok());
    }

    #[test]
    fn states_have_colours_at_a_terminal() {
        let out = Fake::following(happenings()).in_color().run(run).unwrap();
        assert!(out.contains("\u{1b}[33mstarting\u{1b}[0m"), "{out}");
    }
}
