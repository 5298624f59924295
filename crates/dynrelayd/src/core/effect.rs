//! The core's instructions to the shell.

use std::collections::BTreeSet;
use std::sync::Arc;

use catalog::sdp::MediaFormat;
use catalog::{Catalog, Limits, Pair, RtspSource};
use control::{
    ErrorCode, Event, Pong, Refused, RelayList, RelayShow, RelayStatus, Reloaded, Started,
};
use model::{Gate, is_name};
use rtsp::Transport;
use serde::Serialize;

use super::input::{CallId, Question, RelayId, RelayName};
use super::log_event::LogEvent;
use super::stream_list::Streams;

/// An instruction. The shell performs them at once, in order.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Open the flows of a relay or replica, with open gates. [`super::Input::Opened`] answers.
    Open {
        relay: RelayId,
        /// Its stream: a pulled stream arrives where its pull delivers it.
        stream: String,
        pairs: Box<[Pair]>,
    },
    /// Close the flows of a relay or replica. [`super::Input::Closed`] answers.
    Close(RelayId),
    /// Set a flow's gate.
    SetGate { relay: RelayId, flow: usize, gate: Gate },
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
        call: CallId,
        media: Vec<scan::Media>,
        /// Stop listening to a media as soon as it is surely active.
        quick: bool,
    },
    /// Read the configuration and the streams folder again, and compare them with this catalogue.
    /// [`super::Input::CatalogRead`] answers.
    ReadCatalog(Arc<Catalog>),
    /// Free this catalogue on another thread, because that takes time.
    Retire(Arc<Catalog>),
    /// Apply new limits to callers.
    SetLimits(Limits),
    /// Answer a request.
    Reply { call: CallId, answer: Answer },
    /// Send the followers of events this change of a relay's state.
    Publish(Event),
    /// Write the open relays to the state file.
    SaveState(BTreeSet<RelayName>),
    /// Write to the log.
    Log(LogEvent),
    /// Report these numbers to the service manager.
    Status { relays: usize, streams: usize, edges: usize },
}

/// An order to pull a stream.
#[derive(Clone, Debug)]
pub(crate) struct PullOrder {
    /// The stream's name.
    pub(crate) stream: String,
    /// The number of this pull.
    pub(crate) id: u64,
    /// The RTSP server.
    pub(crate) source: RtspSource,
    /// The expected media, from the stream's own SDP file.
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
    Streams(Streams),
    #[serde(rename = "ok")]
    Pong(Pong),
    #[serde(rename = "ok")]
    Reloaded(Reloaded),
    #[serde(rename = "error")]
    Refused(Refused),
}

/// The refusal of an unknown stream.
pub(crate) fn unknown_stream(stream: &str) -> Refused {
    let message = if is_name(stream) {
        format!("there is no stream {stream} in the catalogue")
    } else {
        "that can't be a stream's name".to_owned()
    };
    Refused::new(ErrorCode::UnknownStream, message)
}

/// The refusal of an unknown edge.
pub(crate) fn unknown_edge(edge: &str) -> Refused {
    let edge = if is_name(edge) { edge } else { "of that name" };
    Refused::new(ErrorCode::NoEdge, format!("there is no edge {edge} in the catalogue"))
}

/// The refusal for requests that come too late.
pub(crate) fn stopping() -> Refused {
    Refused::new(ErrorCode::Internal, "dynrelayd is stopping")
}
