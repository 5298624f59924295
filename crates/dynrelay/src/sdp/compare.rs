//! `dynrelay sdp check`: whether an edge's SDP file fits a stream's.

use std::path::{Path, PathBuf};

use catalog::{Comparison, Problem, Severity};
use clap::Args;
use model::is_name;
use serde_json::{Value, json};

use super::lookup::{catalogue, unknown};
use crate::color::Color;
use crate::context::Context;
use crate::failure::Failure;
use crate::json;
use crate::table::{Cell, Column, Table};
use crate::text::wrapped;

/// The options of `dynrelay sdp check`: names, or files.
#[derive(Clone, Debug, Args)]
pub(crate) struct Compare {
    /// The stream's name, or its SDP file (ending in .sdp, or with a slash in it)
    stream: String,
    /// The edge's name, or its SDP file
    edge: String,
    /// The configuration that has the stream and the edge
    #[arg(long, value_name = "FILE", default_value = "/etc/dynrelay/dynrelay.toml")]
    config: PathBuf,
}

/// The two files, and how they compare.
struct Pair {
    stream: PathBuf,
    edge: PathBuf,
    comparison: Comparison,
    /// Why the catalogue does not relay by them although they fit.
    refusal: Option<String>,
}

/// Prints which media fit, and fails if one does not.
pub(super) fn run(context: &mut Context<'_>, compare: &Compare) -> Result<(), Failure> {
    let files = [&compare.stream, &compare.edge].map(|word| !is_name(word) || is_file(word));
    let pair = match files {
        [true, true] => {
            let (stream, edge) = (PathBuf::from(&compare.stream), PathBuf::from(&compare.edge));
            let comparison = Comparison::of(&stream, &edge)?;
            Pair { stream, edge, comparison, refusal: None }
        }
        [false, false] => named(compare)?,
        _ => {
            let what = "give two files, or a stream and an edge; a file's name ends in .sdp or \
                        has a slash in it: ./news";
            return Err(Failure::Usage(what.into()));
        }
    };
    let comparison = &pair.comparison;
    let refusal = pair.refusal.as_ref().filter(|_| comparison.fits());
    let fits = comparison.fits() && refusal.is_none();
    if context.json {
        json::line(context.out, &shape(comparison, fits, refusal).to_string())?;
    } else {
        print(context, &pair, refusal)?;
    }
    if fits { Ok(()) } else { Err(Failure::Unsound) }
}

fn is_file(word: &str) -> bool {
    Path::new(word).extension().is_some_and(|extension| extension == "sdp")
}

fn named(Compare { stream, edge, config }: &Compare) -> Result<Pair, Failure> {
    let (catalog, faults) = catalogue(config)?;
    if let Some(failure) = unknown(&catalog, &faults, stream, edge) {
        return Err(failure);
    }
    let file = catalog.consent_file(stream, edge);
    if !file.exists() {
        return Err(Failure::Unfit(format!(
            "{edge} has not agreed to take {stream}: there is no {}; make one with `dynrelay sdp \
             offer {stream} {edge}`",
            file.display()
        )));
    }
    let gone = || Failure::Unfit(format!("there is no {stream}/{edge} in the catalogue"));
    let comparison = catalog.compare(stream, edge).ok_or_else(gone)??;
    Ok(Pair {
        stream: catalog.sdp_file(stream),
        edge: file,
        comparison,
        refusal: catalog.route(stream, edge).err().map(|refusal| refusal.to_string()),
    })
}

fn print(context: &mut Context<'_>, pair: &Pair, refusal: Option<&String>) -> Result<(), Failure> {
    let Pair { comparison, .. } = pair;
    let mut table = Table::new([
        Column::text("MEDIA"),
        Column::name("FROM"),
        Column::name("TO PORT"),
        Column::name("FITS"),
    ]);
    for media in &comparison.media {
        let (word, color) =
            if media.problem.is_some() { ("no", Color::Red) } else { ("yes", Color::Green) };
        let said = media.stream.as_ref().or(media.edge.as_ref()).cloned().unwrap_or_default();
        let from: Vec<String> = media.from.iter().map(ToString::to_string).collect();
        let to: Vec<String> = media.to.iter().map(ToString::to_string).collect();
        let cells = [said, several(&from), several(&to)].map(Cell::from);
        table.row([cells.to_vec(), vec![Cell::from(word).colored(color)]].concat());
    }
    context.print(&table)?;
    let problems = comparison.media.iter().filter_map(|media| media.problem.as_ref());
    for problem in problems.chain(&comparison.problems) {
        for line in wrapped(&problem.to_string(), context.width) {
            context.say(&line)?;
        }
    }
    let (edge, stream) = (pair.edge.display(), pair.stream.display());
    let verdict = match refusal {
        Some(refusal) => format!("The files fit, but can't be used: {refusal}"),
        None if comparison.fits() => format!("{edge} fits {stream}."),
        None => {
            format!("{edge} does not fit {stream}: `dynrelay sdp offer` makes one that does.")
        }
    };
    Ok(context.say(&verdict)?)
}

