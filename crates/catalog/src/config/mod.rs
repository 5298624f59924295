//! dynrelay.toml.

pub(crate) mod config_file;
pub(crate) mod duration;
pub(crate) mod edge;
pub(crate) mod toml_file;
pub(crate) mod url;

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

use self::edge::{Edge, nearness, networks};
use self::url::RtspUrl;
use model::Rules;

/// The largest receive buffer that may be set: 1 GiB.
const MAX_BUFFER: usize = 1 << 30;

/// The settings of dynrelay.toml, with defaults for those that are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[daemon]`
    pub daemon: Daemon,
    /// `[catalog] streams`: the streams folder.
    pub streams: PathBuf,
    /// `[origin]`
    pub origin: Origin,
    /// `[shutdown]`
    pub rules: Rules,
    /// `[limits]`
    pub limits: Limits,
    /// `[forward] rtcp`
    pub rtcp: Rtcp,
    /// Every `[[edge]]`, in order.
    pub edges: Vec<Edge>,
}

/// `[daemon]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "the section [daemon]")]
pub struct Daemon {
    /// The control socket.
    pub socket: PathBuf,
    /// The group that may open the socket; none: the daemon's own.
    pub socket_group: Option<String>,
    /// The file that keeps the relays over a restart.
    pub state: PathBuf,
    /// Whether the daemon gives up all files and system calls that it doesn't need.
    pub confine: bool,
    /// How much is logged.
    pub log_level: LogLevel,
    /// Where the log goes, and what it looks like.
    pub log_format: LogFormat,
    /// Threads that forward packets; 0: one per core.
    #[serde(deserialize_with = "workers")]
    pub workers: usize,
    /// Each receiving socket's buffer, in bytes.
    #[serde(deserialize_with = "buffer")]
    pub receive_buffer: usize,
    /// The local ports that packets are sent from; none: the system chooses.
    #[serde(deserialize_with = "ports")]
    pub source_ports: Option<RangeInclusive<u16>>,
    /// How long a worker rests during a burst, so that the next batch is larger; zero: never.
    #[serde(deserialize_with = "duration::short")]
    pub rest: Duration,
}

impl Default for Daemon {
    fn default() -> Self {
        Self {
            socket: "/run/dynrelay/control.sock".into(),
            socket_group: None,
            state: "/var/lib/dynrelay/state.json".into(),
            confine: true,
            log_level: LogLevel::default(),
            log_format: LogFormat::default(),
            workers: 0,
            receive_buffer: 4 << 20,
            source_ports: None,
            rest: Duration::ZERO,
        }
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the usual levels")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// The level as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Where the log goes, and what it looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// To the journal where standard error leads there, else lines.
    #[default]
    Auto,
    /// Lines for people, on standard error.
    Lines,
    /// A JSON object a line, on standard error.
    Json,
    /// To the journal, with fields; lines where there is none.
    Journal,
}

/// `[origin]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "the section [origin]")]
pub struct Origin {
    /// Where local viewers are sent; none: to an edge, like all others.
    pub url: Option<RtspUrl>,
    /// The networks of local viewers.
    #[serde(deserialize_with = "networks")]
    pub local: Vec<IpNet>,
    /// The interface that multicast arrives on; none: the routing table decides.
    pub interface: Option<String>,
}

impl Origin {
    /// Where a local viewer watches `stream`; none if `url` is not set.
    pub fn viewer_url(&self, stream: &str) -> Option<String> {
        self.url.as_ref().map(|url| url.viewer_url(stream))
    }

