//! A stream of the catalogue.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::Rules;
use serde::Deserialize;

use crate::arrival::Arrival;
use crate::audio::AudioUrl;
use crate::config::Rtcp;
use crate::edge::Edge;
use crate::problem::Problem;
use crate::replica::{Replica, Section};
use crate::route::{Refusal, Route, Source};
use crate::rtsp_source::RtspSource;
use crate::rules::Shutdown;
use crate::sdp::{Media, Session};

/// A broadcast that arrives at the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name: that of its SDP file.
    pub name: String,
    /// Its title for people: from NAME.toml, else from the SDP, else none.
    pub title: Option<String>,
    /// Its SDP. Of a stream with a `source` only the kinds and formats of its medias count.
    pub session: Session,
    /// Where it is pulled from while it is needed; none: it arrives by itself.
    pub source: Option<RtspSource>,
    /// When its relays close.
    pub rules: Rules,
    /// Which RTCP its relays send.
    pub rtcp: Rtcp,
    /// Where it is replicated to.
    pub replicas: Vec<Replica>,
    /// Where each of its medias arrives, or why that can't be said.
    pub(crate) arrivals: Result<Vec<Vec<Arrival>>, Problem>,
    /// Its NAME.toml, if there is one.
    pub(crate) settings: Option<Settings>,
    /// What each edge with an SDP file for this stream makes of it.
    pub(crate) consents: BTreeMap<String, Result<Route, Refusal>>,
}

impl Stream {
    /// The edges that it can be relayed to, by name.
    pub fn edges(&self) -> impl Iterator<Item = &str> {
        self.routes().map(|route| route.edge.as_str())
    }

    /// Its routes, by edge.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.consents.values().filter_map(|consent| consent.as_ref().ok())
    }

    /// Its route to an edge, provided that the edge is still where that goes.
    pub(crate) fn route_to(&self, edge: &Edge) -> Option<&Route> {
        let route = self.consents.get(&edge.name)?.as_ref().ok()?;
        route.paths().all(|path| path.target.ip() == edge.address).then_some(route)
    }

    /// Where the RTP of each media arrives, in order; at several sources if it has layers. An error
    /// is what is wrong with its SDP file.
    pub fn sources(&self) -> Result<Vec<Vec<&Source>>, &Problem> {
        let arrivals = self.arrivals.as_ref()?;
        Ok(arrivals.iter().map(|media| media.iter().map(|one| &one.rtp).collect()).collect())
    }

    /// The audio that goes with it, for a viewer who is sent to this host; none if it has none.
    pub fn audio_at(&self, host: &str) -> Option<String> {
        self.settings.as_ref()?.audio.as_ref().map(|audio| audio.at(host))
    }

    /// Its medias for people, in order: `video H264`, `audio MPA`, …
    pub fn media(&self) -> impl Iterator<Item = String> {
        self.session.media.iter().map(Media::label)
    }
}

/// NAME.toml.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) title: Option<String>,
    pub(crate) source: Option<RtspSource>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) audio: Option<AudioUrl>,
    pub(crate) rtcp: Option<Rtcp>,
    pub(crate) shutdown: Shutdown,
    pub(crate) replica: Option<Section>,
}
