//! `dynrelay reload`: read the configuration and the streams folder again.

use control::{Reloaded, Request};

use crate::color::Color;
use crate::context::Context;
use crate::failure::Failure;
use crate::wording::count;

/// Reloads, and prints what the catalogue holds now, and what is wrong with its files.
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
    fn says_what_there_is_and_what_is_wrong() {
        let clean = Fake::answering(r#"{"streams":2,"edges":1,"problems":[]}"#).run(run);
        assert_eq!(clean.unwrap(), "Reloaded: 2 streams, 1 edge.\n");
        let bad = r#"{"streams":1,"edges":1,"problems":["streams/news.sdp:3: no port in m="]}"#;
        assert_eq!(
            Fake::answering(bad).run(run).unwrap(),
            "Reloaded: 1 stream, 1 edge.\nProblems:\n  streams/news.sdp:3: no port in m=\n"
        );
    }
}
