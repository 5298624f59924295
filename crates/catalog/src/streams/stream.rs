//! A stream of the catalogue.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::arrival::Arrivals;
use super::replica::{Replica, Section};
use super::route::{Route, Source};
use super::rtsp_source::{RtspSource, RtspTransport};
use crate::config::edge::Edge;
use crate::config::url::AudioUrl;
use crate::config::{Rtcp, Shutdown};
use crate::problem::Problem;
use crate::sdp::MediaFormat;

/// A broadcast that arrives at the origin. A catalogue may hold 50,000 of them, so a stream keeps no
/// text of its files, and shares what many streams have alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name: that of its SDP file.
    pub name: String,
    /// Its title for people: from NAME.toml, else from the SDP, else none.
    pub title: Option<String>,
    /// Its media, in order.
    pub media: Box<[Arc<MediaFormat>]>,
    /// Where it is pulled from while it is needed; none: it arrives by itself.
    pub source: Option<RtspSource>,
    /// Which RTCP its relays send.
    pub rtcp: Rtcp,
    /// Where it is replicated to.
    pub replicas: Box<[Replica]>,
    /// Where each of its media arrives, or why that is not known.
    pub(crate) arrivals: Result<Arrivals, Box<Problem>>,
    /// Its NAME.toml, if there is one.
    pub(crate) settings: Option<Box<Settings>>,
    /// For each edge with an SDP file for this stream, by name: the route, or why there is none.
    pub(crate) consents: Box<[Consented]>,
}

/// An edge's name, and the route to it or why there is none.
pub(crate) type Consented = (Arc<str>, Result<Arc<Route>, Box<str>>);

impl Stream {
    /// The edges that it can be relayed to, by name.
    pub fn edges(&self) -> impl Iterator<Item = &str> {
        self.routes().map(|route| route.edge.as_str())
    }

    /// Its routes, by edge.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.consents.iter().filter_map(|(_, consent)| consent.as_ref().ok())
    }

    /// The route to an edge or why there is none; none if the edge has no SDP file for the stream.
    pub(crate) fn consent(&self, edge: &str) -> Option<&Result<Arc<Route>, Box<str>>> {
        self.consents.iter().find(|(name, _)| **name == *edge).map(|(_, consent)| consent)
    }

    /// Its route to an edge, if the edge still has the address that the route goes to.
    pub(crate) fn route_to(&self, edge: &Edge) -> Option<&Arc<Route>> {
        let route = self.consent(&edge.name)?.as_ref().ok()?;
        route.paths().all(|path| path.target.ip() == edge.address).then_some(route)
    }

    /// Where the RTP of each media arrives, in order; several sources for a media with layers. An
    /// error says what is wrong with its SDP file.
    pub fn sources(&self) -> Result<Vec<Vec<&Source>>, &Problem> {
        let arrivals = self.arrivals.as_ref().map_err(|problem| &**problem)?;
        Ok(arrivals.iter().map(|media| media.iter().map(|one| &*one.rtp).collect()).collect())
    }

    /// The audio that goes with it, for a viewer who is sent to this host; none if it has none.
    pub fn audio_at(&self, host: &str) -> Option<String> {
        self.settings.as_ref()?.audio.as_ref().map(|audio| audio.at(host))
    }

    /// Its media for people, in order: `video H264`, `audio MPA`, …
    pub fn labels(&self) -> impl Iterator<Item = String> {
        self.media.iter().map(|media| media.label())
    }
}

/// The stream of that name, in a list that is sorted by name.
pub(crate) fn find<'a>(streams: &'a [Arc<Stream>], name: &str) -> Option<&'a Arc<Stream>> {
    let at = streams.binary_search_by(|stream| stream.name.as_str().cmp(name));
    at.ok().and_then(|at| streams.get(at))
}

/// The settings of a NAME.toml.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) title: Option<String>,
    pub(crate) source: Option<RtspSource>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) transport: Option<RtspTransport>,
    pub(crate) audio: Option<AudioUrl>,
    pub(crate) rtcp: Option<Rtcp>,
    pub(crate) shutdown: Shutdown,
    pub(crate) replica: Option<Section>,
}
