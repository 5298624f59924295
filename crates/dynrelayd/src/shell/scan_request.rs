//! An administrator's scan of this host's ports. Only the daemon can open them without taking them
//! from a relay.

use std::sync::mpsc::Sender;
use std::time::Duration;

use control::ScanAnswer;
use forward::Plane;
use scan::{Listening, Media, Scan};

use super::message::Message;
use crate::core::{CallId, Input};

/// The streams of a scan. The caller's session runs it, and ending the session ends it.
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
