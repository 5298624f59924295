//! `dynrelay sdp`: shows and compares SDP files, and makes one for an edge.

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

/// An error lists at most this many names.
const FEW: usize = 8;

/// The commands for SDP files. None of them needs a daemon.
#[derive(Debug, Subcommand)]
pub(crate) enum Sdp {
    /// Show how dynrelay reads an SDP file; needs no daemon
    #[command(after_help = "Examples:\n  dynrelay sdp show /etc/dynrelay/streams/news.sdp\n  \
        dynrelay sdp show news.sdp --json | jq -r '.media[].port'")]
    Show {
        /// The SDP file
        file: PathBuf,
    },
    /// Write the SDP file by which an edge takes a stream
    ///
    /// The file is the stream's own, with the edge's address and ports, and without lines about
    /// the multicast. The edge's administrator saves it on the edge as STREAM.sdp: that is the
    /// edge's consent. The same file goes into the streams folder as STREAM.EDGE.sdp.
    #[command(after_help = "Examples:\n  \
        dynrelay sdp offer news dss2 >news.sdp            for dss2's administrator\n  \
        dynrelay sdp offer news dss2 --save               once it is on the edge\n  \
        dynrelay sdp offer news dss2 --ports 48028,58030  video and audio on these\n\n\
        Without --ports, the command derives even ports from the stream's name, the same each \
        time. It avoids the ports of other SDP files of that edge in the streams folder.")]
    Offer(Offering),
    /// Say whether an edge's SDP file fits a stream's, media by media
    #[command(after_help = "Examples:\n  dynrelay sdp check news dss2\n  \
        dynrelay sdp check news.sdp news.dss2.sdp\n  \
        dynrelay sdp check ./mine ./theirs --json | jq .fits\n\n\
        Exit codes: 0 the files fit, 1 they do not fit.")]
    Check(Compare),
    /// Print the configuration that makes Darwin Streaming Server replicate a stream
    ///
    /// Use this if Darwin Streaming Server on this host must keep the encoder's ports. It prints the
    /// part of relayconfig.xml that makes Darwin send the stream to the group of [replica] in
    /// STREAM.toml. dynrelayd receives the stream from that group.
    #[command(after_help = "Example, with this in STREAM.toml:\n\n  [replica]\n  \
        group = \"239.255.1.2\"\n  run = \"elsewhere\"\n\n  \
        dynrelay sdp relayconfig news    put this into relayconfig.xml, and restart Darwin\n  \
        dynrelay scan news               see whether it arrives")]
    Relayconfig {
        /// The stream
        stream: String,
        /// The configuration that has the stream
        #[arg(long, value_name = "FILE", default_value = "/etc/dynrelay/dynrelay.toml")]
        config: PathBuf,
    },
}

impl Sdp {
    /// Runs the command.
    pub(crate) fn run(self, context: &mut Context<'_>) -> Result<(), Failure> {
        match self {
            Self::Show { file } => show::run(context, &file),
            Self::Offer(offering) => offer::run(context, &offering),
            Self::Check(compare) => compare::run(context, &compare),
            Self::Relayconfig { stream, config } => relayconfig::run(context, &stream, &config),
        }
    }
}

/// Reads as much of the catalogue as it can, with the faults of dynrelay.toml.
fn catalogue(config: &Path) -> Result<(Catalog, Vec<Fault>), Failure> {
    Ok(Catalog::salvage(config)?)
}

/// The error for an unknown stream or edge, with the known names. None if both are known.
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
