//! Where a stream comes from.

use crate::word::words;

words! {
    /// How the source of a stream, or a replica of it, is doing.
    pub enum SourceState {
        /// Nothing needs it.
        Idle = "idle",
        /// The pull asks its RTSP server, and no packet has come yet.
        Connecting = "connecting",
        /// It is wanted, and no packet has come yet.
        Waiting = "waiting",
        /// Packets come.
        Running = "running",
        /// It failed. A detail says why.
        Failed = "failed",
        /// Another program sends this replica.
        Elsewhere = "elsewhere",
    }
}
