//! `dynrelay scan`: which streams are active. It needs no daemon; but if one runs, the daemon listens
//! at the unicast ports of this host.

pub(crate) mod listener;
mod progress;
mod pulls;
mod report;
mod view;

use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use catalog::{Catalog, Problem, Severity, Stream, parse_duration};
use clap::Args;

use ::scan::{Listening, Media, Scan};
use control::{ScanAnswer, ScanFault, ScanResult};

use self::listener::{Daemon, Listener};
use self::progress::Progress;
use self::pulls::Pulls;
use self::report::{NotScanned, Scanned};
use crate::context::Context;
use crate::failure::Failure;
use crate::json;
use crate::suggest;
use crate::text::plain;

/// How long to listen before showing progress.
const SLICE: Duration = Duration::from_millis(250);
/// How often to check whether dynrelayd has answered, after this program's own scan is over.
const CHECK: Duration = Duration::from_millis(20);

/// The options of `dynrelay scan`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Wanted {
    /// The streams to listen for; all of the catalogue's if none is named
    #[arg(value_name = "STREAM")]
    streams: Vec<String>,
    /// How long to listen
    #[arg(long = "for", value_name = "TIME", default_value = "5s", value_parser = duration)]
    time: Duration,
    /// Stop as soon as every media is known to be active; rates are not measured
    #[arg(long)]
    quick: bool,
    /// The configuration that says which streams there are
    #[arg(long, value_name = "FILE", default_value = "/etc/dynrelay/dynrelay.toml")]
    config: PathBuf,
}

/// A time to listen for. It can't be zero, since then no packet would come.
fn duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("--for must be longer than 0s".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

/// A stream, and who listens to its media.
#[derive(Debug)]
struct Plan<'a> {
    stream: &'a Stream,
    media_list: Result<Vec<Media>, NotScanned<'a>>,
    by: Listener,
    /// Why nobody can.
    fault: Option<ScanFault>,
}

/// Scans all streams at once, prints the results, and fails if a stream is not active.
pub(crate) fn run(context: &mut Context<'_>, wanted: &Wanted) -> Result<(), Failure> {
    let catalog = Catalog::load(&wanted.config)?;
    let streams = chosen(&catalog, &wanted.streams)?;
    let mut pulls = Pulls::default();
    let plans = plans(context, &streams, wanted, &mut pulls)?;
    let media_list = |by| {
        let plans = plans.iter().filter(move |plan| plan.by == by);
        plans.flat_map(|plan| plan.media_list.iter().flatten())
    };
    let own: Vec<Media> = media_list(Listener::Own).cloned().collect();
    let theirs: Vec<String> = names(plans.iter().filter(|plan| plan.by == Listener::Daemon));
    let (own, answer) = listen(context, own, &mut pulls, theirs, wanted)?;
    let mut pulled = pulls.outcomes();
    drop(pulls);
    let mut own = own.into_iter();
    let scanned: Vec<Scanned<'_>> = plans
        .into_iter()
        .map(|Plan { stream, media_list, by, fault }| {
            let pulled = pulled.remove(&stream.name).unwrap_or_default();
            let own = own.by_ref().map(|result| pulled.with_server(result));
            let nothing =
                ScanResult { faults: fault.into_iter().collect(), ..ScanResult::default() };
            let media_list = media_list.map(|media_list| match by {
                Listener::Own => media_list.into_iter().zip(own).collect(),
                Listener::Daemon => {
                    let results = listener::results_of(&answer, stream, media_list.len());
                    media_list.into_iter().zip(results).collect()
                }
                Listener::Nobody => {
                    media_list.into_iter().zip(std::iter::repeat(nothing)).collect()
                }
            });
            Scanned { stream, media_list, fault: pulled.fault }
        })
        .collect();
    conclude(context, &catalog, &scanned, wanted)
}

/// Decides for each stream who listens to it.
fn plans<'a>(
    context: &mut Context<'_>,
    streams: &[&'a Stream],
    wanted: &Wanted,
    pulls: &mut Pulls,
) -> Result<Vec<Plan<'a>>, Failure> {
    let named = !wanted.streams.is_empty();
    let mut plans: Vec<Plan<'a>> = Vec::new();
    for stream in streams {
        let mut media_list = media_of(stream, named);
        if let (Some(source), Ok(media_list)) = (&stream.source, &mut media_list) {
            pulls.order(stream, source, media_list)?;
        }
        plans.push(Plan { stream, media_list, by: Listener::Own, fault: None });
    }
    let of_host = |plan: &&Plan<'_>| {
        plan.stream.source.is_none()
            && plan.media_list.as_ref().is_ok_and(|of| listener::is_of_host(of))
    };
    let daemon = Daemon::ask(context.daemon, names(plans.iter().filter(of_host)));
    for plan in &mut plans {
        if let (None, Ok(media_list)) = (&plan.stream.source, &mut plan.media_list) {
            (plan.by, plan.fault) = daemon.choose(plan.stream, media_list);
        }
    }
    Ok(plans)
}

