//! `dynrelay list`: shows the open relays.

use control::{RelayList, RelayStatus, Request};
use model::{CloseReason, State};

use crate::color::Color;
use crate::context::Context;
use crate::failure::Failure;
use crate::table::{Cell, Column, Table};
use wording::{age, grouped, rate, size};

/// Prints the relays; with `all`, the recently closed ones too.
pub(crate) fn run(context: &mut Context<'_>, all: bool) -> Result<(), Failure> {
    let Some(RelayList { relays, .. }) = context.ask(&Request::List { all, rates: false })? else {
        return Ok(());
    };
    let (closed, running): (Vec<_>, Vec<_>) =
        relays.into_iter().partition(|relay| relay.state == State::Closed);
    if running.is_empty() {
        context.say("Nothing is relayed now.")?;
    } else {
        context.print(&running_table(&running, context.now))?;
    }
    match (all, closed.is_empty()) {
        (true, true) => context.say("No relay has closed lately.")?,
        (_, true) => {}
        (_, false) => {
            context.say("")?;
            context.print(&closed_table(&closed, context.now))?;
        }
    }
    Ok(())
}

fn running_table(relays: &[RelayStatus], now: u64) -> Table {
    let mut table = Table::new([
        Column::name("RELAY"),
        Column::name("STATE"),
        Column::number("FOR").spare(1),
        Column::number("RATE"),
        Column::number("SENT").spare(3),
        Column::number("REFUSED").spare(2),
        Column::number("VIEWERS"),
    ]);
    for relay in relays {
        table.row([
            name(relay),
            Cell::from(relay.state.word()).colored(Color::of_state(relay.state)),
            age(now.saturating_sub(relay.since)).into(),
            rate(relay.rate).into(),
            size(relay.bytes).into(),
            grouped(relay.refusals).into(),
            viewers(relay).into(),
        ]);
    }
    table
}

fn closed_table(relays: &[RelayStatus], now: u64) -> Table {
    let mut table = Table::new([
        Column::name("CLOSED"),
        Column::name("WHY"),
        Column::number("AGO"),
        Column::number("RAN FOR").spare(1),
        Column::number("SENT").spare(3),
        Column::number("REFUSED").spare(2),
    ]);
    for relay in relays {
        table.row([
            name(relay),
            Cell::from(relay.reason.map_or("-", CloseReason::word)).colored(Color::Dim),
            age(now.saturating_sub(relay.since)).into(),
            age(relay.since.saturating_sub(relay.started)).into(),
            size(relay.bytes).into(),
            grouped(relay.refusals).into(),
        ]);
    }
    table
}

/// A relay's name: `news/dss2`.
pub(crate) fn name(relay: &RelayStatus) -> Cell {
    format!("{}/{}", relay.stream, relay.edge).into()
}

/// The number of viewers; `-` if the edge does not report it.
pub(crate) fn viewers(relay: &RelayStatus) -> String {
    relay.viewers.map_or_else(|| "-".to_owned(), |viewers| grouped(viewers.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, NOW};

    fn relays() -> String {
        format!(
            r#"{{"relays":[
            {{"stream":"news","edge":"dss2","state":"live","since":{},"started":{},"packets":1234567,
              "bytes":1440000000,"rate":150000,"refusals":3,"viewers":12,"later":true}},
            {{"stream":"a-long-name","edge":"oslo","state":"starting","since":{NOW},"started":{NOW},
              "packets":0,"bytes":0,"rate":0,"refusals":0,"viewers":null}},
            {{"stream":"news","edge":"dss3","state":"closed","since":{},"started":{},"packets":9,
              "bytes":10800,"rate":0,"refusals":10,"viewers":0,"reason":"no-viewers"}}]}}"#,
            NOW - 8040,
            NOW - 8045,
            NOW - 300,
            NOW - 420,
        )
    }

    #[test]
    fn a_table_for_people() {
        let out = Fake::answering(&relays()).run(|context| run(context, true)).unwrap();
        assert_eq!(
            out,
            "\
RELAY             STATE        FOR        RATE    SENT  REFUSED  VIEWERS
news/dss2         live      2h 14m  1.2 Mbit/s  1.4 GB        3       12
a-long-name/oslo  starting      0s     0 bit/s     0 B        0        -

CLOSED     WHY           AGO  RAN FOR   SENT  REFUSED
news/dss3  no-viewers  5m 0s    2m 0s  11 kB       10
"
        );
    }

    #[test]
    fn programs_get_what_the_daemon_said() {
        let mut fake = Fake::answering(&relays()).for_programs();
        let out = fake.run(|context| run(context, false)).unwrap();
        assert_eq!(fake.asked(), [Request::List { all: false, rates: false }]);
        assert_eq!(out.lines().count(), 1);
        let same = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
        assert_eq!(same(&out), same(&relays()));
    }

    #[test]
    fn an_empty_list_says_so() {
        let empty =
            |all| Fake::answering(r#"{"relays":[]}"#).run(|context| run(context, all)).unwrap();
        assert_eq!(empty(false), "Nothing is relayed now.\n");
        assert_eq!(empty(true), "Nothing is relayed now.\nNo relay has closed lately.\n");
    }

    #[test]
    fn long_names_fit_a_terminal() {
        for length in [10, 40, 60] {
            let long = relays().replace("a-long-name", &"x".repeat(length));
            let out = Fake::answering(&long).run(|context| run(context, true)).unwrap();
            assert!(out.lines().all(|line| line.len() <= 80), "{out}");
            assert!(out.contains(&format!("{}/oslo", "x".repeat(length))) && out.contains("RATE"));
        }
    }

    #[test]
    fn states_have_colours_at_a_terminal() {
        let mut fake = Fake::answering(&relays()).in_color();
        let out = fake.run(|context| run(context, false)).unwrap();
        assert!(out.contains("\u{1b}[32mlive\u{1b}[0m"), "{out}");
    }
}