/// `239.1.2.3:5004 and 2 more`
fn several(list: &[String]) -> String {
    match list {
        [] => "-".to_owned(),
        [one] => one.clone(),
        [one, more @ ..] => format!("{one} and {} more", more.len()),
    }
}

/// For programs: `{"fits":…,"media":[…],"problems":[…]}`.
fn shape(comparison: &Comparison, fits: bool, refusal: Option<&String>) -> Value {
    let problem = |Problem { file, line, what, severity }: &Problem| {
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        json!({ "severity": severity, "what": what, "file": file.to_string_lossy(), "line": line })
    };
    let media = comparison.media.iter().map(|media| {
        json!({
            "stream": media.stream,
            "edge": media.edge,
            "from": media.from,
            "to": media.to,
            "fits": media.problem.is_none(),
            "problem": media.problem.as_ref().map(problem),
        })
    });
    let refusal = refusal
        .map(|refusal| json!({ "severity": "error", "what": refusal, "file": null, "line": null }));
    let problems = comparison.problems.iter().map(problem).chain(refusal);
    json!({
        "fits": fits,
        "media": media.collect::<Vec<_>>(),
        "problems": problems.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fake::Fake;

    const STREAM: &str = "v=0\nc=IN IP4 239.1.2.3\nm=video 5004 RTP/AVP 96\n\
        a=rtpmap:96 H264/90000\nm=audio 5006 RTP/AVP 14\n";

    fn check(edge: &str, json: bool) -> (Result<(), Failure>, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("news.sdp"), STREAM).unwrap();
        fs::write(path("edge.sdp"), edge).unwrap();
        let compare =
            Compare { stream: path("news.sdp"), edge: path("edge.sdp"), config: PathBuf::new() };
        let fake = Fake::default();
        let mut fake = if json { fake.for_programs() } else { fake };
        let outcome = fake.run(|context| run(context, &compare)).map(drop);
        (outcome, fake.out())
    }

    #[test]
    fn files_that_fit_have_a_row_for_each_media() {
        let edge = STREAM.replace("239.1.2.3", "198.51.100.7").replace(" 500", " 700");
        let (outcome, out) = check(&edge, false);
        outcome.unwrap();
        let table = "\
MEDIA                    FROM            TO PORT  FITS
video H264/90000 pt 96   239.1.2.3:5004  7004     yes
audio MPA/90000 pt 14    239.1.2.3:5006  7006     yes
";
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeezed(&out).starts_with(&squeezed(table)), "{out}");
        assert_eq!(out.lines().count(), 4, "{out}");
    }

    #[test]
    fn every_media_that_does_not_fit_is_reported() {
        let edge = "v=0\nc=IN IP4 198.51.100.7\nm=video 7005 RTP/AVP 97\nm=audio 7006 RTP/AVP 0\n\
            m=audio 7008 RTP/AVP 14\n";
        let (outcome, out) = check(edge, true);
        assert!(matches!(outcome, Err(Failure::Unsound)));
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(json["fits"], false);
        let fits: Vec<_> =
            json["media"].as_array().unwrap().iter().map(|one| &one["fits"]).collect();
        assert_eq!(fits, [false, false, false]);
        assert_eq!(json["media"][1]["problem"]["line"], 4);
        assert_eq!(json["media"][2]["stream"], serde_json::Value::Null);
        let what = json["problems"][0]["what"].as_str().unwrap();
        assert!(what.contains("odd RTP port"), "{json}");
    }

    #[test]
    fn a_name_and_a_file_can_not_be_compared() {
        let compare =
            Compare { stream: "news".into(), edge: "news.dss2.sdp".into(), config: PathBuf::new() };
        let failure = Fake::default().run(|context| run(context, &compare)).unwrap_err();
        assert!(matches!(failure, Failure::Usage(_)), "{failure}");
    }
}
