//! dynrelay, the administrators' command: nouns show, verbs change.

mod check;
mod color;
mod command;
mod completions;
mod context;
mod daemon;
mod event_stream;
mod events;
mod failure;
mod json;
mod list;
mod progress;
mod relay_arg;
mod report;
mod scan;
mod sdp;
mod show;
mod start_stop;
mod streams;
mod suggest;
mod table;
mod text;
mod vocabulary;
mod watch;

#[cfg(test)]
mod fake;

use std::io::{self, BufWriter, IsTerminal};
use std::os::fd::AsFd;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::command::Arguments;
use crate::context::{Context, Daemon, Variable};
use crate::failure::Failure;

/// The width of a table without a terminal.
const WIDTH: usize = 80;

fn main() -> ExitCode {
    completions::answer(Arguments::command);
    let arguments = Arguments::parse();
    let socket = arguments.socket.clone().unwrap_or_else(context::default_socket);
    let mut out = BufWriter::new(io::stdout().lock());
    let mut err = io::stderr();
    let mut context = Context {
        out: &mut out,
        err: &mut err,
        daemon: &mut Daemon { socket },
        json: arguments.json,
        colors: colors(),
        progress: io::stderr().is_terminal() && !is_dumb(),
        width: terminal_size::terminal_size_of(io::stdout()).map_or(WIDTH, |(w, _)| w.0.into()),
        terminal: io::stdout().is_terminal() && !is_dumb(),
        now: wording::now(),
        reader_left,
    };
    let outcome = arguments.command.run(&mut context);
    let outcome = outcome.and(context.out.flush().map_err(Into::into));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure, &mut context);
            ExitCode::from(failure.code())
        }
    }
}

/// Tells people on standard error, and with `--json` programs on standard output.
fn report(failure: &Failure, context: &mut Context<'_>) {
    if failure.is_quiet() {
        return;
    }
    // Nobody is left to be told when these fail.
    if context.json {
        let _ = json::line(context.out, &failure.for_programs());
        let _ = context.out.flush();
    }
    let line = text::plain(&format!("dynrelay: {failure}{}", failure.advice()));
    let _ = writeln!(context.err, "{line}");
}

/// Colors are for terminals, unless NO_COLOR says otherwise (<https://no-color.org>).
fn colors() -> bool {
    io::stdout().is_terminal() && Variable::NO_COLOR.get().is_none() && !is_dumb()
}

/// Whether standard output is a pipe without a reader.
fn reader_left() -> bool {
    let out = io::stdout();
    let mut fds = [PollFd::new(out.as_fd(), PollFlags::empty())];
    let told = poll(&mut fds, PollTimeout::ZERO).is_ok_and(|told| told > 0);
    told && fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLERR))
}

/// Whether the terminal can only print.
fn is_dumb() -> bool {
    Variable::TERM.get().is_some_and(|value| value == "dumb")
}
