//! `dynrelay streams`: lists the streams of the catalogue.

use control::{Origin, OriginKind, ReplicaStatus, Request, StreamList};
use model::SourceState;
use wording::{age, count, size};

use crate::color::Color;
use crate::context::Context;
use crate::failure::Failure;
use crate::table::{Cell, Column, Table};

/// Prints the streams: whether they are on air, the edges that take them, and their open relays.
pub(crate) fn run(context: &mut Context<'_>) -> Result<(), Failure> {
    let Some(StreamList { streams, .. }) = context.ask(&Request::streams(true))? else {
        return Ok(());
    };
    if streams.is_empty() {
        context
            .say("No stream can be relayed: put STREAM.sdp and STREAM.EDGE.sdp into the streams")?;
        context.say("folder, then `dynrelay reload`.")?;
        return Ok(());
    }
    // An older daemon does not send it.
    let origins = streams.iter().any(|stream| stream.origin.is_some());
    let mut columns = vec![Column::name("STREAM"), Column::name("ON AIR")];
    columns.extend(origins.then(|| Column::text("FROM")));
    columns.extend([Column::text("RELAYED TO"), Column::text("EDGES"), Column::text("MEDIA")]);
    let titles = streams.iter().any(|stream| stream.title.is_some());
    columns.extend(titles.then(|| Column::text("TITLE")));
    let mut table = Table::new(columns);
    for stream in streams {
        let mut row = vec![
            Cell::from(&stream.name),
            match stream.on_air {
                Some(true) => Cell::from("yes").colored(Color::Green),
                Some(false) => "no".into(),
                None => "?".into(),
            },
        ];
        if origins {
            let brief = stream.origin.as_ref().map(brief).unwrap_or_default();
            let color = stream.origin.map(|origin| origin_color(origin.state));
            row.push(Cell::from(brief).colored(color.unwrap_or_default()));
        }
        row.extend([
            Cell::from(some(&stream.relayed_to)).colored(Color::Green),
            some(&stream.edges).into(),
            some(&stream.media).into(),
        ]);
        if titles {
            row.push(stream.title.unwrap_or_default().into());
        }
        table.row(row);
    }
    context.print(&table)?;
    Ok(())
}

fn some(names: &[String]) -> String {
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

/// Describes a stream's origin, line by line. The first line is a heading.
pub(crate) fn origin_lines(stream: &str, origin: &Origin, now: u64) -> Vec<(String, Color)> {
    let how = match origin.kind {
        OriginKind::Multicast => "arrives by multicast",
        OriginKind::Unicast => "arrives by unicast",
        OriginKind::Rtsp => "is pulled by RTSP",
    };
    let heading = with_detail(&format!("{stream} {how}: {}", origin.state), &origin.detail);
    let mut lines = vec![(heading, origin_color(origin.state))];
    for replica in &origin.replicas {
        lines.push((format!("  replica  {}", told(replica, now)), origin_color(replica.state)));
        if replica.packets > 0 || replica.lost > 0 {
            let sent = format!("{} in {}", size(replica.bytes), count(replica.packets, "packet"));
            let lost = match replica.lost {
                0 => String::new(),
                lost => format!("; {} could not be sent", count(lost, "packet")),
            };
            lines.push((format!("           sent {sent}{lost}"), Color::Plain));
        }
    }
    lines
}

/// An origin in two words, for a table: `unicast running`.
pub(crate) fn brief(origin: &Origin) -> String {
    let failed = origin.replicas.iter().any(|replica| replica.state == SourceState::Failed);
    let state = if failed { "replica failed" } else { origin.state.word() };
    format!("{} {state}", origin.kind)
}

/// The colour of an origin's or a replica's state.
pub(crate) fn origin_color(state: SourceState) -> Color {
    match state {
        SourceState::Running => Color::Green,
        SourceState::Failed => Color::Red,
        SourceState::Idle | SourceState::Elsewhere => Color::Plain,
        SourceState::Connecting | SourceState::Waiting => Color::Yellow,
    }
}

fn told(replica: &ReplicaStatus, now: u64) -> String {
    let to: Vec<String> = replica.to.iter().map(ToString::to_string).collect();
    let to = to.join(", ");
    let state = match replica.state {
        SourceState::Elsewhere => return format!("to {to}, which another program sends"),
        SourceState::Idle => return format!("to {to}: idle until a relay runs"),
        state => format!("{state} for {}", age(now.saturating_sub(replica.since))),
    };
    with_detail(&format!("to {to}: {state}"), &replica.detail)
}

fn with_detail(what: &str, detail: &Option<String>) -> String {
    detail.as_ref().map_or_else(|| what.to_owned(), |detail| format!("{what} ({detail})"))
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
    fn where_streams_come_from() {
        let streams = r#"{"streams":[
            {"name":"cam","media":["video H264"],"edges":[],"relayed_to":[],
             "origin":{"kind":"unicast","state":"running"}},
            {"name":"news","media":["video H264"],"edges":[],"relayed_to":[],
             "origin":{"kind":"multicast","state":"idle"}}]}"#;
        let out = Fake::answering(streams).run(run).unwrap();
        assert_eq!(
            out,
            "\
STREAM  ON AIR  FROM             RELAYED TO  EDGES  MEDIA
cam     ?       unicast running  -           -      video H264
news    ?       multicast idle   -           -      video H264
"
        );
    }

    #[test]
    fn an_empty_list_says_how_to_add_a_stream() {
        let out = Fake::answering(r#"{"streams":[]}"#).run(run).unwrap();
        assert!(out.starts_with("No stream can be relayed"), "{out}");
    }

    #[test]
    fn programs_get_everything() {
        let mut fake = Fake::answering(STREAMS).for_programs();
        let out = fake.run(run).unwrap();
        let list: StreamList = serde_json::from_str(&out).unwrap();
        assert_eq!(list.streams.len(), 2);
    }
}
