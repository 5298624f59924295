//! The command line.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

use crate::completions::Shell;
use crate::context::Context;
use crate::failure::Failure;
use crate::relay_arg::RelayArg;
use crate::sdp::Sdp;
use crate::start_stop::Start;
use crate::{
    check, completions, daemon, events, list, report, scan, show, start_stop, streams, vocabulary,
    watch,
};

/// The text below the list of commands in `--help`.
const EXAMPLES: &str = "\
Examples:
  dynrelay list                     which relays are open
  dynrelay show news                every flow of news, to find out why nothing is seen
  dynrelay start news --edge dss2   relay it now, as if a viewer had asked
  dynrelay stop news/dss2           close that relay
  dynrelay watch                    a live table of the relays
  dynrelay scan                     which streams are on air?
  dynrelay check --edge dss2 news   follow news to dss2, step by step
  dynrelay check && dynrelay reload
                                    put a changed configuration into effect
  dynrelay list --json | jq -r '.relays[] | .stream + \"/\" + .edge'

Exit codes: 0 done, 1 refused or failed, 2 usage, 3 daemon not reachable.
See dynrelay(1), and dynrelay.toml(5) for the configuration.";

/// Shows and changes what dynrelayd relays.
///
/// A relay is one stream on its way to one edge, written STREAM/EDGE. Viewers start relays through
/// the web server, and relays close by themselves when nobody watches. Use this command to look on
/// and to step in.
#[derive(Debug, Parser)]
#[command(name = "dynrelay", version, after_help = EXAMPLES, max_term_width = 80)]
#[command(infer_subcommands = false, disable_help_subcommand = false)]
pub(crate) struct Arguments {
    /// The daemon's socket [default: $DYNRELAY_SOCKET, else /run/dynrelay/control.sock]
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Print JSON for programs, one object on one line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Nouns show, verbs change.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the streams that can be relayed, and the edges that take them
    #[command(after_help = "A stream can be relayed to an edge when both STREAM.sdp and \
        STREAM.EDGE.sdp are in the streams folder and fit. A stream that is missing here has a \
        faulty file, and `dynrelay check` names the file.")]
    Streams,
    /// Show the open relays
    #[command(after_help = "States:\n  \
        starting  everything is sent; the edge may refuse until the player reaches it\n  \
        live      everything is sent, and the edge takes it\n  \
        suspect   the edge refuses: only probes are sent; the relay soon closes\n  \
        closed    the relay has ended; WHY says why\n\n\
        SENT and REFUSED count from the relay's start. VIEWERS is the number that the edge \
        reports, if it does.")]
    List {
        /// Also show the recently closed relays, and why they closed
        #[arg(long)]
        all: bool,
    },
    /// Show a stream's relays, flow by flow
    #[command(after_help = "Examples:\n  dynrelay show news\n  dynrelay show news dss2\n  \
        dynrelay show news/dss2\n\n\
        GATE says what passes to the edge: open everything, probe the next packet, shut nothing. \
        SILENT is the time since the encoder's last packet; `no input` means that none has come.")]
    Show(RelayArg),
    /// Watch the relays in a live table, or line by line if the output is not a terminal
    #[command(
        after_help = "q or Ctrl-C ends it. FOR is the time in this state, AGE the time since \
        the relay began. VIEWERS is the number that the edge reports, if it does. If the daemon \
        stops, `watch` waits for it.\n\nOnly root and the daemon's user may use this."
    )]
    Watch,
    /// Print a line for each change of a relay's state
    #[command(after_help = "Examples:\n  dynrelay events\n  \
        dynrelay events --json | jq -r 'select(.state == \"closed\") | .reason'\n\n\
        Prints \"following ...\" on standard error, then one line per state change. If the daemon \
        stops, `events` says so on standard error and waits for it.\n\nOnly root and the daemon's \
        user may use this.")]
    Events,
    /// Relay a stream as if a viewer had asked for it
    #[command(after_help = "Examples:\n  dynrelay start news --edge dss2\n  \
        dynrelay start news --client 203.0.113.9    which edge would this viewer get?\n\n\
        Like any other, this relay closes by itself when nobody watches.")]
    Start(Start),
    /// Close a relay now
    #[command(
        after_help = "Examples:\n  dynrelay stop news        if news is relayed to one edge\n  \
        dynrelay stop news dss2\n  dynrelay stop news/dss2\n\n\
        The next viewer who asks starts it again. To prevent that, remove STREAM.EDGE.sdp and \
        reload."
    )]
    Stop(RelayArg),
    /// Read the configuration and the streams folder again
    #[command(after_help = "Relays go on unless the changes concern them. The answer names \
        faulty files; their last good version stays in use. `dynrelay check` finds them before.")]
    Reload,
    /// Ask whether the daemon runs
    Ping,
    /// List everything that is wrong with the configuration and the running system
    ///
    /// Reads dynrelay.toml and the streams folder as the daemon does. Joins every group briefly, and
    /// asks the edges whether they answer and refuse. Looks at interfaces, kernel, firewall, the
    /// permissions of the socket, and the state of a running daemon. Changes nothing. Run it as root:
    /// what it may not look at, it reports as unknown.
    #[command(after_help = "Examples:\n  dynrelay check && dynrelay reload\n  \
        dynrelay check --config ./dynrelay.toml --json | jq -r '.findings[].what'\n  \
        dynrelay check --edge dss2 news   follow news to dss2, step by step\n\n\
        With --edge, the command starts the relay if it does not run, and stops it at the end. An \
        edge accepts the stream only while somebody watches there.\n\n\
        Exit codes: 0 no errors (there may be warnings), 1 errors.")]
    Check(check::Check),
    /// Find out which streams are active; needs no daemon
    ///
    /// Listens to every stream at once, for five seconds, and says for each media whether its RTP
    /// arrives, with rate, loss, SSRC and sender. A packet counts only if it has a payload type of
    /// the stream's SDP. Running relays are not affected.
    #[command(after_help = "Examples:\n  dynrelay scan\n  dynrelay scan news --for 30s\n  \
        dynrelay scan news --quick >/dev/null && echo news is on air\n\n\
        RATE counts UDP payload, LOST the gaps in the sequence of RTP packets. PORT IN USE means \
        that another program on this host has the stream's unicast port.\n\n\
        Exit codes: 0 every media of the streams is active, 1 a media is not.")]
    Scan(scan::Wanted),
    /// Show and compare SDP files, and make one for an edge
    #[command(subcommand)]
    Sdp(Sdp),
    /// Sum up logs: who watched what, where and for how long, and what was saved
    ///
    /// Reads dynrelayd's log as JSON or from `journalctl -o json`, and access logs of streaming
    /// servers in the W3C extended format or of Wowza. Sums them up by stream, edge, day and viewers' network.
    /// Recognises each kind of log by its contents. Needs no daemon.
    #[command(after_help = "Examples:\n  \
        journalctl -u dynrelayd -o json | dynrelay report -\n  \
        dynrelay report dynrelayd.json StreamingServer.log* --since 2026-11-01\n  \
        dynrelay report --html dynrelayd.json >report.html\n\n\
        SAVED is the traffic that relaying all the time would have added.")]
    Report(report::Wanted),
    /// Print the completion script for a shell
    #[command(
        after_help = "Examples:\n  source <(dynrelay completions bash)    in bash; zsh works alike\n  \
        dynrelay completions fish | source\n\n\
        The package installs these scripts. At each Tab the script asks \
        this program, which asks the daemon for names."
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print every word that this command takes or prints, as JSON
    #[command(hide = true)]
    Vocabulary,
}

