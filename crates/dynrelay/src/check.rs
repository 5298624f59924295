//! `dynrelay check`: prints the findings of the crate `doctor`.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use catalog::{Catalog, parse_duration};
use clap::Args;
use doctor::{Finding, News, Outcome, Report, Severity, Step, Walk};

use crate::color::Color;
use crate::context::{Context, Daemon};
use crate::failure::Failure;
use crate::json;
use crate::progress::Progress;
use crate::scan::listener;
use crate::text::{plain, wrapped};
use wording::{count, silence};

/// The options of `dynrelay check`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Check {
    /// The configuration to check
    #[arg(long, value_name = "FILE", default_value = "/etc/dynrelay/dynrelay.toml")]
    config: PathBuf,
    /// The user that the web server runs as [default: www-data]
    #[arg(long, value_name = "USER")]
    web_user: Option<String>,
    /// Instead, follow a stream to this edge, step by step
    #[arg(long, value_name = "EDGE")]
    edge: Option<String>,
    /// The stream to follow [default: the first that the edge takes]
    #[arg(value_name = "STREAM", requires = "edge")]
    stream: Option<String>,
    /// How long to wait for the edge to accept the stream
    #[arg(long, value_name = "TIME", default_value = "15s", requires = "edge", value_parser = time)]
    wait: Duration,
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

/// Checks, prints the findings, and fails if one is an error.
pub(crate) fn run(context: &mut Context<'_>, check: &Check) -> Result<(), Failure> {
    if let Some(edge) = &check.edge {
        return walk(context, check, edge);
    }
    let mut progress = Progress::new(context.progress, &mut *context.err);
    progress.show("Checking; edges have a few seconds to answer …");
    let report = doctor::examine(&check.config, check.web_user.as_deref(), context.now);
    drop(progress);
    print(context, &report)?;
    if report.errors > 0 { Err(Failure::Unsound) } else { Ok(()) }
}

fn print(context: &mut Context<'_>, report: &Report) -> io::Result<()> {
    if context.json {
        return json::line(context.out, &serde_json::to_string(report)?);
    }
    let mut subject = None;
    for finding in &report.findings {
        if subject.replace(finding.about) != Some(finding.about) {
            let word = finding.about.word();
            let heading = format!("{}{}", word[..1].to_uppercase(), &word[1..]);
            context.heading(&heading, Color::Bold)?;
        }
        print_finding(context, finding)?;
    }
    context.say(&summary(report))
}

fn summary(report: &Report) -> String {
    let Report { config, streams, edges, errors, warnings, unknown, .. } = report;
    let about =
        format!("{}: {}, {}.", config.display(), count(*streams, "stream"), count(*edges, "edge"));
    let summary = match (errors, warnings) {
        (0, 0) => format!("{about} Nothing is wrong."),
        (0, _) => format!("{about} No errors, {}.", count(*warnings, "warning")),
        (_, 0) => format!("{about} {}.", count(*errors, "error")),
        _ => format!("{about} {}, {}.", count(*errors, "error"), count(*warnings, "warning")),
    };
    match unknown {
        0 => summary,
        _ => format!("{summary} {} could not be looked at.", count(*unknown, "thing")),
    }
}

/// A finding: its place, what is wrong, and what to do.
fn print_finding(context: &mut Context<'_>, finding: &Finding) -> io::Result<()> {
    let color = match finding.severity {
        Severity::Error => Color::Red,
        Severity::Warning => Color::Yellow,
        Severity::Unknown => Color::Dim,
    };
    let place = finding.file.as_ref().map(|file| {
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line}", file.display())
    });
    let head = format!("  {}", color.on(&format!("{:<9}", finding.severity), context.colors));
    print_block(context, (&head, 11), place, &finding.what, &finding.advice)?;
    context.say("")
}

/// Prints a place and sentences in a column beside `head`, which takes so many columns.
fn print_block(
    context: &mut Context<'_>,
    (head, indent): (&str, usize),
    place: Option<String>,
    what: &str,
    advice: &str,
) -> io::Result<()> {
    let width = context.width.saturating_sub(indent);
    let mut lines: Vec<String> = place.map(|place| plain(&place)).into_iter().collect();
    lines.extend(wrapped(&plain(what), width));
    let advice = wrapped(&plain(advice), width.saturating_sub(3));
    let arrow = std::iter::once("-> ").chain(std::iter::repeat("   "));
    lines.extend(arrow.zip(advice).map(|(arrow, line)| format!("{arrow}{line}")));
    let space = " ".repeat(indent);
    let heads = std::iter::once(head).chain(std::iter::repeat(space.as_str()));
    heads.zip(lines).try_for_each(|(head, line)| writeln!(context.out, "{head}{line}"))
}

/// The columns before a step's words.
const STEP: usize = 19;

/// Walks a stream's way to an edge, and prints each step as it is taken. Fails if a step failed.
fn walk(context: &mut Context<'_>, check: &Check, edge: &str) -> Result<(), Failure> {
    let catalog = Catalog::load(&check.config)?;
    let walk = Walk::new(&catalog, check.stream.as_deref(), edge, check.wait);
    let walk = walk.map_err(|error| Failure::Unfit(error.to_string()))?;
    if !context.json {
        context.heading(&format!("{} to {edge}", walk.stream()), Color::Bold)?;
        context.out.flush()?;
    }
    let mut daemon = Daemon { socket: catalog.config().daemon.socket.clone() };
    let mut taken = Vec::new();
    let mut printed = Ok(());
    let ok = walk.run(
        &mut |stream, time| {
            let media_list = scan::Media::of(stream).map_err(ToString::to_string)?;
            listener::quick_scan(&mut daemon, stream, media_list, time)
        },
        &mut |news| {
            if !context.json && printed.is_ok() {
                printed = print_news(context, &news);
            }
            if let News::Step(step) = news {
                taken.push(step);
            }
        },
    );
    printed?;
    if context.json {
        let steps = serde_json::json!({
            "stream": walk.stream(), "edge": edge, "ok": ok, "steps": taken,
        });
        json::line(context.out, &steps.to_string())?;
    }
    if ok { Ok(()) } else { Err(Failure::Unsound) }
}

/// `✓ ok      source  video H264 arrives, from 10.9.0.2:41000 (12ms)`
fn print_news(context: &mut Context<'_>, news: &News) -> io::Result<()> {
    match news {
        News::Hint(text) => print_block(context, (&" ".repeat(STEP), STEP), None, text, "")?,
        News::Step(Step { step, outcome, what, advice, ms }) => {
            let (mark, color) = match outcome {
                Outcome::Ok => ("✓", Color::Green),
                Outcome::Failed => ("✗", Color::Red),
                Outcome::Unknown => ("?", Color::Yellow),
            };
            let word = color.on(&format!("{mark} {outcome:<7}"), context.colors);
            let what = format!("{what} ({})", silence(*ms));
            print_block(context, (&format!("{word} {step:<8} "), STEP), None, &what, advice)?;
        }
    }
    context.out.flush()
}
