//! `dynrelay sdp offer`: the SDP file by which an edge takes a stream.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use catalog::Offer;
use clap::Args;

use super::lookup::{catalogue, unknown};
use crate::context::Context;
use crate::failure::Failure;
use crate::json;

/// The options of `dynrelay sdp offer`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Offering {
    /// The stream's name
    stream: String,
    /// The edge's name
    edge: String,
    /// The RTP port of each media, in order, an even number: RTCP uses the next port
    #[arg(long, value_name = "PORT,...", value_delimiter = ',')]
    ports: Option<Vec<u16>>,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE", conflicts_with = "save")]
    output: Option<PathBuf>,
    /// Write to STREAM.EDGE.sdp in the streams folder
    #[arg(long)]
    save: bool,
    /// Replace an existing file with other contents
    #[arg(long)]
    force: bool,
    /// The configuration that names the edge and the streams folder
    #[arg(long, value_name = "FILE", default_value = "/etc/dynrelay/dynrelay.toml")]
    config: PathBuf,
}

/// Writes the file.
pub(super) fn run(context: &mut Context<'_>, offering: &Offering) -> Result<(), Failure> {
    let Offering { stream, edge, ports, force, .. } = offering;
    let (catalog, faults) = catalogue(&offering.config)?;
    if let Some(failure) = unknown(&catalog, &faults, stream, edge) {
        return Err(failure);
    }
    let offer = catalog
        .offer(stream, edge, ports.as_deref())
        .map_err(|error| Failure::Unfit(format!("{stream} can't be offered to {edge}: {error}")))?;
    let file = if offering.save { Some(&offer.file) } else { offering.output.as_ref() };
    if let Some(file) = file {
        save(file, &offer.sdp, *force)?;
    }
    if context.json {
        return Ok(json::line(context.out, &shape(stream, edge, &offer, file))?);
    }
    let Some(file) = file else { return Ok(context.out.write_all(&offer.sdp)?) };
    let media: Vec<String> =
        offer.media.iter().map(|(media, port)| format!("{media} on {port}")).collect();
    context.say(&format!("{} is written: {}.", file.display(), media.join(", ")))?;
    context.say(&format!("Have it saved on {edge} as {stream}.sdp."))?;
    let then = match offering.save {
        true => "Then `dynrelay reload`.".to_owned(),
        false => format!("Then save it here as {}, and `dynrelay reload`.", offer.file.display()),
    };
    Ok(context.say(&then)?)
}

fn shape(stream: &str, edge: &str, offer: &Offer, file: Option<&PathBuf>) -> String {
    let media = offer.media.iter();
    let media: Vec<_> =
        media.map(|(media, port)| serde_json::json!({ "media": media, "port": port })).collect();
    let sdp = String::from_utf8_lossy(&offer.sdp);
    let file = file.map(|file| file.to_string_lossy());
    serde_json::json!({ "stream": stream, "edge": edge, "media": media, "sdp": sdp, "file": file })
        .to_string()
}

/// Writes a temporary file and renames it, so that no reload reads half of it. An existing file with
/// other contents stays, unless `force` is set.
fn save(file: &Path, bytes: &[u8], force: bool) -> Result<(), Failure> {
    let shown = file.display();
    let failed = |error: io::Error| Failure::Unfit(format!("{shown} can't be written: {error}"));
    match fs::read(file) {
        Ok(there) if there == bytes => return Ok(()),
        Ok(_) if !force => {
            return Err(Failure::Unfit(format!(
                "{shown} exists with other contents: compare the two, and use --force to replace it"
            )));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    // The catalogue ignores hidden files.
    let new = file.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = File::create_new(&new).and_then(|mut out| {
        out.write_all(bytes)?;
        out.sync_all()
    });
    let placed = written.and_then(|()| {
        // A link fails if the file exists by now; a rename would replace it.
        if force { fs::rename(&new, file) } else { fs::hard_link(&new, file) }
    });
    let _ = fs::remove_file(&new);
    placed.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    const NEWS: &str = "v=0\no=- 1 1 IN IP4 10.9.0.2\ns=News\nc=IN IP4 239.1.2.3/16\nt=0 0\n\
        m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\nm=audio 5006 RTP/AVP 14\n";
    const TOML: &str = "[[edge]]\nname = \"dss2\"\naddress = \"198.51.100.7\"\n\
        url = \"rtsp://dss2.example.net\"\n";

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("streams")).unwrap();
        fs::write(folder.path().join("dynrelay.toml"), TOML).unwrap();
        fs::write(folder.path().join("streams/news.sdp"), NEWS).unwrap();
        folder
    }

    fn news(folder: &tempfile::TempDir) -> Offering {
        Offering {
            stream: "news".into(),
            edge: "dss2".into(),
            ports: Some(vec![48028, 58030]),
            output: None,
            save: false,
            force: false,
            config: folder.path().join("dynrelay.toml"),
        }
    }

    fn offer(offering: &Offering) -> Result<String, String> {
        Fake::default().run(|context| run(context, offering)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn standard_output_is_the_file_and_no_more() {
        let folder = folder();
        let out = offer(&news(&folder)).unwrap();
        assert_eq!(
            out.replace("\r\n", "\n"),
            "v=0\no=- 1 1 IN IP4 198.51.100.7\ns=News\nc=IN IP4 198.51.100.7\nt=0 0\n\
             m=video 48028 RTP/AVP 96\na=rtpmap:96 H264/90000\nm=audio 58030 RTP/AVP 14\n"
        );
    }

    #[test]
    fn only_force_replaces_a_file() {
        let folder = folder();
        let file = folder.path().join("streams/news.dss2.sdp");
        let saved = Offering { save: true, ..news(&folder) };
        let said = offer(&saved).unwrap();
        assert!(said.contains("video H264 on 48028, audio MPA on 58030."), "{said}");
        let before = fs::read(&file).unwrap();
        offer(&saved).unwrap();
        let other = Offering { ports: Some(vec![6000, 6002]), ..saved };
        let failure = offer(&other).unwrap_err();
        assert!(failure.contains("news.dss2.sdp exists with other contents"), "{failure}");
        assert_eq!(fs::read(&file).unwrap(), before);
        offer(&Offering { force: true, ..other }).unwrap();
        assert_ne!(fs::read(&file).unwrap(), before);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 2);
    }

    #[test]
    fn json_has_the_ports_and_the_text() {
        let folder = folder();
        let out =
            Fake::default().for_programs().run(|context| run(context, &news(&folder))).unwrap();
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(json["media"][1], serde_json::json!({"media": "audio MPA", "port": 58030}));
        assert!(json["sdp"].as_str().unwrap().contains("m=audio 58030 "), "{json}");
        assert!(json["file"].is_null());
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known() {
        let folder = folder();
        let news = news(&folder);
        let sport = offer(&Offering { stream: "sport".into(), ..news.clone() }).unwrap_err();
        assert!(sport.contains("no stream sport") && sport.ends_with("there are: news"), "{sport}");
        let dss3 = offer(&Offering { edge: "dss3".into(), ..news.clone() }).unwrap_err();
        assert!(dss3.contains("no edge dss3") && dss3.ends_with("there are: dss2"), "{dss3}");
        let one = offer(&Offering { ports: Some(vec![48028]), ..news.clone() }).unwrap_err();
        assert!(one.contains("news can't be offered to dss2: news has 2 media"), "{one}");
        fs::write(folder.path().join("streams/bad.sdp"), "junk").unwrap();
        let bad = offer(&Offering { stream: "bad".into(), ..news }).unwrap_err();
        assert!(bad.contains("bad.sdp, line 1"), "{bad}");
    }
}
