//! `dynrelay sdp`: looking into SDP files, and making an edge's.

mod compare;
mod offer;
mod relayconfig;
mod show;

use std::path::{Path, PathBuf};

use catalog::{Catalog, Fault};
use clap::Subcommand;

use self::compare::Compare;
use self::offer::Offering;
use crate::context::Context;
use crate::failure::Failure;
use crate::suggest;

/// More names than this are not listed in an error.
const FEW: usize = 8;

/// What can be done with SDP files. None of it needs a daemon.
#[derive(Debug, Subcommand)]
pub(crate) enum Sdp {
    /// Show what is understood of an SDP file; needs no daemon
    #[command(after_help = "Examples:\n  dynrelay sdp show /etc/dynrelay/streams/news.sdp\n  \
        dynrelay sdp show news.sdp --json | jq -r '.media[].port'")]
    Show {
        /// The SDP file
        file: PathBuf,
    },
    /// Write the SDP file by which an edge takes a stream
    ///
    /// It is the stream's own, with the edge's address and ports, and without what is true of the
    /// multicast alone; the codecs' lines stay as they are. The edge's administrator puts it in
    /// place as STREAM.sdp: that is the edge's consent. The same file goes into the streams folder
    /// as STREAM.EDGE.sdp.
    #[command(after_help = "Examples:\n  \
        dynrelay sdp offer news dss2 >news.sdp            for dss2's administrator\n  \
        dynrelay sdp offer news dss2 --save               once it is in place there\n  \
        dynrelay sdp offer news dss2 --ports 48028,58030  video and audio on these\n\n\
        Without --ports the choice goes by the stream's name: the same each time, even, and none \
        that another SDP file of that edge in the streams folder has.")]
    Offer(Offering),
    /// Say whether an edge's SDP file fits a stream's, media by media
    #[command(after_help = "Examples:\n  dynrelay sdp check news dss2\n  \
        dynrelay sdp check news.sdp news.dss2.sdp\n  \
        dynrelay sdp check ./mine ./theirs --json | jq .fits\n\n\
        Exit codes: 0 they fit, 1 they don't.")]
    Check(Compare),
    /// Write what makes Darwin Streaming Server replicate a stream
    ///
    /// For a stream whose encoder sends to Darwin Streaming Server on this host, where that must
    /// keep its ports: prints the part of Darwin's relayconfig.xml by which Darwin itself sends the
    /// stream on to the group of [replica] in STREAM.toml, from where dynrelayd takes it.
    #[command(after_help = "Example, where STREAM.toml says\n\n  [replica]\n  \
        group = \"239.255.1.2\"\n  run = \"elsewhere\"\n\n  \
        dynrelay sdp relayconfig news    put this into relayconfig.xml, and restart Darwin\n  \
        dynrelay scan news               see that it arrives")]
    Relayconfig {
        /// The stream
        stream: String,
        /// The configuration to read it from
        #[arg(long, value_name = "FILE", default_value = "/etc/dynrelay/dynrelay.toml")]
        config: PathBuf,
    },
}

impl Sdp {
    /// Does it.
    pub(crate) fn run(self, context: &mut Context<'_>) -> Result<(), Failure> {
        match self {
            Self::Show { file } => show::run(context, &file),
            Self::Offer(offering) => offer::run(context, &offering),
            Self::Check(compare) => compare::run(context, &compare),
            Self::Relayconfig { stream, config } => relayconfig::run(context, &stream, &config),
        }
    }
}

/// The catalogue, as far as it can be read, with what is wrong in dynrelay.toml.
fn catalogue(config: &Path) -> Result<(Catalog, Vec<Fault>), Failure> {
    Ok(Catalog::salvage(config)?)
}

/// Why there is no such stream or no such edge, and which there are.
fn unknown(catalog: &Catalog, faults: &[Fault], stream: &str, edge: &str) -> Option<Failure> {
    let streams = &catalog.config().streams;
    if catalog.stream(stream).is_none() {
        let file = streams.join(format!("{stream}.sdp"));
        let faulty = catalog.problems().iter().find(|problem| problem.file == file);
        let names = catalog.streams().map(|stream| stream.name.as_str());
        return Some(Failure::Unfit(match faulty {
            Some(problem) => problem.to_string(),
            None => format!(
                "there is no stream {stream}: put the encoder's SDP into {} as {stream}.sdp{}",
                streams.display(),
                others(stream, names)
            ),
        }));
    }
    if catalog.edge(edge).is_none() {
        let names = catalog.edges().iter().map(|edge| edge.name.as_str());
        let faulty = if faults.is_empty() { "" } else { " (it has faults: `dynrelay check`)" };
        return Some(Failure::Unfit(format!(
            "there is no edge {edge}: add an [[edge]] with its name and address to \
             dynrelay.toml{faulty}{}",
            others(edge, names)
        )));
    }
    None
}

/// `; there are: news, sport`; where these are many, `; did you mean news?`
fn others<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.len() {
        1..=FEW => format!("; there are: {}", names.join(", ")),
        _ => suggest::hint(typed, names.into_iter()),
    }
}
