//! A route in the data plane's words. `forward` knows nothing of catalogues, so this is where the
//! two meet.

use std::net::IpAddr;

use catalog::{Catalog, Pair, Route};
use control::FlowKind;

/// A route's flow with the media it belongs to, in the data plane's order.
pub(crate) struct Path<'a> {
    /// `video H264`, `audio MPA`, …
    pub(crate) media: &'a str,
    pub(crate) kind: FlowKind,
    pub(crate) path: &'a catalog::Path,
}

/// Every flow of a route: media by media, RTP before RTCP.
pub(crate) fn paths(route: &Route) -> impl Iterator<Item = Path<'_>> {
    route.pairs.iter().flat_map(|pair| {
        let rtp = Path { media: &pair.label, kind: FlowKind::Rtp, path: &pair.rtp };
        let rtcp = pair.rtcp.iter();
        let rtcp = rtcp.map(|path| Path { media: &pair.label, kind: FlowKind::Rtcp, path });
        std::iter::once(rtp).chain(rtcp)
    })
}

/// What the data plane is to open for a route.
pub(crate) fn medias(route: &Route) -> Vec<forward::Media> {
    pairs(&route.pairs)
}

/// What the data plane is to open for these flows.
pub(crate) fn pairs(pairs: &[Pair]) -> Vec<forward::Media> {
    pairs
        .iter()
        .map(|pair| forward::Media { rtp: path(&pair.rtp), rtcp: pair.rtcp.as_ref().map(path) })
        .collect()
}

/// The address that a route's packets are sent to.
pub(crate) fn address(route: &Route) -> Option<IpAddr> {
    route.paths().next().map(|path| path.target.ip())
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

fn path(path: &catalog::Path) -> forward::Path {
    forward::Path {
        source: forward::Source {
            address: path.source.address,
            port: path.source.port,
            sender: path.source.sender,
            interface: path.source.interface.clone(),
        },
        target: path.target,
        pass: match path.pass {
            catalog::Pass::Everything => forward::Pass::Everything,
            catalog::Pass::SenderReports => forward::Pass::SenderReports,
            catalog::Pass::Multiplexed => forward::Pass::Multiplexed,
        },
        multicast: path.multicast.as_ref().map(|multicast| forward::Multicast {
            ttl: multicast.ttl,
            interface: multicast.interface.clone(),
        }),
    }
}
