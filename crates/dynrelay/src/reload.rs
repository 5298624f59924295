//! `dynrelay reload`: makes the daemon read the configuration and the streams folder again.

use control::{Reloaded, Request};

use crate::color::Color;
use crate::context::Context;
use crate::failure::Failure;
use crate::wording::count;

/// Reloads, and prints the size of the catalogue and the problems of its files.
pub(crate) fn run(context: &mut Context<'_>) -> Result<(), Failure> {
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
    fn prints_the_catalogue_and_its_problems() {
        let clean = Fake::answering(r#"{"streams":2,"edges":1,"problems":[]}"#).run(run);
        assert_eq!(clean.unwrap(), "Reloaded: 2 streams, 1 edge.\n");
        let bad = r#"{"streams":1,"edges":1,"problems":["streams/news.sdp:3: no port in m="]}"#;
        assert_eq!(
            Fake::answering(bad).run(run).unwrap(),
            "Reloaded: 1 stream, 1 edge.\nProblems:\n  streams/news.sdp:3: no port in m=\n"
        );
    }
}
