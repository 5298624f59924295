//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::completions::Shell;
use crate::context::Context;
use crate::failure::Failure;
use crate::relay_arg::RelayArg;
use crate::sdp::Sdp;
use crate::start::Start;
use crate::{
    check, completions, events, list, ping, reload, report, scan, show, start, stop, streams, watch,
};

/// What follows the list of commands in `--help`.
const EXAMPLES: &str = "\
Examples:
  dynrelay list                     what is relayed now, and to whom
  dynrelay show news                why is nothing seen? every flow of news
  dynrelay start news --edge dss2   relay it now, as if a viewer had asked
  dynrelay stop news/dss2           close that relay
  dynrelay watch                    look on, live
  dynrelay scan                     which streams are on air?
  dynrelay check --edge dss2 news   the way of news to dss2, step by step
  dynrelay check && dynrelay reload
                                    take over a changed configuration
  dynrelay list --json | jq -r '.relays[] | .stream + \"/\" + .edge'

Exit codes: 0 done, 1 refused or failed, 2 usage, 3 daemon not reachable.
See dynrelay(1), and dynrelay.toml(5) for the configuration.";

/// Shows and changes what dynrelayd relays.
///
/// A relay is one stream on its way to one edge, written STREAM/EDGE. Viewers start relays by
/// asking the web server, and relays close by themselves when nobody watches; nobody needs this
/// command for that. It is here to look on, and to step in.
#[derive(Debug, Parser)]
#[command(name = "dynrelay", version, after_help = EXAMPLES, max_term_width = 80)]
#[command(infer_subcommands = false, disable_help_subcommand = false)]
pub(crate) struct Arguments {
    /// The daemon's socket [default: $DYNRELAY_SOCKET, else /run/dynrelay/control.sock]
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Print JSON for programs, one object on one line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// The socket to use, where the environment variable says `from_env`.
    pub(crate) fn socket(&self, from_env: Option<OsString>) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| Self::default_socket(from_env))
    }

    /// The socket where no option names one, and the environment variable says `from_env`.
    pub(crate) fn default_socket(from_env: Option<OsString>) -> PathBuf {
        let from_env = from_env.filter(|path| !path.is_empty()).map(PathBuf::from);
        from_env.unwrap_or_else(|| control::DEFAULT_SOCKET.into())
    }
}

