//! What the threads send to the main thread.

use std::sync::mpsc::{Sender, SyncSender};

use control::Request;

use super::scan_request::ScanRequest;
use crate::core::{Answer, Input};

/// One message.
#[derive(Debug)]
pub(crate) enum Message {
    /// An input of the core, as it is.
    Input(Input),
    /// The data plane has events of a flow.
    Flow(forward::Notice),
    /// A caller asks.
    Request {
        /// What.
        request: Request,
        /// Who waits for the answer.
        reply: ReplyTo,
    },
}

/// A caller who waits for an answer.
#[derive(Debug)]
pub(crate) enum ReplyTo {
    /// Once.
    Request(Sender<Answer>),
    /// To listen to streams.
    Scan(Sender<Result<ScanRequest, Box<Answer>>>),
    /// And then for a line with each change of a relay's state. The queue is bounded: a caller who
    /// doesn't read is dropped.
    Follow(SyncSender<String>),
}
