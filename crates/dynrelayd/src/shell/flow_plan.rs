//! What the data plane is to open, in its own words: `forward` knows nothing of catalogues.

use std::net::SocketAddr;

use catalog::{Catalog, Pair};

/// What the data plane is to open for these flows. `pulled` is where a pull delivers its packets.
pub(crate) fn media(pairs: &[Pair], pulled: &[SocketAddr]) -> Vec<forward::Media> {
    let path = |of| path(of, pulled);
    pairs
        .iter()
        .map(|pair| forward::Media { rtp: path(&pair.rtp), rtcp: pair.rtcp.as_ref().map(path) })
        .collect()
}

/// Where the packets of a source arrive. `pulled` is where a pull delivers its packets.
pub(crate) fn arrival(source: &catalog::Source, pulled: &[SocketAddr]) -> SocketAddr {
    let at = source.pulled().and_then(|place| pulled.get(place));
    at.copied().unwrap_or_else(|| source.socket())
}

/// How the data plane is to work.
pub(crate) fn settings(catalog: &Catalog) -> forward::Settings {
    let daemon = &catalog.config().daemon;
    forward::Settings {
        workers: daemon.workers,
        receive_buffer: daemon.receive_buffer,
        source_ports: daemon.source_ports.clone(),
        rest: daemon.rest,
    }
}

fn path(path: &catalog::Path, pulled: &[SocketAddr]) -> forward::Path {
    let at = arrival(&path.source, pulled);
    forward::Path {
        source: forward::Source {
            address: at.ip(),
            port: at.port(),
            sender: path.source.sender,
            interface: path.source.interface.as_deref().map(str::to_owned),
        },
        target: path.target,
        pass: match path.pass {
            catalog::Pass::Everything => forward::Pass::Everything,
            catalog::Pass::SenderReports => forward::Pass::SenderReports,
            catalog::Pass::Multiplexed => forward::Pass::Multiplexed,
        },
        multicast: path.multicast.as_ref().map(|multicast| forward::Multicast {
            ttl: multicast.ttl,
            interface: multicast.interface.as_deref().map(str::to_owned),
        }),
    }
}
