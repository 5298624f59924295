//! Why a plane did not start, or flows could not be opened.

use crate::path::Source;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

/// Why the data plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A worker's thread, epoll or eventfd could not be created.
    #[error("can't start worker {worker}: {error}")]
    Worker {
        /// Its number, from 0.
        worker: usize,
        /// The system's error.
        error: io::Error,
    },
    /// The port range holds no even port followed by an odd one.
    #[error("the source ports {}-{} hold no even port and its next: widen the range", .0.start(), .0.end())]
    Ports(RangeInclusive<u16>),
}

/// Why flows could not be opened. None of the call's flows is open then.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The source names an interface that this host doesn't have now.
    #[error("can't receive {source_}: there is no interface {interface}")]
    NoInterface {
        /// The source.
        source_: Source,
        /// The interface's name.
        interface: String,
    },
    /// A source's socket could not be opened or bound, or its group could not be joined.
    #[error("can't receive {source_}: {step}: {error}")]
    Source {
        /// The source.
        source_: Source,
        /// The step that failed.
        step: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// An output's socket could not be opened or connected.
    #[error("can't send to {target}: {step}: {error}")]
    Target {
        /// The flow's target.
        target: SocketAddr,
        /// The step that failed.
        step: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// The path sends over an interface that this host doesn't have now.
    #[error("can't send to {target}: there is no interface {interface}")]
    NoWay {
        /// The group.
        target: SocketAddr,
        /// The interface's name.
        interface: String,
    },
    /// All pairs of source ports are taken.
    #[error(
        "can't send to {target}: no even source port is free together with the next: widen \
        source_ports"
    )]
    NoPorts {
        /// The flow's target.
        target: SocketAddr,
    },
    /// The worker that would serve the flow has ended. The log says why.
    #[error("forwarding has stopped: restart dynrelayd")]
    Stopped,
}
