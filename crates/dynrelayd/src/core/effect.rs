//! What the core wants done.

use std::collections::BTreeSet;
use std::sync::Arc;

use catalog::sdp::MediaFormat;
use catalog::{Catalog, Limits, Pair, RtspSource};
use control::{
    Event, Pong, Refused, RelayList, RelayShow, RelayStatus, Reloaded, Started, StreamList,
};
use model::Gate;
use rtsp::Transport;
use serde::Serialize;

use super::edge_cache::Question;
use super::input::{CallId, RelayId};
use super::log_event::LogEvent;
use super::relays::RelayName;

/// One thing to do. The shell does them at once, in order.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Open the flows of a relay or replica, with open gates. [`super::Input::Opened`] answers.
    Open {
        /// Its number.
        relay: RelayId,
        /// Its stream: a pulled stream arrives where its pull delivers it.
        stream: String,
        /// Its flows.
        pairs: Box<[Pair]>,
    },
    /// Close the flows of a relay or replica. [`super::Input::Closed`] answers.
    Close(RelayId),
    /// Change what a flow lets through.
    SetGate {
        /// The relay.
        relay: RelayId,
        /// The flow's place in it.
        flow: usize,
        /// What it lets through from now on.
        gate: Gate,
    },
    /// Read all counters. [`super::Input::Counters`] answers.
    ReadCounters,
    /// Pull a stream, instead of any pull of that stream that runs. It reports by
    /// [`super::Input::Pull`].
    StartPull(PullOrder),
    /// End the pull of a stream.
    EndPull(String),
    /// Ask an edge. [`super::Input::EdgeAnswer`] answers.
    AskEdge(Question),
    /// Find out whether these streams are on air. [`super::Input::OnAir`] answers.
    Listen(Vec<(String, Vec<scan::Media>)>),
    /// Let a caller listen to these media. [`super::Input::ScanEnded`] answers.
    Scan {
        /// The caller.
        call: CallId,
        /// The media.
        media: Vec<scan::Media>,
        /// Stop listening to a media once it is surely active.
        quick: bool,
    },
    /// Read the configuration and the streams folder again, compared with this catalogue.
    /// [`super::Input::CatalogRead`] answers.
    ReadCatalog(Arc<Catalog>),
    /// Free this catalogue somewhere else: that takes its time.
    Retire(Arc<Catalog>),
    /// Apply new limits to callers.
    SetLimits(Limits),
    /// Answer a request.
    Reply {
        /// Which request.
        call: CallId,
        /// The answer.
        answer: Answer,
    },
    /// Tell those who follow events that a relay changed its state.
    Publish(Event),
    /// Write the relays that run to the state file.
    SaveState(BTreeSet<RelayName>),
    /// Write to the log.
    Log(LogEvent),
    /// Tell the service manager how much there is to do.
    Status {
        /// Relays that run.
        relays: usize,
        /// Streams in the catalogue.
        streams: usize,
        /// Edges in the catalogue.
        edges: usize,
    },
}

/// What is to be pulled.
#[derive(Clone, Debug)]
pub(crate) struct PullOrder {
    /// The stream's name.
    pub(crate) stream: String,
    /// The number of this pull.
    pub(crate) id: u64,
    /// The RTSP server.
    pub(crate) source: RtspSource,
    /// The media of the stream's own SDP file.
    pub(crate) media: Box<[Arc<MediaFormat>]>,
    /// The transport to try first.
    pub(crate) transport: Transport,
}

/// The answer to a request: one line of JSON, `{"ok":…}` or `{"error":…}`.
#[derive(Debug, Serialize)]
pub(crate) enum Answer {
    #[serde(rename = "ok")]
    Started(Started),
    #[serde(rename = "ok")]
    Stopped(RelayStatus),
    #[serde(rename = "ok")]
    List(RelayList),
    #[serde(rename = "ok")]
    Show(RelayShow),
    #[serde(rename = "ok")]
    Streams(StreamList),
    #[serde(rename = "ok")]
    Pong(Pong),
    #[serde(rename = "ok")]
    Reloaded(Reloaded),
    #[serde(rename = "error")]
    Refused(Refused),
}
