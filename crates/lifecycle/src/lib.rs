//! When a relay starts, goes on and closes: pure, no sockets, no clock.
//!
//! [`Lifecycle`] holds every relay. Its inputs are calls that carry the time: [`Lifecycle::start`],
//! [`Lifecycle::renew`], [`Lifecycle::stop`], [`Lifecycle::observe`] with what was [`Input`], and
//! [`Lifecycle::poll`]. Its outputs are [`Output`]s. The one who drives it
//!
//! 1. observes [`Input::Traffic`] of every flow once a second, and all else as it happens,
//! 2. calls [`Lifecycle::poll`],
//! 3. carries out [`Lifecycle::take_outputs`] in their order,
//! 4. sleeps until [`Lifecycle::next_wake`] or the next thing to observe.
//!
//! After a pause (a suspended machine, a stopped process) the same order holds: what waits to be
//! observed comes first, then `poll`, so that nobody closes for what happened while nobody looked.
//!
//! # How a refusal is told from silence
//!
//! A closed port is known only by the ICMP error that it sends back, and Linux sends few: about
//! one a second to each peer on IPv4, ten on IPv6, for all ports together. Two rules follow.
//!
//! A refusal always means what it says. Silence means that the port is open only if an error
//! *could* have come: no refusal at full rate from that edge address just before or while it was
//! awaited. So while full-rate refusals come in, probes are held back, and a probe that went out
//! already proves nothing by its silence. Nothing is sent meanwhile, so waiting harms nobody.
//!
//! The other side of it: relays in [`model::State::Starting`] may be refused at full rate, and could hold
//! back the probes of their edge for ever if they are started again and again. So where flows of
//! other relays wait for probes, Starting relays may hold them back for one `grace`; for at least
//! as long after that a refused flow of theirs is probed too, ahead of the others. The schedule of
//! an edge so runs at least half of the time.
//!
//! A media that is not broadcast (nothing came in for `source_silence`) has no say, and a turn in
//! which a slow source sent nothing to probe with is no objection to closing: else one such media
//! would keep a relay that nobody watches for ever.

mod close_forecast;
mod edge;
mod flow;
mod input;
mod lifecycle;
mod output;
mod relay;
mod schedule;

pub use close_forecast::{CloseForecast, When};
pub use input::Input;
pub use lifecycle::Lifecycle;
pub use model::Rules;
pub use output::Output;