fn names<'a>(plans: impl Iterator<Item = &'a Plan<'a>>) -> Vec<String> {
    plans.map(|plan| plan.stream.name.clone()).collect()
}

/// Prints the results; fails if a stream is not active.
fn conclude(
    context: &mut Context<'_>,
    catalog: &Catalog,
    scanned: &[Scanned<'_>],
    wanted: &Wanted,
) -> Result<(), Failure> {
    let lost: Vec<&Problem> =
        if wanted.streams.is_empty() { lost(catalog).collect() } else { Vec::new() };
    let ignored: Vec<&Problem> = lost.iter().copied().chain(settings(catalog, scanned)).collect();
    if context.json {
        let problems = ignored.iter().map(ToString::to_string).collect();
        json::line(context.out, &view::json(scanned, problems).map_err(io::Error::from)?)?;
    } else {
        report::print(context, scanned)?;
    }
    for problem in &ignored {
        writeln!(context.err, "dynrelay: ignored: {}", plain(&problem.to_string()))?;
    }
    let well = lost.is_empty() && scanned.iter().all(|one| one.active() != Some(false));
    if well { Ok(()) } else { Err(Failure::NotActive) }
}

/// The faults of SDP files whose streams the catalogue therefore doesn't have. (Faults of consents
/// don't matter to what arrives here.)
fn lost(catalog: &Catalog) -> impl Iterator<Item = &Problem> {
    let of_a_stream = |problem: &&Problem| {
        let name = problem.file.file_name().unwrap_or_default().to_string_lossy();
        let known = |stream: &Stream| name.starts_with(&format!("{}.", stream.name));
        problem.severity == Severity::Error
            && name.ends_with(".sdp")
            && !catalog.streams().any(known)
    };
    catalog.problems().iter().filter(of_a_stream)
}

/// The faults in the settings of the scanned streams, such as a file that only the daemon may read.
fn settings<'a>(
    catalog: &'a Catalog,
    scanned: &'a [Scanned<'_>],
) -> impl Iterator<Item = &'a Problem> {
    catalog.problems().iter().filter(|problem| {
        let mut streams = scanned.iter().map(|one| &one.stream.name);
        problem.severity == Severity::Error
            && streams.any(|name| problem.file.ends_with(format!("{name}.toml")))
    })
}

/// The media of a stream to listen to. A pulled stream is scanned only if the user names it;
/// otherwise a scan of all streams would connect to every camera.
fn media_of(stream: &Stream, named: bool) -> Result<Vec<Media>, NotScanned<'_>> {
    match &stream.source {
        Some(source) if !named => Err(NotScanned::Pulled(source)),
        _ => Media::of(stream).map_err(NotScanned::Faulty),
    }
}

/// The streams of these names, each once; all if there are no names.
fn chosen<'a>(catalog: &'a Catalog, names: &[String]) -> Result<Vec<&'a Stream>, Failure> {
    if names.is_empty() {
        return Ok(catalog.streams().collect());
    }
    let mut chosen: Vec<&Stream> = Vec::new();
    for name in names {
        let stream = catalog.stream(name).ok_or_else(|| missing(catalog, name))?;
        if !chosen.iter().any(|known| known.name == stream.name) {
            chosen.push(stream);
        }
    }
    Ok(chosen)
}

/// Why the catalogue has no stream of that name: the fault of its file, if it has one.
fn missing(catalog: &Catalog, name: &str) -> Failure {
    let file = catalog.config().streams.join(format!("{name}.sdp"));
    match catalog.problems().iter().find(|problem| problem.file == file) {
        Some(problem) => Failure::File(problem.clone()),
        None => Failure::NoStream {
            name: name.to_owned(),
            folder: catalog.config().streams.clone(),
            hint: suggest::hint(name, catalog.streams().map(|stream| stream.name.as_str())),
        },
    }
}

/// Listens to these media, and lets dynrelayd scan these streams meanwhile.
fn listen(
    context: &mut Context<'_>,
    media_list: Vec<Media>,
    pulls: &mut Pulls,
    theirs: Vec<String>,
    wanted: &Wanted,
) -> Result<(Vec<ScanResult>, ScanAnswer), Failure> {
    pulls.make_room();
    let mut scan = Scan::alone(media_list, wanted.quick)?;
    pulls.start()?;
    let Context { daemon, err, .. } = context;
    let mut progress = Progress::new(context.progress, wanted.time, &mut **err);
    thread::scope(|threads| {
        let asked = (!theirs.is_empty()).then(|| {
            threads.spawn(|| listener::request(*daemon, theirs, wanted.time, wanted.quick))
        });
        loop {
            progress.show(&scan.results());
            let slice = SLICE.min(progress.left());
            let listening = scan.listen(slice);
            let over = listening == Listening::Over || progress.left().is_zero();
            let answered = asked.as_ref().is_none_or(thread::ScopedJoinHandle::is_finished);
            if over && answered {
                break;
            }
            if over {
                thread::sleep(CHECK);
            }
        }
        let answer = asked.and_then(|asked| asked.join().ok()).transpose()?;
        Ok((scan.results(), answer.unwrap_or_default()))
    })
}
