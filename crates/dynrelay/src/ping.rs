//! `dynrelay ping`: says whether the daemon runs.

use control::{Pong, Request};

use crate::context::Context;
use crate::failure::Failure;
use crate::wording::age;

/// Asks the daemon and prints its answer.
pub(crate) fn run(context: &mut Context<'_>) -> Result<(), Failure> {
    let Some(pong) = context.ask::<Pong>(&Request::Ping)? else { return Ok(()) };
    let Pong { version, pid, uptime, .. } = pong;
    context.say(&format!("dynrelayd {version} is running: process {pid}, up {}.", age(uptime)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    #[test]
    fn says_who_answers() {
        let pong = r#"{"version":"0.1.0","pid":42,"uptime":8040}"#;
        let out = Fake::answering(pong).run(run).unwrap();
        assert_eq!(out, "dynrelayd 0.1.0 is running: process 42, up 2h 14m.\n");
        let out = Fake::answering(pong).for_programs().run(run).unwrap();
        assert_eq!(out, format!("{pong}\n"));
    }

    #[test]
    fn an_invalid_answer_is_a_failure() {
        assert!(matches!(Fake::answering("[]").run(run), Err(Failure::Daemon(_))));
    }
}
