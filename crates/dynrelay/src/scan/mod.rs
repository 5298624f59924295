//! `dynrelay scan`: which streams are active, by listening to them. Needs no daemon.

mod progress;
mod pulls;
mod report;
mod view;

use std::io;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::Duration;

use catalog::{Catalog, Problem, Severity, Stream, parse_duration};
use clap::Args;

use ::scan::{Heard, Listening, Media, Scan, Settings};

use self::progress::Progress;
use self::pulls::Pulls;
use self::report::{Scanned, Unheard};
use crate::failure::Failure;
use crate::json;
use crate::near;
use crate::text::plain;
use crate::world::World;

/// How long is listened at a time, before progress is shown.
const SLICE: Duration = Duration::from_millis(250);

/// What to listen for.
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

/// A time to listen for: not zero, for then everything would be silent.
fn duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("--for must be longer than 0s".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

/// Listens to all streams at once, prints what was heard, and fails if one of them is not active.
pub(crate) fn run(world: &mut World<'_>, wanted: &Wanted) -> Result<(), Failure> {
    let catalog = Catalog::load(&wanted.config)?;
    let streams = chosen(&catalog, &wanted.streams)?;
    let named = !wanted.streams.is_empty();
    let mut medias: Vec<Result<Vec<Media>, Unheard<'_>>> =
        streams.iter().map(|stream| audible(stream, named)).collect();
    let mut pulls = Pulls::default();
    for (stream, medias) in streams.iter().zip(&mut medias) {
        if let (Some(source), Ok(medias)) = (&stream.source, medias) {
            pulls.order(stream, source, medias)?;
        }
    }
    let all: Vec<Media> = medias.iter().flatten().flatten().cloned().collect();
    let heard = listen(world, all, pulls, wanted)?;
    let mut heard = heard.into_iter();
    let scanned: Vec<Scanned<'_>> = streams
        .iter()
        .zip(medias)
        .map(|(stream, medias)| Scanned {
            stream,
            medias: medias.map(|medias| medias.into_iter().zip(&mut heard).collect()),
        })
        .collect();
    let lost: Vec<&Problem> =
        if wanted.streams.is_empty() { lost(&catalog).collect() } else { Vec::new() };
    if world.json {
        let problems = lost.iter().map(ToString::to_string).collect();
        json::line(world.out, &view::json(&scanned, problems).map_err(io::Error::from)?)?;
    } else {
        report::print(world, &scanned)?;
    }
    for problem in &lost {
        writeln!(world.err, "dynrelay: ignored: {}", plain(&problem.to_string()))?;
    }
    let well = lost.is_empty() && scanned.iter().all(|one| one.active() != Some(false));
    if well { Ok(()) } else { Err(Failure::NotActive) }
}

/// What is wrong with the files of streams that the catalogue therefore doesn't have. (Faults of
/// consents are no matter of what arrives here.)
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

/// The medias of a stream, if there is anything to listen for. One that has to be pulled is pulled if
/// it was asked for by name: else a look at all would call at every camera.
fn audible(stream: &Stream, named: bool) -> Result<Vec<Media>, Unheard<'_>> {
    match &stream.source {
        Some(source) if !named => Err(Unheard::Pulled(source)),
        _ => Media::of(stream).map(|own| heard_here(stream, own)).map_err(Unheard::Faulty),
    }
}

/// Where a stream can be heard: by its replica, if a program on this host, most likely dynrelayd, has
/// the ports that it arrives on.
fn heard_here(stream: &Stream, own: Vec<Media>) -> Vec<Media> {
    let taken = own.iter().flat_map(|media| &media.sources).any(|source| {
        let bound = UdpSocket::bind((source.address, source.port));
        !source.address.is_multicast()
            && bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
    });
    taken.then(|| Media::of_replica(stream)).flatten().unwrap_or(own)
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

/// Why the catalogue has no stream of that name: a fault of its file, if there is one.
fn missing(catalog: &Catalog, name: &str) -> Failure {
    let file = catalog.config().streams.join(format!("{name}.sdp"));
    match catalog.problems().iter().find(|problem| problem.file == file) {
        Some(problem) => Failure::File(problem.clone()),
        None => Failure::NoStream {
            name: name.to_owned(),
            folder: catalog.config().streams.clone(),
            hint: near::hint(name, catalog.streams().map(|stream| stream.name.as_str())),
        },
    }
}

fn listen(
    world: &mut World<'_>,
    medias: Vec<Media>,
    mut pulls: Pulls,
    wanted: &Wanted,
) -> Result<Vec<Heard>, Failure> {
    let settings = Settings { quick: wanted.quick, ..Settings::default() };
    pulls.make_room();
    let mut scan = Scan::open(medias, settings).map_err(Failure::Listening)?;
    pulls.start()?;
    let progress = Progress::new(world.progress, wanted.time);
    loop {
        progress.show(world.err, &scan.heard())?;
        let slice = SLICE.min(progress.left());
        let listening = scan.listen(slice).map_err(Failure::Listening)?;
        if listening == Listening::Over || progress.left().is_zero() {
            progress.clear(world.err)?;
            return Ok(scan.heard());
        }
    }
}
