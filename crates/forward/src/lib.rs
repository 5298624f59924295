//! The data plane: sockets, batches, workers, counters.
//!
//! A [`Plane`] receives the packets of each [`Source`] once and sends them, byte for byte and in
//! order, to every [`Flow`] that was opened on it. Flows are gated, refusals and feedback come
//! back as [`Event`]s. It knows nothing of streams, edges or viewers by name.
//!
//! Who only wants to hear a source [`listen`]s to it, or, where the plane may have its port, puts a
//! [`Tap`] on it.

mod arrivals;
mod counter;
mod error;
mod event;
mod flow;
mod gate;
mod ingest;
mod interfaces;
mod output;
mod path;
mod plane;
mod ports;
mod receiver;
mod registry;
mod returns;
mod run;
mod sys;
mod tap;
mod worker;

pub use error::{OpenError, StartError};
pub use event::{Event, Happened};
pub use flow::{Counters, Flow};
pub use path::{Media, Multicast, Pass, Path, Source};
pub use plane::{Plane, Settings, raise_file_limit};
pub use receiver::open as listen;
pub use tap::{Overheard, Tap};
