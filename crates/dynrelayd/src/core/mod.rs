//! Every decision of the daemon.

pub(crate) mod edge_choice;
pub(crate) mod history;
pub(crate) mod input;
pub(crate) mod loop_warning;
pub(crate) mod on_air;
pub(crate) mod origin;
pub(crate) mod pull_wait;
pub(crate) mod pulls;
pub(crate) mod rate_history;
pub(crate) mod rate_limit;
pub(crate) mod relay;
pub(crate) mod reload;
pub(crate) mod replicas;
pub(crate) mod scan_request;
pub(crate) mod starts;
pub(crate) mod supervisor;
pub(crate) mod tick;
pub(crate) mod viewer_time;
pub(crate) mod views;