impl Command {
    /// Runs the command.
    pub(crate) fn run(self, context: &mut Context<'_>) -> Result<(), Failure> {
        match self {
            Self::Streams => streams::run(context),
            Self::List { all } => list::run(context, all),
            Self::Show(relay) => show::run(context, &relay),
            Self::Watch => watch::run(context),
            Self::Events => events::run(context),
            Self::Start(start) => start_stop::start(context, start),
            Self::Stop(relay) => start_stop::stop(context, &relay),
            Self::Reload => daemon::reload(context),
            Self::Ping => daemon::ping(context),
            Self::Check(what) => check::run(context, &what),
            Self::Scan(wanted) => scan::run(context, &wanted),
            Self::Sdp(sdp) => sdp.run(context),
            Self::Report(wanted) => report::run(context, wanted),
            Self::Completions { shell } => completions::run(context, shell),
            Self::Vocabulary => vocabulary::run(context, &Arguments::command()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::completions::with_names;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    /// The words that may come after these.
    fn after(words: &[&str]) -> Vec<String> {
        let mut line: Vec<OsString> = vec!["dynrelay".into()];
        line.extend(words.iter().map(Into::into));
        let mut command = with_names(Arguments::command());
        command.build();
        let last = line.len() - 1;
        let found = clap_complete::engine::complete(&mut command, line, last, None).unwrap();
        found.iter().map(|one| one.get_value().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn every_command_and_option_is_completed() {
        let mut ways = vec![(Vec::new(), Arguments::command())];
        while let Some((way, command)) = ways.pop() {
            let at = |last| [way.as_slice(), &[last]].concat();
            for option in command.get_opts().filter(|option| !option.is_hide_set()) {
                let option = format!("--{}", option.get_long().unwrap());
                assert!(after(&at("--")).contains(&option), "{way:?} {option}");
            }
            for next in command.get_subcommands().filter(|next| !next.is_hide_set()) {
                let name: &'static str = String::from(next.get_name()).leak();
                assert!(after(&at("")).contains(&name.to_owned()), "{way:?} {name}");
                ways.push((at(name), next.clone()));
            }
        }
    }
}
