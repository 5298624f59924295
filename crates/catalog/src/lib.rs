//! What may be relayed: dynrelay.toml, the streams folder, SDP files.
//!
//! [`Catalog::load`] reads all of it. Only dynrelay.toml itself can make that fail, with all its
//! [`Fault`]s at once; what is wrong with any other file is a [`Problem`]. [`Catalog::route`] says which way a stream goes to an
//! edge. [`sdp::Session`] is one SDP file by itself.

mod arrival;
mod audio;
mod catalog;
mod comparison;
mod config;
mod cycle;
mod duration;
mod edge;
mod fault;
mod file;
mod fit;
mod folder;
mod offer;
mod password;
mod problem;
mod reading;
mod replica;
mod route;
mod rtsp_source;
mod rules;
pub mod sdp;
mod stream;
mod toml_file;
mod url;
mod watched;

pub use audio::AudioUrl;
pub use catalog::Catalog;
pub use comparison::{Compared, Comparison};
pub use config::{Config, Daemon, Limits, LogFormat, LogLevel, Origin, Rtcp};
pub use duration::{DurationError, parse_duration};
pub use edge::{Consent, Edge};
pub use fault::{ConfigError, Fault};
pub use offer::{Offer, OfferError};
pub use problem::{Problem, Severity};
pub use replica::{Place, Replica, Run};
pub use route::{Multicast, Pair, Pass, Path, Refusal, Route, Source};
pub use rtsp_source::RtspSource;
pub use stream::Stream;
pub use url::RtspUrl;
