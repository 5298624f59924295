//! The messages to the main thread.

use std::sync::mpsc::{Sender, SyncSender};

use control::Request;

use super::scan_request::ScanRequest;
use crate::core::{Answer, Input};

/// One message.
#[derive(Debug)]
pub(crate) enum Message {
    /// An input for the core.
    Input(Input),
    /// The data plane has events of a flow.
    Flow(forward::Notice),
    /// A caller's request.
    Request {
        /// The request.
        request: Request,
        /// The caller, who waits for the answer.
        reply: ReplyTo,
    },
}

/// Where an answer goes.
#[derive(Debug)]
pub(crate) enum ReplyTo {
    /// The only answer.
    Request(Sender<Answer>),
    /// Then results of a scan.
    Scan(Sender<Result<ScanRequest, Box<Answer>>>),
    /// Then a line for each change of a relay's state. The queue is bounded: a caller who does not
    /// read is dropped.
    Follow(SyncSender<String>),
}
