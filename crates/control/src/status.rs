//! The shapes of the answers.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use model::{Acceptance, CloseReason, FlowKind, Gate, Rules, State};
use serde::{Deserialize, Serialize};

use crate::origin::Origin;

/// Where a viewer is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// What the player opens: `rtsp://dss2.example.net/news.sdp`.
    pub url: String,
    /// Whether that is an edge or the origin itself.
    pub via: Via,
    /// The edge's name; none when the viewer is sent to the origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<String>,
    /// The relay's state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// The stream's title for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The URL of an Icecast stream that is to be played along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<String>,
}

/// Who serves a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// A relay's edge.
    Edge,
    /// The origin: the viewer is local to it.
    Origin,
}

/// The answer to `list`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RelayList {
    /// By stream, then edge; closed ones last.
    pub relays: Vec<RelayStatus>,
    /// How fast all of them together went over the last minutes, those that have closed since
    /// included; only where rates were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
}

/// A relay in short. Counters run over all its flows since the relay began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RelayStatus {
    /// The stream's name.
    pub stream: String,
    /// The edge's name.
    pub edge: String,
    /// Where it is in its life.
    pub state: State,
    /// When it came into this state, in seconds since 1970.
    pub since: u64,
    /// When the relay began, in seconds since 1970.
    pub started: u64,
    /// Packets sent to the edge.
    pub packets: u64,
    /// Bytes of UDP payload sent to the edge.
    pub bytes: u64,
    /// Bytes of payload a second just now.
    pub rate: u64,
    /// ICMP errors that came back.
    pub refusals: u64,
    /// Packets that were let through but could not be sent.
    #[serde(default)]
    pub lost: u64,
    /// Packets that the kernel dropped before they could be read.
    #[serde(default)]
    pub drops: u64,
    /// Packets that never arrived.
    #[serde(default)]
    pub gaps: u64,
    /// How many watch, where the edge says so.
    #[serde(default)]
    pub viewers: Option<u32>,
    /// Why it closed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<CloseReason>,
    /// How fast it went over the last minutes; in a list only where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
    /// Where its stream comes from; none if it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// How fast a relay went, step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    /// How long a step is, in seconds.
    pub step: u64,
    /// When the last one ended, in seconds since 1970.
    pub until: u64,
    /// Bytes of payload a second, on the average of each step; the oldest first.
    pub bytes: Vec<u64>,
}

/// The answer to `show`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RelayShow {
    /// Where the stream comes from; none if it is not in the catalogue any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The relays that match, the running ones first.
    pub relays: Vec<RelayDetail>,
}

/// A relay with its flows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RelayDetail {
    /// The relay in short.
    #[serde(flatten)]
    pub relay: RelayStatus,
    /// The address RTP is sent to.
    pub address: IpAddr,
    /// Whether a refusal ever came back from that address. A firewall may drop them all.
    #[serde(default)]
    pub answers: bool,
    /// When a viewer, or somebody, last asked for it, in seconds since 1970; none once it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<u64>,
    /// The rules by which it closes; none once it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
    /// What would close it if all stays as it is, the likeliest first.
    #[serde(default)]
    pub closes: Vec<CloseForecast>,
    /// Media by media, RTP before RTCP; of a closed relay as they were at its end.
    pub flows: Vec<FlowStatus>,
}

/// One thing that would close a relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseForecast {
    /// The reason it would close with.
    pub reason: CloseReason,
    /// What that waits for.
    #[serde(flatten)]
    pub after: After,
}

/// What a closing waits for; in JSON a field of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum After {
    /// About so many more refused probes.
    Refusals(u32),
    /// So many seconds.
    Seconds(u64),
    /// So many more seconds in which nothing arrives from the encoder.
    Silence(u64),
}

/// One UDP path of a relay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowStatus {
    /// The media: `video`, `audio`, …
    pub media: String,
    /// RTP or RTCP.
    pub kind: FlowKind,
    /// Where its packets arrive: group or address, and port.
    pub from: SocketAddr,
    /// Where they are sent.
    pub to: SocketAddr,
    /// Where they are sent from: an address of this host, and its port.
    pub via: SocketAddr,
    /// What is let through.
    pub gate: Gate,
    /// Whether the edge takes it; of a closed relay it is unknown.
    #[serde(default)]
    pub acceptance: Acceptance,
    /// Packets sent.
    pub packets: u64,
    /// Bytes of UDP payload sent.
    pub bytes: u64,
    /// Bytes of payload a second just now.
    #[serde(default)]
    pub rate: u64,
    /// ICMP errors that came back.
    pub refusals: u64,
    /// Packets that were let through but could not be sent.
    #[serde(default)]
    pub lost: u64,
    /// Packets that the edge sent back.
    #[serde(default)]
    pub reports: u64,
    /// Packets that the kernel dropped before they could be read.
    pub drops: u64,
    /// Sequence numbers that never arrived.
    pub gaps: u64,
    /// How often the sender changed its SSRC.
    pub ssrc_changes: u64,
    /// Packets of this very source that another host sent here again; they went no further.
    #[serde(default)]
    pub returned: u64,
    /// Milliseconds since the last packet came in; none if none ever did.
    #[serde(default)]
    pub idle_ms: Option<u64>,
}

/// The answer to `streams`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamList {
    /// By name.
    pub streams: Vec<StreamStatus>,
}

/// A stream of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamStatus {
    /// Its name.
    pub name: String,
    /// Its title for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its medias, in order: `video H264`, `audio MPA`, …
    pub media: Vec<String>,
    /// The edges that agreed to take it.
    pub edges: Vec<String>,
    /// The edges it is on the way to now.
    pub relayed_to: Vec<String>,
    /// Whether any media of it is broadcast just now; none where that isn't known.
    #[serde(default)]
    pub on_air: Option<bool>,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// The answer to `ping`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// The daemon's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime: u64,
    /// How many relays have closed since then, by reason.
    #[serde(default)]
    pub closed: BTreeMap<CloseReason, u64>,
}

/// The answer to `reload`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Streams in the catalogue now.
    pub streams: usize,
    /// Edges in the catalogue now.
    pub edges: usize,
    /// What is wrong with files that were passed over: name, line, reason.
    pub problems: Vec<String>,
}

/// A line of `events`: a relay came into a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, in seconds since 1970.
    pub at: u64,
    /// The stream's name.
    pub stream: String,
    /// The edge's name.
    pub edge: String,
    /// Where it is in its life.
    pub state: State,
    /// Why it closed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<CloseReason>,
}
