//! Everything that the supervisor hears of, in one queue.

use std::sync::mpsc::{Receiver, Sender, SyncSender};

use control::Request;

use crate::core::on_air::Heard;
use crate::core::pulls::Told;
use crate::core::scan_request::Audition;
use crate::core::supervisor::Answer;
use crate::shell::edge_probe::Verdict;

/// One thing to act on.
#[derive(Debug)]
pub(crate) enum Input {
    /// Somebody asked; the answer goes to `reply` as one line.
    Asked(Asked),
    /// Somebody wants a line for each change of a relay's state.
    Watch(Watcher),
    /// Somebody wants to listen to these streams.
    Audition {
        /// Their names.
        streams: Vec<String>,
        /// Until each media is known to be active.
        quick: bool,
        /// Where it is handed over.
        to: SyncSender<Answer<Audition>>,
    },
    /// A flow was refused, a probe was sent, an edge reported.
    Forward(forward::Notice),
    /// It was listened to some streams.
    Heard(Heard),
    /// It is known now whether an edge can be reached.
    Reach(Verdict),
    /// A stream that is pulled comes, or doesn't.
    Pull(Told),
    /// SIGHUP.
    Reload,
    /// SIGTERM or SIGINT.
    Stop,
}

/// A request and where its answer goes.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What is asked.
    pub(crate) request: Request,
    /// Takes one line, without its newline. A caller that hung up takes none, and that is fine.
    pub(crate) reply: Sender<String>,
}

/// Where the lines of `events` go. It is bounded: who doesn't read loses the feed.
pub(crate) type Watcher = SyncSender<String>;

/// The supervisor's end of the queue.
pub(crate) type Inbox = Receiver<Input>;

/// Everyone else's end.
pub(crate) type Post = Sender<Input>;
