//! `dynrelay report`: sums up logs by stream, edge, day and viewers' network.

mod html;
mod plot;
mod progress;
mod sheet;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use report::{Analysis, Broken, Filter, Report};

use crate::color::Color;
use crate::context::Context;
use crate::failure::Failure;
use crate::table::{Column, Table};
use crate::{json, text};
use wording::{count, grouped};

use progress::Progress;
use sheet::Sheet;

/// The options of `dynrelay report`.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// Logs of dynrelayd or of streaming servers, also compressed by gzip; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print a page for browsers
    #[arg(long)]
    html: bool,
    /// Leave out what was before this time: 2026-11-22, or 2026-11-22T18:30:00 (UTC)
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<u64>,
    /// Leave out what was after this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<u64>,
    /// Only this stream
    #[arg(long)]
    stream: Option<String>,
    /// Only this edge: its name, its address, or its name in its own log
    #[arg(long)]
    edge: Option<String>,
}

fn time(text: &str) -> Result<u64, &'static str> {
    report::parse_time(text).ok_or("write a day, 2026-11-22, or a time in UTC, 2026-11-22T18:30:00")
}

/// Reads the logs and prints the sums.
pub(crate) fn run(context: &mut Context<'_>, wanted: Wanted) -> Result<(), Failure> {
    let Wanted { files, html, since, until, stream, edge } = wanted;
    if html && context.json {
        return Err(Failure::Usage("--html and --json can't be given together".to_owned()));
    }
    let mut analysis = Analysis::new(Filter { since, until, stream, edge });
    let mut unread = false;
    for file in &files {
        if let Err(error) = read(context, &mut analysis, file) {
            unread = true;
            tell(context, &format!("{}: can't be read to its end: {error}", file.display()))?;
        }
    }
    let report = Report::of(&analysis);
    if report.lines.entries + report.lines.sessions == 0 {
        if unread {
            return Err(Failure::Unsound);
        }
        let message = match report.broken.first() {
            Some(Broken { file, line, why }) => {
                format!(
                    "this is no log of dynrelayd or a streaming server: {file}, line {line}: {why}"
                )
            }
            None => {
                "no line is an entry of dynrelayd or a session of a streaming server".to_owned()
            }
        };
        return Err(Failure::Usage(message));
    }
    if context.json {
        let json = serde_json::to_string(&report).map_err(io::Error::from)?;
        json::line(context.out, &json)?;
    } else if html {
        context.out.write_all(html::page(&report).as_bytes())?;
    } else {
        print(context, &report)?;
    }
    tell_of_broken(context, &report)?;
    if unread { Err(Failure::Unsound) } else { Ok(()) }
}

fn read(context: &mut Context<'_>, analysis: &mut Analysis, file: &Path) -> io::Result<()> {
    let name = file.display().to_string();
    if file.as_os_str() == "-" {
        return analysis.read("standard input", Progress::of(io::stdin(), 0, &name, context.err));
    }
    let opened = File::open(file)?;
    let length = opened.metadata()?.len();
    // Makes the kernel read further ahead. A pipe does not support it, which is no problem.
    let _ = posix_fadvise(&opened, 0, 0, PosixFadviseAdvice::POSIX_FADV_SEQUENTIAL);
    analysis.read(&name, Progress::of(opened, length, &name, context.err))
}

fn print(context: &mut Context<'_>, report: &Report) -> io::Result<()> {
    for line in sheet::summary(report) {
        for line in text::wrapped(&line, context.width.max(40)) {
            context.say(&line)?;
        }
    }
    for sheet in sheet::sheets(report) {
        context.say("")?;
        context.heading(sheet.heading, Color::Bold)?;
        context.print(&table(&sheet))?;
        if let Some(more) = &sheet.more {
            context.say(more)?;
        }
    }
    Ok(())
}

fn table(sheet: &Sheet) -> Table {
    let mut columns = sheet.columns.iter();
    let first = columns.next().map(|heading| Column::text(heading));
    let columns = first.into_iter().chain(columns.map(|heading| Column::number(heading)));
    let mut table = Table::new(columns.collect::<Vec<_>>());
    for row in &sheet.rows {
        table.row(row.iter().map(Into::into).collect::<Vec<_>>());
    }
    table
}

/// Names broken lines on standard error, whatever the form of the report.
fn tell_of_broken(context: &mut Context<'_>, report: &Report) -> io::Result<()> {
    if report.lines.broken == 0 {
        return Ok(());
    }
    let broken = count(report.lines.broken, "line");
    let read = grouped(report.lines.read);
    tell(context, &format!("{broken} of {read} could not be read; the first of them:"))?;
    for one in &report.broken {
        tell(context, &format!("{}, line {}: {}", one.file, one.line, one.why))?;
    }
    Ok(())
}

fn tell(context: &mut Context<'_>, line: &str) -> io::Result<()> {
    writeln!(context.err, "{}", text::plain(&format!("dynrelay: {line}")))
}

#[cfg(test)]
mod tests;
