//! The answers as types.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use model::{Acceptance, CloseReason, FlowKind, Gate, Rules, State};
use serde::{Deserialize, Serialize};

use crate::origin::Origin;

/// Where to send a viewer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The URL for the player: `rtsp://dss2.example.net/news.sdp`.
    pub url: String,
    /// Whether that is an edge or the origin itself.
    pub via: Via,
    /// The edge's name; none if the viewer is sent to the origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<String>,
    /// The relay's state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// The stream's title for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The URL of an Icecast stream that plays with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<String>,
}

/// The kind of server that serves a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// An edge.
    Edge,
    /// The origin, because the viewer is local to it.
    Origin,
}

/// The answer to `list`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RelayList {
    /// By stream, then by edge; closed relays come last.
    pub relays: Vec<RelayStatus>,
    /// The rates of all relays together over the last minutes, also of those that closed since;
    /// only if the request asks for rates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
}

/// A relay in short. Counters cover all its flows since the relay began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RelayStatus {
    /// The stream's name.
    pub stream: String,
    /// The edge's name.
    pub edge: String,
    /// Its state.
    pub state: State,
    /// When it changed to this state, in seconds since 1970.
    pub since: u64,
    /// When the relay began, in seconds since 1970.
    pub started: u64,
    /// Packets sent to the edge.
    pub packets: u64,
    /// Bytes of UDP payload sent to the edge.
    pub bytes: u64,
    /// Current bytes of payload a second.
    pub rate: u64,
    /// Refusals: ICMP errors of the edge about packets that were sent.
    pub refusals: u64,
    /// ICMP errors that fit no packet that was sent. They have no effect.
    #[serde(default)]
    pub forged: u64,
    /// Packets that passed the gate but could not be sent.
    #[serde(default)]
    pub lost: u64,
    /// Packets that the kernel dropped before the daemon read them.
    #[serde(default)]
    pub drops: u64,
    /// Packets that never arrived.
    #[serde(default)]
    pub gaps: u64,
    /// The number of viewers, if the edge reports it.
    #[serde(default)]
    pub viewers: Option<u32>,
    /// Why it closed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<CloseReason>,
    /// The rates of the last minutes; in a list only if the request asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
    /// Where its stream comes from; none if the relay is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// The rates of a relay, step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    /// The length of a step, in seconds.
    pub step: u64,
    /// When the last one ended, in seconds since 1970.
    pub until: u64,
    /// The mean bytes of payload a second in each step, the oldest first.
    pub bytes: Vec<u64>,
}

/// The answer to `show`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RelayShow {
    /// Where the stream comes from; none if it is no longer in the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The matching relays, the open ones first.
    pub relays: Vec<RelayDetail>,
}

/// A relay with its flows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RelayDetail {
    /// The relay in short.
    #[serde(flatten)]
    pub relay: RelayStatus,
    /// The edge's address.
    pub address: IpAddr,
    /// Whether that address ever sent a refusal. A firewall may drop them all.
    #[serde(default)]
    pub answers: bool,
    /// When a viewer or administrator last asked for it, in seconds since 1970; none once it is
    /// closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<u64>,
    /// The rules that close it; none once it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
    /// What would close it if nothing changes, the likeliest first.
    #[serde(default)]
    pub closes: Vec<CloseForecast>,
    /// The flows, media by media, RTP before RTCP; those of a closed relay as of its end.
    pub flows: Vec<FlowStatus>,
}

/// An event that would close a relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseForecast {
    /// The reason that it would close with.
    pub reason: CloseReason,
    /// The condition.
    #[serde(flatten)]
    pub after: After,
}

/// The condition of a close; in JSON a field of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum After {
    /// About this many more refused probes.
    Refusals(u32),
    /// This many seconds.
    Seconds(u64),
    /// This many more seconds without a packet from the encoder.
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
    /// The target of its packets.
    pub to: SocketAddr,
    /// The address and port of this host that sends them.
    pub via: SocketAddr,
    /// The gate.
    pub gate: Gate,
    /// Whether the edge takes it; unknown for a closed relay.
    #[serde(default)]
    pub acceptance: Acceptance,
    /// Packets sent.
    pub packets: u64,
    /// Bytes of UDP payload sent.
    pub bytes: u64,
    /// Current bytes of payload a second.
    #[serde(default)]
    pub rate: u64,
    /// Refusals: ICMP errors of the edge about packets that were sent.
    pub refusals: u64,
    /// ICMP errors that fit no packet that was sent. They have no effect.
    #[serde(default)]
    pub forged: u64,
    /// Packets that passed the gate but could not be sent.
    #[serde(default)]
    pub lost: u64,
    /// Packets that the edge sent back.
    #[serde(default)]
    pub reports: u64,
    /// Packets that the kernel dropped before the daemon read them.
    pub drops: u64,
    /// Sequence numbers that never arrived.
    pub gaps: u64,
    /// How often the sender changed its SSRC.
    pub ssrc_changes: u64,
    /// Packets of this source that another host sent back; they were not forwarded.
    #[serde(default)]
    pub returned: u64,
    /// Milliseconds since the last packet arrived; none if none ever did.
    #[serde(default)]
    pub idle_ms: Option<u64>,
}

/// The answer to `streams`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamList {
    /// By name; of a page, with streams on air first.
    pub streams: Vec<StreamStatus>,
    /// Where the page stands, if the request asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<Page>,
}

/// Where a page of the stream list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Its number, from 1.
    pub number: usize,
    /// How many pages there are.
    pub pages: usize,
    /// How many streams they hold.
    pub matches: usize,
}

/// A stream of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamStatus {
    /// Its name.
    pub name: String,
    /// Its title for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its media, in order: `video H264`, `audio MPA`, …
    pub media: Vec<String>,
    /// The edges that agreed to take it.
    pub edges: Vec<String>,
    /// The edges of its open relays.
    pub relayed_to: Vec<String>,
    /// Whether any media of it is on air now; none if that is unknown.
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
    /// The problems of files that were ignored: name, line, reason.
    pub problems: Vec<String>,
}

/// A line of `events`: a relay changed its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, in seconds since 1970.
    pub at: u64,
    /// The stream's name.
    pub stream: String,
    /// The edge's name.
    pub edge: String,
    /// Its new state.
    pub state: State,
    /// Why it closed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<CloseReason>,
}
