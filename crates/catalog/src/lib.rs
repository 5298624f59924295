//! What may be relayed: dynrelay.toml, the streams folder, SDP files.
//!
//! [`Catalog::load`] reads all of it. It fails only if dynrelay.toml itself has [`Fault`]s, and then it
//! returns all of them; other files have [`Problem`]s. [`Catalog::route`] gives the path of a stream's
//! packets to an edge. [`sdp::Session`] is a single SDP file.

mod catalog;
mod config;
mod file;
mod problem;
pub mod sdp;
mod streams;

pub use catalog::Catalog;
pub use config::duration::{DurationError, parse_duration};
pub use config::edge::{Consent, Edge};
pub use config::url::{AudioUrl, RtspUrl, without_secrets};
pub use config::{Config, Daemon, Limits, LogFormat, LogLevel, Origin, Rtcp};
pub use problem::{ConfigError, Fault, Problem, Severity};
pub use streams::comparison::{Compared, Comparison};
pub use streams::offer::{Offer, OfferError};
pub use streams::replica::{Place, Replica, Run};
pub use streams::route::{Multicast, Pair, Pass, Path, Refusal, Route, Source};
pub use streams::rtsp_source::{RtspSource, RtspTransport};
pub use streams::stream::Stream;
