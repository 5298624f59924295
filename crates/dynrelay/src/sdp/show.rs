//! `dynrelay sdp show`: what is understood of an SDP file.

use std::path::Path;

use catalog::sdp::{Format, Media, Session};
use serde_json::{Value, json};

use crate::color::Color;
use crate::context::Context;
use crate::failure::Failure;
use crate::json;
use crate::table::{Column, Table};

/// Prints the media of an SDP file.
pub(super) fn run(context: &mut Context<'_>, file: &Path) -> Result<(), Failure> {
    let session = Session::read(file)?;
    if context.json {
        return Ok(json::line(context.out, &shape(&session).to_string())?);
    }
    context.heading(session.title().unwrap_or("(no name)"), Color::Bold)?;
    if session.media.is_empty() {
        context.say("It describes no media: there is no m= line.")?;
        return Ok(());
    }
    let mut table = Table::new([
        Column::name("MEDIA"),
        Column::number("PORT"),
        Column::name("ADDRESS"),
        Column::name("SENDER"),
        Column::text("FORMATS"),
    ]);
    for media in &session.media {
        let senders: Vec<String> =
            media.allowed_senders().iter().map(ToString::to_string).collect();
        let sender = if senders.is_empty() { "any".to_owned() } else { senders.join(" ") };
        let formats: Vec<String> = media.formats.iter().map(ToString::to_string).collect();
        let formats = if formats.is_empty() { media.proto.clone() } else { formats.join(", ") };
        let cells = [media.kind.clone(), ports(media), addresses(media), sender, formats];
        table.row(cells.map(Into::into));
    }
    context.print(&table)?;
    Ok(())
}

/// For programs: `{"name":"News","media":[…]}`.
fn shape(session: &Session) -> Value {
    let media = session.media.iter().map(|media| {
        let format = |format: &Format| {
            let Format { pt, codec, clock, channels } = format;
            let mut shape = json!({ "pt": pt, "codec": codec, "clock": clock });
            if codec.is_some() && media.kind == "audio" {
                shape["channels"] = json!(channels);
            }
            shape
        };
        let senders = media.allowed_senders();
        let mut shape = json!({
            "kind": media.kind,
            "port": media.port,
            "ports": media.ports,
            "addresses": media.connections.iter().map(|one| one.address).collect::<Vec<_>>(),
            "address_count": media.address_count(),
            "source": senders.first(),
            "formats": media.formats.iter().map(format).collect::<Vec<_>>(),
        });
        if senders.len() > 1 {
            shape["sources"] = json!(senders);
        }
        shape
    });
    json!({ "name": session.name, "media": media.collect::<Vec<_>>() })
}

fn ports(media: &Media) -> String {
    match media.ports {
        1 => media.port.to_string(),
        ports => format!("{}/{ports}", media.port),
    }
}

fn addresses(media: &Media) -> String {
    let one = |connection: &catalog::sdp::Connection| match connection.count {
        1 => connection.address.to_string(),
        count => format!("{}/{count}", connection.address),
    };
    let addresses: Vec<String> = media.connections.iter().map(one).collect();
    if addresses.is_empty() { "none".to_owned() } else { addresses.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    const NEWS: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=News \u{202e}2J\r\nt=0 0\r\n\
        c=IN IP4 239.1.2.3/16\r\nm=video 5004 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
        m=audio 5006 RTP/AVP 14\r\na=source-filter: incl IN IP4 239.1.2.3 192.0.2.1\r\n";

    fn show(text: &str, json: bool) -> Result<String, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("news.sdp");
        std::fs::write(&file, text).unwrap();
        let fake = Fake::default();
        let mut fake = if json { fake.for_programs() } else { fake };
        fake.run(|context| run(context, &file))
    }

    #[test]
    fn a_table_has_a_row_for_each_media() {
        assert_eq!(
            show(NEWS, false).unwrap(),
            "\
News 2J
MEDIA  PORT  ADDRESS    SENDER     FORMATS
video  5004  239.1.2.3  any        H264/90000 pt 96
audio  5006  239.1.2.3  192.0.2.1  MPA/90000 pt 14
"
        );
        assert!(show("v=0\r\n", false).unwrap().contains("describes no media"));
    }

    #[test]
    fn programs_get_every_media() {
        let text = "v=0\ns=News\nc=IN IP4 239.1.2.3/127\nt=0 0\n\
            a=source-filter: incl IN IP4 239.1.2.3 10.0.0.1\nm=video 5004 RTP/AVP 96\n\
            a=rtpmap:96 H264/90000\nm=audio 5006/2 RTP/AVP 14 98 99\nc=IN IP6 ff15::1/3\n\
            a=rtpmap:98 mpeg4-generic/48000/2\n";
        let shown: Value = serde_json::from_str(&show(text, true).unwrap()).unwrap();
        let expected = json!({"name": "News", "media": [
            {
                "kind": "video", "port": 5004, "ports": 1, "addresses": ["239.1.2.3"],
                "address_count": 1, "source": "10.0.0.1",
                "formats": [{"pt": 96, "codec": "H264", "clock": 90000}],
            },
            {
                "kind": "audio", "port": 5006, "ports": 2, "addresses": ["ff15::1"],
                "address_count": 3, "source": null,
                "formats": [
                    {"pt": 14, "codec": "MPA", "clock": 90000, "channels": 1},
                    {"pt": 98, "codec": "mpeg4-generic", "clock": 48000, "channels": 2},
                    {"pt": 99, "codec": null, "clock": null},
                ],
            },
        ]});
        assert_eq!(shown, expected);
    }

    #[test]
    fn an_error_names_the_file_and_the_line() {
        let failure = show("v=0\r\nm=video x RTP/AVP 96\r\n", false).unwrap_err();
        assert!(failure.to_string().contains("news.sdp, line 2: "), "{failure}");
    }
}
