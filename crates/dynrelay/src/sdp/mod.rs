//! `dynrelay sdp`: shows and compares SDP files, and makes one for an edge.

mod compare;
mod lookup;
mod offer;
mod relayconfig;
mod show;

use std::path::PathBuf;

use clap::Subcommand;

use self::compare::Compare;
use self::offer::Offering;
use crate::context::Context;
use crate::failure::Failure;

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
        Without --ports, the ports are those of the saved file, or else even ones that nobody can \
        guess, the same until this host boots again. No other SDP file of that edge in the streams \
        folder has them.")]
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
    /// STREAM.toml. dynrelayd receives the stream from that group. Darwin also sends a copy to other
    /// ports of this host, and the SDP file for Darwin names these: with an SDP file that names the
    /// encoder's ports, the first viewer crashes Darwin. Use both parts of one run.
    #[command(after_help = "Example, with this in STREAM.toml:\n\n  [replica]\n  \
        group = \"239.255.1.2\"\n  run = \"elsewhere\"\n\n  \
        dynrelay sdp relayconfig news    save both parts, and restart Darwin\n  \
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
