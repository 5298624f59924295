//! What touches the system: sockets, threads, files, signals.

pub(crate) mod clients;
pub(crate) mod control_socket;
pub(crate) mod edge_probe;
pub(crate) mod flow_plan;
pub(crate) mod listener;
pub(crate) mod permissions;
pub(crate) mod session;
pub(crate) mod signals;
pub(crate) mod state_file;
pub(crate) mod systemd;
