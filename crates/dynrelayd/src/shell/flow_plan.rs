//! A route in the data plane's words. `forward` knows nothing of catalogues, so this is where the
//! two meet.

use std::net::{IpAddr, SocketAddr};

use catalog::{Catalog, Pair, Route};
use model::FlowKind;

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
pub(crate) fn medias(route: &Route, pulled: &[SocketAddr]) -> Vec<forward::Media> {
    pairs(&route.pairs, pulled)
}

/// What the data plane is to open for these flows; `pulled` is where a pull hands over what it
/// brings.
pub(crate) fn pairs(pairs: &[Pair], pulled: &[SocketAddr]) -> Vec<forward::Media> {
    let path = |of| path(of, pulled);
    pairs
        .iter()
        .map(|pair| forward::Media { rtp: path(&pair.rtp), rtcp: pair.rtcp.as_ref().map(path) })
        .collect()
}

/// Where a source's packets arrive: `pulled` is where a pull hands over what it brings.
pub(crate) fn arrival(source: &catalog::Source, pulled: &[SocketAddr]) -> SocketAddr {
    let at = source.pulled().and_then(|place| pulled.get(place));
    at.copied().unwrap_or_else(|| source.socket())
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
