//! `dynrelay streams`: what the catalogue holds.

use control::{Request, StreamList};

use crate::failure::Failure;
use crate::paint::Paint;
use crate::table::{Cell, Column, Table};
use crate::world::World;

/// Prints the streams, which are on air, the edges that take them, and which they are on the way to now.
pub(crate) fn run(world: &mut World<'_>) -> Result<(), Failure> {
    let Some(StreamList { streams }) = world.ask(&Request::Streams { listen: true })? else {
        return Ok(());
    };
    if streams.is_empty() {
        world
            .say("No stream can be relayed: put STREAM.sdp and STREAM.EDGE.sdp into the streams")?;
        world.say("folder, then `dynrelay reload`.")?;
        return Ok(());
    }
    let mut table = Table::new([
        Column::name("STREAM"),
        Column::name("ON AIR"),
        Column::text("RELAYED TO"),
        Column::text("EDGES"),
        Column::text("MEDIA"),
        Column::text("TITLE"),
    ]);
    for stream in streams {
        table.row([
            Cell::from(&stream.name),
            match stream.on_air {
                Some(true) => Cell::from("yes").painted(Paint::Green),
                Some(false) => "no".into(),
                None => "?".into(),
            },
            Cell::from(some(&stream.relayed_to)).painted(Paint::Green),
            some(&stream.edges).into(),
            some(&stream.media).into(),
            stream.title.unwrap_or_default().into(),
        ]);
    }
    world.print(&table)?;
    Ok(())
}

fn some(names: &[String]) -> String {
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    const STREAMS: &str = r#"{"streams":[
        {"name":"news","title":"Evening news from everywhere, with the weather and the sports \u001b[2J",
         "media":["video H264","audio MPA"],"edges":["dss2","dss3"],"relayed_to":["dss2"],
         "on_air":true},
        {"name":"radio","media":["audio MPA"],"edges":[],"relayed_to":[]}]}"#;

    #[test]
    fn a_long_title_is_cut_to_fit() {
        let out = Fake::answering(STREAMS).run(run).unwrap();
        assert_eq!(
            out,
            "\
STREAM  ON AIR  RELAYED TO  EDGES       MEDIA                TITLE
news    yes     dss2        dss2, dss3  video H264, audio …  Evening news from …
radio   ?       -           -           audio MPA
"
        );
    }

    #[test]
    fn none_is_said_and_how_to_add_one() {
        let out = Fake::answering(r#"{"streams":[]}"#).run(run).unwrap();
        assert!(out.starts_with("No stream can be relayed"), "{out}");
    }

    #[test]
    fn programs_get_it_all() {
        let mut fake = Fake::answering(STREAMS).for_programs();
        let out = fake.run(run).unwrap();
        let list: StreamList = serde_json::from_str(&out).unwrap();
        assert_eq!(list.streams.len(), 2);
    }
}
