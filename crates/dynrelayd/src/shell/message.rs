//! The messages to the main thread.

use std::sync::mpsc::{Sender, SyncSender};
use std::time::Duration;

use control::{Request, ScanAnswer};
use forward::Plane;
use scan::{Listening, Media, Scan};

use crate::core::{Answer, CallId, Input};

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

/// A scan of an administrator. The caller's session listens; when that ends, so does this.
#[derive(Debug)]
pub(crate) struct ScanRequest {
    scan: Scan,
    call: CallId,
    sender: Sender<Message>,
}

impl ScanRequest {
    /// Begins to listen.
    pub(crate) fn open(
        call: CallId,
        plane: &Plane,
        media: Vec<Media>,
        quick: bool,
        sender: Sender<Message>,
    ) -> Self {
        Self { scan: Scan::on(plane, media, quick), call, sender }
    }

    /// Listens for this long, or until no source is left.
    pub(crate) fn listen(&mut self, time: Duration) -> Listening {
        self.scan.listen(time)
    }

    /// The results so far.
    pub(crate) fn answer(&self) -> ScanAnswer {
        self.scan.answer()
    }
}

impl Drop for ScanRequest {
    fn drop(&mut self) {
        // There is no receiver only while the daemon stops.
        let _ = self.sender.send(Message::Input(Input::ScanEnded(self.call)));
    }
}
