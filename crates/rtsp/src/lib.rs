//! Conversations with RTSP servers (RFC 2326).
//!
//! [`ask`] puts one question to a server: whether it listens, its options, or whether it has a
//! stream. A [`Pull`] brings a stream as long as somebody needs it: a thread of its own asks the
//! server, over UDP or else interleaved in TCP, and hands every RTP and RTCP packet, unchanged, to
//! the outputs of its [`Order`]. It reports failures, and tries again. Dropping the pull ends
//! it with a TEARDOWN.
//!
//! Requests, responses and time-outs are decided without socket and clock. No server can make this
//! crate panic, wait for ever or take more than some hundred kilobytes a session. No error repeats a
//! password.

mod client;
mod connection;
mod conversation;
mod error;
mod login;
mod media;
mod message;
mod offer;
mod output;
mod probe;
mod pull;
mod reader;
mod session;
mod stop_signal;
mod transport;
mod url;

pub use error::{Error, Fault};
pub use message::{MAX_BODY, Message, Start};
pub use output::{Hop, Output};
pub use probe::{Answer, Question, ask};
pub use pull::{Ending, Pull, State};
pub use reader::{Item, MAX_GARBAGE, MAX_HEAD, ReadError, Reader};
pub use session::Order;
pub use transport::Transport;
