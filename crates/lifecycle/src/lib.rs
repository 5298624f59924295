//! When a relay starts, goes on and closes. Pure: no socket, no clock.
//!
//! [`Lifecycle`] holds every relay. Each call carries the time. Its [`Output`]s say what to do. The
//! caller
//!
//! 1. observes [`Input::Traffic`] of every flow once a second, and other inputs as they happen,
//! 2. calls [`Lifecycle::poll`],
//! 3. performs [`Lifecycle::take_outputs`] in order,
//! 4. sleeps until [`Lifecycle::next_wake`] or the next input.
//!
//! After a pause (a suspended machine, a stopped process) the order is the same: waiting inputs come
//! before `poll`, so that a relay does not close because nobody looked.
//!
//! # Refusal and silence
//!
//! Only an ICMP error shows that a port is closed, and Linux sends few of them: about one a second to
//! each peer on IPv4 and ten on IPv6, for all ports together.
//!
//! A refusal always counts. Silence proves that a port is open only if an error *could* have come:
//! the edge has refused nothing at full rate just before or meanwhile. So the schedule holds back
//! probes while refusals at full rate come in. Nothing is sent meanwhile, so waiting harms nobody.
//!
//! Relays in [`model::State::Starting`] may be refused at full rate, and could hold back the probes of
//! other relays for ever. They may do so for one grace. Then their refused flows are probed, too, for
//! at least as long.
//!
//! A media that is not broadcast neither keeps nor closes a relay. A turn in which a slow source sends
//! no packet counts like a refusal when a relay closes. Otherwise one silent media would keep a relay
//! open for ever.

mod close_forecast;
mod edge;
mod flow;
mod input;
mod lifecycle;
mod output;
mod relay;
mod schedule;
mod viewer_count;

pub use close_forecast::{CloseForecast, When};
pub use input::Input;
pub use lifecycle::Lifecycle;
pub use model::Rules;
pub use output::Output;
