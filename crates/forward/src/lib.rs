//! The data plane: sockets, batches, workers, counters.
//!
//! A [`Plane`] receives the packets of each [`Source`] once and sends them, byte for byte and in
//! order, on every [`Flow`] that was opened for it. A [`Tap`] gets a description of each packet
//! instead. Refusals and reports come back as [`Notice`]s of [`FlowEvent`]s. The plane knows no
//! streams, edges or viewers by name.
//!
//! The modules depend on each other in this order only: `plane`, `handle`, `registry`, `worker`,
//! `ingest`, `output` and `tap`, `evidence`, `quoting` and `icmp`, the sockets, and at the bottom what threads
//! share: `event`, `ingest_counters`, `cell`. All unsafe code is in `sys`.

mod cell;
mod error;
mod event;
mod evidence;
mod gso;
mod handle;
mod icmp;
mod ingest;
mod ingest_counters;
mod ingest_socket;
mod interfaces;
mod loop_guard;
mod output;
mod output_socket;
mod path;
mod plane;
mod quoting;
mod recent;
mod registry;
mod sys;
mod tap;
mod worker;

pub use error::{OpenError, StartError};
pub use event::{FlowEvent, Notice};
pub use handle::{Counters, Flow, Tap};
pub use path::{Media, Multicast, Pass, Path, Source};
pub use plane::{Plane, Settings};
pub use tap::Tapped;
