//! Looks for everything that is wrong with a configuration and with the system that runs by it.
//!
//! [`examine`] reads dynrelay.toml and the streams folder as the daemon does, looks at this host's
//! interfaces, groups, kernel settings, firewall, control socket and state file, asks the edges,
//! and asks the daemon if one runs. It changes nothing. Each module looks at one subject and gives
//! [`Finding`]s. What can't be looked at is a finding of its own ([`Severity::Unknown`]): it is
//! never taken to be right.
//!
//! A [`Walk`] follows one stream to one edge, from the SDP files to the first packet that the edge
//! takes.

mod buffers;
mod daemon;
mod edges;
mod examine;
mod files;
mod finding;
mod firewall;
mod groups;
mod interfaces;
mod memberships;
mod refusals;
mod reverse_path;
mod socket;
mod state;
mod visitor;
mod walk;

pub use examine::{Report, examine};
pub use finding::{Finding, Severity, Subject};
pub use interfaces::ipv4_of;
pub use walk::{Listen, News, NoWay, Outcome, Stage, Step, Walk};
