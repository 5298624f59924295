//! `dynrelay ping` and `dynrelay reload`: say whether the daemon runs, and make it read its files again.

use control::{Pong, Reloaded, Request};

use crate::color::Color;
use crate::context::Context;
use crate::failure::Failure;
use wording::{age, count};

/// Prints the version, process and age of the daemon.
pub(crate) fn ping(context: &mut Context<'_>) -> Result<(), Failure> {
    let Some(pong) = context.ask::<Pong>(&Request::Ping)? else { return Ok(()) };
    let Pong { version, pid, uptime, .. } = pong;
    context.say(&format!("dynrelayd {version} is running: process {pid}, up {}.", age(uptime)))?;
    Ok(())
}

/// Reloads, and prints the size of the catalogue and the problems of its files.
pub(crate) fn reload(context: &mut Context<'_>) -> Result<(), Failure> {
    let Some(reloaded) = context.ask::<Reloaded>(&Request::Reload)? else { return Ok(()) };
    let (streams, edges) = (count(reloaded.streams, "stream"), count(reloaded.edges, "edge"));
    context.say(&format!("Reloaded: {streams}, {edges}."))?;
    if !reloaded.problems.is_empty() {
        context.heading("Problems:", Color::Yellow)?;
    }
    for problem in &reloaded.problems {
        context.say(&format!("  {problem}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    #[test]
    fn ping_prints_who_answers() {
        let pong = r#"{"version":"0.1.0","pid":42,"uptime":8040}"#;
        let out = Fake::answering(pong).run(ping).unwrap();
        assert_eq!(out, "dynrelayd 0.1.0 is running: process 42, up 2h 14m.\n");
        let out = Fake::answering(pong).for_programs().run(ping).unwrap();
        assert_eq!(out, format!("{pong}\n"));
        assert!(matches!(Fake::answering("[]").run(ping), Err(Failure::Daemon(_))));
    }

    #[test]
    fn reload_prints_the_catalogue_and_its_problems() {
        let clean = Fake::answering(r#"{"streams":2,"edges":1,"problems":[]}"#).run(reload);
        assert_eq!(clean.unwrap(), "Reloaded: 2 streams, 1 edge.\n");
        let bad = r#"{"streams":1,"edges":1,"problems":["streams/news.sdp:3: no port in m="]}"#;
        assert_eq!(
            Fake::answering(bad).run(reload).unwrap(),
            "Reloaded: 1 stream, 1 edge.\nProblems:\n  streams/news.sdp:3: no port in m=\n"
        );
    }
}
