//! SDP (RFC 8866) as encoders and servers write it.
//!
//! This reader splits the file into lines, and `sdp-rs` parses single `m=` and `c=` lines. Its reader
//! for whole files is not used: after a line that is out of the RFC's order it drops the rest without
//! an error (an old server's `b=` after `t=` loses every media), it panics on large numbers in `r=`
//! and `z=`, and it takes quadratic time where lines end in LF alone. On one line at a time it does
//! none of that. Numbers are parsed here as well, because it allows 255 ports only, and because an
//! rtpmap without a clock is common.

mod connection;
mod format;
mod line;
mod media;
mod rewrite;
mod session;

pub use crate::file::MAX_FILE as MAX_SDP;
pub use connection::{Connection, SourceFilter};
pub use format::{Format, MediaFormat};
pub use line::SdpError;
pub use media::{Media, RtcpAddress};
pub use session::Session;

pub(crate) use rewrite::{Ports, rewritten};
pub(crate) use session::cleaned;