/// Nouns show, verbs change.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the streams that can be relayed, and the edges that take them
    #[command(after_help = "A stream can be relayed to an edge when both STREAM.sdp and \
        STREAM.EDGE.sdp are in the streams folder and fit. One that is missing here has a \
        faulty file: `dynrelay check` names it.")]
    Streams,
    /// Show what is relayed now
    #[command(after_help = "States:\n  \
        starting  everything is sent; the edge may refuse until the player gets there\n  \
        live      everything is sent, and taken\n  \
        suspect   the edge refuses: only probes are sent, and soon the relay closes\n  \
        closed    over; see WHY\n\n\
        SENT and REFUSED count from the relay's start; VIEWERS is what the edge says, if it does.")]
    List {
        /// Show the relays that closed lately too, and why
        #[arg(long)]
        all: bool,
    },
    /// Show a stream's relays, flow by flow
    #[command(after_help = "Examples:\n  dynrelay show news\n  dynrelay show news dss2\n  \
        dynrelay show news/dss2\n\n\
        GATE is what a flow lets through: open everything, probe the next packet, shut nothing. \
        SILENT is the time since the encoder's last packet; `no input` if none ever came.")]
    Show(RelayArg),
    /// Watch the relays in a live table, or line by line if the output is not a terminal
    #[command(
        after_help = "q or Ctrl-C ends it. FOR is the time in this state, AGE the time since \
        the relay began; VIEWERS is what the edge says, if it does. When the daemon goes away, it \
        waits for it.\n\nFor root and the daemon's own user."
    )]
    Watch,
    /// Print a line for each change of a relay's state
    #[command(after_help = "Examples:\n  dynrelay events\n  \
        dynrelay events --json | jq -r 'select(.state == \"closed\") | .reason'\n\n\
        Once it says whom it follows (on standard error), it misses nothing. When the daemon goes \
        away, it says so there too, and waits for it.\n\nFor root and the daemon's own user.")]
    Events,
    /// Relay a stream, as if a viewer had asked for it
    #[command(after_help = "Examples:\n  dynrelay start news --edge dss2\n  \
        dynrelay start news --client 203.0.113.9    which edge would this viewer get?\n\n\
        The relay closes by itself like any other when nobody watches.")]
    Start(Start),
    /// Close a relay now
    #[command(after_help = "Examples:\n  dynrelay stop news dss2\n  dynrelay stop news/dss2\n\n\
        The next viewer who asks starts it again; to end that, take STREAM.EDGE.sdp away and \
        reload.")]
    Stop(RelayArg),
    /// Read the configuration and the streams folder again
    #[command(after_help = "Relays that the changes do not concern go on undisturbed. A faulty \
        file is named, and what it said before stays in use; `dynrelay check` names it beforehand.")]
    Reload,
    /// Ask whether the daemon is running
    Ping,
    /// Name everything that is wrong with the configuration and the running system
    ///
    /// Reads dynrelay.toml and the streams folder as the daemon would, joins every group for a
    /// moment, asks the edges whether they answer and refuse, and looks at interfaces, kernel,
    /// firewall, the rights to the socket, and what a running daemon says. Changes nothing. Run it as
    /// root to see everything: what can't be looked at is reported as unknown.
    #[command(after_help = "Examples:\n  dynrelay check && dynrelay reload\n  \
        dynrelay check --config ./dynrelay.toml --json | jq -r '.findings[].what'\n  \
        dynrelay check --edge dss2 news   the whole way of news to dss2, step by step\n\n\
        With --edge the stream is relayed for as long as that takes, and stopped again if it wasn't \
        before. An edge accepts it while somebody watches there.\n\n\
        Exit codes: 0 no errors (there may be warnings), 1 errors.")]
    Check(check::Check),
    /// Find out which streams are active; needs no daemon
    ///
    /// Joins the groups of every stream at once, for five seconds, and says of each media whether
    /// its RTP arrives here: with rate, loss, SSRC and sender. A packet counts only if it has a
    /// payload type of the stream's SDP. Relays are not disturbed.
    #[command(after_help = "Examples:\n  dynrelay scan\n  dynrelay scan news --for 30s\n  \
        dynrelay scan news --quick >/dev/null && echo news is on air\n\n\
        RATE counts UDP payload, LOST what is missing in the sequence of RTP packets. \
        A unicast port that a program on this host uses can't be shared: PORT IN USE.\n\n\
        Exit codes: 0 every media of the streams is active, 1 one is not.")]
    Scan(scan::Wanted),
    /// Look into SDP files, compare them, and make one for an edge
    #[command(subcommand)]
    Sdp(Sdp),
    /// Sum up logs: who watched what, where and for how long, and what was saved
    ///
    /// Reads dynrelayd's JSON log, the same from `journalctl -o json`, and access logs of streaming
    /// servers in the W3C extended format, and sums them up by stream, edge, day and viewers'
    /// network. Kinds are told apart by what is in the files. Needs no daemon.
    #[command(after_help = "Examples:\n  \
        journalctl -u dynrelayd -o json | dynrelay report -\n  \
        dynrelay report dynrelayd.json StreamingServer.log* --since 2026-11-01\n  \
        dynrelay report --html dynrelayd.json >report.html\n\n\
        SAVED is how much less was sent than if every relay had run all the time.")]
    Report(report::Wanted),
    /// Print the completion script for a shell
    #[command(
        after_help = "Examples:\n  source <(dynrelay completions bash)    in bash, and likewise in zsh\n  \
        dynrelay completions fish | source\n\n\
        The package has installed it already. At each Tab the script asks \
        this program, which asks the daemon for names."
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
}

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &mut Context<'_>) -> Result<(), Failure> {
        match self {
            Self::Streams => streams::run(context),
            Self::List { all } => list::run(context, all),
            Self::Show(relay) => show::run(context, &relay),
            Self::Watch => watch::run(context),
            Self::Events => events::run(context),
            Self::Start(start) => start::run(context, start),
            Self::Stop(relay) => stop::run(context, &relay),
            Self::Reload => reload::run(context),
            Self::Ping => ping::run(context),
            Self::Check(what) => check::run(context, &what),
            Self::Scan(wanted) => scan::run(context, &wanted),
            Self::Sdp(sdp) => sdp.run(context),
            Self::Report(wanted) => report::run(context, wanted),
            Self::Completions { shell } => completions::run(context, shell),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_option_wins_over_the_environment_and_both_over_the_default() {
        let socket = |words: &[&str], env: Option<&str>| {
            Arguments::parse_from(words).socket(env.map(Into::into))
        };
        let option = ["dynrelay", "ping", "--socket", "/a"];
        assert_eq!(socket(&option, Some("/b")), PathBuf::from("/a"));
        assert_eq!(socket(&["dynrelay", "ping"], Some("/b")), PathBuf::from("/b"));
        for env in [None, Some("")] {
            let path = socket(&["dynrelay", "ping"], env);
            assert_eq!(path, PathBuf::from(control::DEFAULT_SOCKET));
        }
    }
}
