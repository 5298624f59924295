//! dynrelay.toml.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use model::Rules;
use serde::{Deserialize, Deserializer, de};

use crate::duration;
use crate::edge::{Edge, nearness, networks};
use crate::url::RtspUrl;

/// The largest receive buffer that is asked for: 1 GiB.
const MAX_BUFFER: usize = 1 << 30;

/// What dynrelay.toml says, with defaults for what it doesn't.
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
    /// The group that may open it; none: the daemon's own.
    pub socket_group: Option<String>,
    /// Where the relays are remembered over a restart.
    pub state: PathBuf,
    /// Whether the daemon shuts itself off from all files and system calls that it doesn't need.
    pub confine: bool,
    /// How much is logged.
    pub log_level: LogLevel,
    /// Where the log goes, and what it looks like.
    pub log_format: LogFormat,
    /// Threads that forward packets; 0: one per core.
    pub workers: usize,
    /// Each receiving socket's buffer, in bytes.
    #[serde(deserialize_with = "buffer")]
    pub receive_buffer: usize,
    /// The local ports that packets are sent from; none: as the system chooses.
    #[serde(deserialize_with = "ports")]
    pub source_ports: Option<RangeInclusive<u16>>,
    /// How long a worker rests amid a burst, so that the next batch is larger; zero: never.
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
#[expect(missing_docs, reason = "the names are the levels that everybody knows")]
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
    /// Who is local.
    #[serde(deserialize_with = "networks")]
    pub local: Vec<IpNet>,
    /// The interface that multicast arrives on; none: as the routing table says.
    pub interface: Option<String>,
}

impl Origin {
    /// Where a local viewer watches `stream`; none if there is no URL.
    pub fn viewer_url(&self, stream: &str) -> Option<String> {
        self.url.as_ref().map(|url| url.viewer_url(stream))
    }

    /// Whether a viewer there is sent to the origin itself.
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
    /// Connections to the control socket at a time.
    #[serde(deserialize_with = "at_least_one")]
    pub connections: usize,
    /// The same, of one user.
    #[serde(deserialize_with = "at_least_one")]
    pub connections_per_user: usize,
    /// Requests of one user a second: so many starts, and so many of all others.
    #[serde(deserialize_with = "at_least_one")]
    pub requests_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            relays: 1000,
            starts_per_second: 20,
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
    /// None; but where it travels on the RTP port, sender reports go along.
    None,
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
