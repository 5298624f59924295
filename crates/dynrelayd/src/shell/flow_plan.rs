//! Translates routes for the data plane: `forward` knows no catalogue.

use std::net::SocketAddr;

use catalog::{Catalog, Pair};
use rtsp::Hop;

/// The data plane's flows for this route. `pulled` says where a pull delivers its packets.
pub(crate) fn media(pairs: &[Pair], pulled: &[Hop]) -> Vec<forward::Media> {
    let path = |of| path(of, pulled);
    pairs
        .iter()
        .map(|pair| forward::Media { rtp: path(&pair.rtp), rtcp: pair.rtcp.as_ref().map(path) })
        .collect()
}

/// Where the packets of a source arrive. `pulled` says where a pull delivers its packets.
pub(crate) fn arrival(source: &catalog::Source, pulled: &[Hop]) -> SocketAddr {
    hop(source, pulled).map_or_else(|| source.socket(), |hop| hop.to)
}

fn hop(source: &catalog::Source, pulled: &[Hop]) -> Option<Hop> {
    source.pulled().and_then(|place| pulled.get(place)).copied()
}

/// The settings of the data plane.
pub(crate) fn settings(catalog: &Catalog) -> forward::Settings {
    let daemon = &catalog.config().daemon;
    forward::Settings {
        workers: daemon.workers,
        receive_buffer: daemon.receive_buffer,
        source_ports: daemon.source_ports.clone(),
        rest: daemon.rest,
    }
}

fn path(path: &catalog::Path, pulled: &[Hop]) -> forward::Path {
    let at = arrival(&path.source, pulled);
    forward::Path {
        source: forward::Source {
            address: at.ip(),
            port: at.port(),
            senders: path.source.senders.to_vec(),
            peer: hop(&path.source, pulled).map(|hop| hop.from.port()),
            interface: path.source.interface.as_deref().map(str::to_owned),
            named: path.source.named,
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
