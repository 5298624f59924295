//! RTP and RTCP (RFC 3550), as far as a relay reads them: packet headers, reports, losses,
//! statistics of a receiver, and the ports that the two travel on.
//!
//! No item here opens a socket, reads a clock or changes a packet. Every reader accepts any bytes.

mod packet;
mod port_pair;
mod receiver;
pub mod rtcp;
mod sequence;

pub use packet::{Header, Packet};
pub use port_pair::{PortPair, unless_taken};
pub use receiver::{Receiver, ReportBlock, Reporter};
pub use rtcp::{Feedback, SenderReport};
pub use sequence::{Sequence, Span};
