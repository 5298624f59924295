//! Which medias of which streams are active: whether their RTP arrives here.
//!
//! A [`Scan`] listens to the sources of many [`Media`]s at once, on the caller's thread, and says of
//! each what it [`Heard`]. Active means RTP with a payload type of the media's SDP; any other packet
//! is a stranger. Multicast groups are joined beside whoever else has joined them; the port of a
//! unicast source can't be shared, and a source whose port is taken is [`Deaf::Busy`]. Who has a data
//! plane shares its ports, by a [`Hearing`].

mod deaf;
mod ear;
mod heard;
mod hearing;
mod media;
mod scan;
mod sender;
mod tallies;
mod tally;
mod told;

pub use deaf::Deaf;
pub use heard::{Heard, Verdict};
pub use hearing::Hearing;
pub use media::Media;
pub use scan::{Listening, Scan, Settings, scan};
pub use sender::Sender;
pub use told::{Told, ToldMedia, ToldStream};
