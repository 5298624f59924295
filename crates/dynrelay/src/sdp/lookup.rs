//! Finds a stream and an edge in the catalogue, or says which there are.

use std::path::Path;

use catalog::{Catalog, Fault};

use crate::failure::Failure;
use crate::suggest;

/// An error lists at most this many names.
const FEW: usize = 8;

/// Reads as much of the catalogue as it can, with the faults of dynrelay.toml.
pub(super) fn catalogue(config: &Path) -> Result<(Catalog, Vec<Fault>), Failure> {
    Ok(Catalog::salvage(config)?)
}

/// The error for an unknown stream or edge, with the known names. None if both are known.
pub(super) fn unknown(
    catalog: &Catalog,
    faults: &[Fault],
    stream: &str,
    edge: &str,
) -> Option<Failure> {
    if catalog.stream(stream).is_none() {
        let file = catalog.sdp_file(stream);
        let faulty = catalog.problems().iter().find(|problem| problem.file == file);
        let names = catalog.streams().map(|stream| stream.name.as_str());
        return Some(Failure::Unfit(match faulty {
            Some(problem) => problem.to_string(),
            None => format!(
                "there is no stream {stream}: put the encoder's SDP into {} as {stream}.sdp{}",
                catalog.config().streams.display(),
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

/// `; there are: news, sport`; with many names, `; did you mean news?`
fn others<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.len() {
        1..=FEW => format!("; there are: {}", names.join(", ")),
        _ => suggest::hint(typed, names.into_iter()),
    }
}
