//! Finds out which streams are active: whether their RTP arrives here.
//!
//! A [`Scan`] listens to the sources of many [`Media`] by taps of a data plane: the daemon's, or one
//! of its own. A media is active if RTP with a payload type of its SDP comes. Multicast groups can be
//! received beside other programs. A unicast port has one owner, so a scan on a plane of its own
//! can't listen to a port that another program has.

mod media;
mod scan;
mod tally;

pub use media::Media;
pub use scan::{Listening, Scan};
