//! A stream of the catalogue.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::config::Rtcp;
use crate::edge::Edge;
use crate::route::{Refusal, Route};
use crate::rules::{Rules, Shutdown};
use crate::sdp::{Media, Session};

/// A broadcast that arrives at the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name: that of its SDP file.
    pub name: String,
    /// Its title for people: from NAME.toml, else from the SDP, else none.
    pub title: Option<String>,
    /// Its SDP.
    pub session: Session,
    /// When its relays close.
    pub rules: Rules,
    /// Which RTCP its relays send.
    pub rtcp: Rtcp,
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
    pub(crate) rtcp: Option<Rtcp>,
    pub(crate) shutdown: Shutdown,
}