    /// Whether a viewer at this address is sent to the origin itself.
    pub fn is_local(&self, client: std::net::IpAddr) -> bool {
        self.url.is_some() && nearness(&self.local, client).is_some()
    }
}

/// `[limits]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "the section [limits]")]
pub struct Limits {
    /// Relays at a time; 0: none can be started.
    pub relays: usize,
    /// New relays a second.
    #[serde(deserialize_with = "at_least_one")]
    pub starts_per_second: u32,
    /// New relays a second that the clients of one network start: a /24 of IPv4, a /56 of IPv6.
    #[serde(deserialize_with = "at_least_one")]
    pub starts_per_network: u32,
    /// Connections to the control socket at a time.
    #[serde(deserialize_with = "at_least_one")]
    pub connections: usize,
    /// Connections of one user to the control socket at a time.
    #[serde(deserialize_with = "at_least_one")]
    pub connections_per_user: usize,
    /// Requests of one user a second: this many starts, and this many others.
    #[serde(deserialize_with = "at_least_one")]
    pub requests_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            relays: 1000,
            starts_per_second: 20,
            starts_per_network: 5,
            connections: 128,
            connections_per_user: 96,
            requests_per_second: 1000,
        }
    }
}

/// Which RTCP goes to the edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rtcp {
    /// Compound packets that begin with a sender report.
    #[default]
    SenderReports,
    /// Everything that arrives.
    All,
    /// None. If RTCP travels on the RTP port, sender reports still pass.
    None,
}

/// A `[shutdown]` section: the rules that it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "the section [shutdown]")]
pub(crate) struct Shutdown {
    errors: Option<NonZeroU32>,
    #[serde(deserialize_with = "duration::positive")]
    quiet: Option<Duration>,
    #[serde(deserialize_with = "duration::optional")]
    grace: Option<Duration>,
    #[serde(deserialize_with = "duration::positive")]
    source_silence: Option<Duration>,
    #[serde(deserialize_with = "duration::positive")]
    no_viewers: Option<Duration>,
    #[serde(deserialize_with = "duration::optional")]
    lease: Option<Duration>,
    #[serde(deserialize_with = "duration::positive")]
    probe_interval: Option<Duration>,
}

impl Shutdown {
    /// `rules` with this section's changes.
    pub(crate) fn change(&self, rules: Rules) -> Rules {
        Rules {
            errors: self.errors.map_or(rules.errors, NonZeroU32::get),
            quiet: self.quiet.unwrap_or(rules.quiet),
            grace: self.grace.unwrap_or(rules.grace),
            source_silence: self.source_silence.unwrap_or(rules.source_silence),
            no_viewers: self.no_viewers.unwrap_or(rules.no_viewers),
            lease: match self.lease {
                Some(lease) => (!lease.is_zero()).then_some(lease),
                None => rules.lease,
            },
            probe_interval_v4: self.probe_interval.unwrap_or(rules.probe_interval_v4),
            probe_interval_v6: self.probe_interval.unwrap_or(rules.probe_interval_v6),
        }
    }
}

fn workers<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    match usize::deserialize(from)? {
        workers if workers > 4 * cores => Err(de::Error::custom(format!(
            "{workers} is more than 4 for each core; this host has {cores}, so at most {}",
            4 * cores
        ))),
        workers => Ok(workers),
    }
}

fn buffer<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    match usize::deserialize(from)? {
        bytes @ 1..=MAX_BUFFER => Ok(bytes),
        bytes => Err(de::Error::custom(format!("{bytes} is not 1 to {MAX_BUFFER} bytes"))),
    }
}

fn ports<'de, D: Deserializer<'de>>(from: D) -> Result<Option<RangeInclusive<u16>>, D::Error> {
    let text = String::deserialize(from)?;
    let range = text.split_once('-').and_then(|(first, last)| {
        let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first > 0 && first < last).then_some(first..=last)
    });
    let what = || format!("`{}` is not a range of ports such as 40000-40999", text.escape_debug());
    range.map(Some).ok_or_else(|| de::Error::custom(what()))
}

fn at_least_one<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + PartialEq + Default,
{
    match T::deserialize(from)? {
        number if number == T::default() => Err(de::Error::custom("this must be at least 1")),
        number => Ok(number),
    }
}
