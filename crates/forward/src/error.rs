//! Why a plane could not start, or flows not be opened.

use crate::path::Source;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

/// Why the data plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A worker's thread, epoll or eventfd could not be made.
    #[error("can't start worker {worker}: {error}")]
    Worker {
        /// Its number, from 0.
        worker: usize,
        /// What the system said.
        error: io::Error,
    },
    /// The port range holds no even port followed by an odd one.
    #[error("the source ports {}-{} hold no even port and its next: widen the range", .0.start(), .0.end())]
    Ports(RangeInclusive<u16>),
}

/// Why flows could not be opened. None of the call's flows is open then.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The source names an interface that this host does not have (now).
    #[error("can't receive {source_}: there is no interface {interface}")]
    NoInterface {
        /// The source that was to be received.
        source_: Source,
        /// The interface's name.
        interface: String,
    },
    /// A source's socket could not be opened or bound, or its group not be joined.
    #[error("can't receive {source_}: {step}: {error}")]
    Source {
        /// The source that was to be received.
        source_: Source,
        /// What was being done.
        step: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// An output's socket could not be opened or connected.
    #[error("can't send to {target}: {step}: {error}")]
    Target {
        /// Where the flow was to go.
        target: SocketAddr,
        /// What was being done.
        step: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// A group is to be sent to over an interface that this host does not have (now).
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
        /// Where the flow was to go.
        target: SocketAddr,
    },
    /// The worker that would serve the flow has ended; the log says why.
    #[error("forwarding has stopped: restart dynrelayd")]
    Stopped,
}
