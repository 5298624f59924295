//! Pulls streams from RTSP servers for the time of a scan.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ::scan::Media;
use catalog::{RtspSource, Stream};
use control::ScanResult;
use rtsp::{Ending, Order, Output, Pull, State, Transport};

/// How long to wait for the servers to take the end of a session.
const LEAVING: Duration = Duration::from_millis(1500);

/// The pulls of a scan.
#[derive(Default)]
pub(crate) struct Pulls {
    orders: Vec<(String, Order)>,
    reserved: Vec<UdpSocket>,
    running: Vec<Running>,
}

/// A pull that runs.
struct Running {
    stream: String,
    pull: Pull,
    states: Receiver<State>,
}

impl Pulls {
    /// Prepares to pull a stream, and makes its media arrive where the pull will send them.
    pub(crate) fn order(
        &mut self,
        stream: &Stream,
        source: &RtspSource,
        media_list: &mut [Media],
    ) -> io::Result<()> {
        let (outputs, reserved) = Output::reserve(media_list.len())?;
        for (media, output) in media_list.iter_mut().zip(&outputs) {
            for source in &mut media.sources {
                (source.address, source.port) = (output.rtp.to.ip(), output.rtp.to.port());
            }
        }
        self.reserved.extend(reserved);
        let (source, media) = (source.clone(), stream.media.to_vec());
        let order = Order { source, media, outputs, transport: Transport::Udp };
        self.orders.push((stream.name.clone(), order));
        Ok(())
    }

    /// Frees the reserved ports for the scan.
    pub(crate) fn make_room(&mut self) {
        self.reserved.clear();
    }

    /// Starts the pulls.
    pub(crate) fn start(&mut self) -> io::Result<()> {
        for (stream, order) in self.orders.drain(..) {
            let (to, states) = channel();
            // The receiver is gone only after the scan.
            let pull = Pull::start(order, move |state| drop(to.send(state)))?;
            self.running.push(Running { stream, pull, states });
        }
        Ok(())
    }

    /// The result of each pull, by stream.
    pub(crate) fn outcomes(&self) -> BTreeMap<String, Pulled> {
        let outcome = |of: &Receiver<State>| {
            of.try_iter().fold(Pulled::default(), |before, state| match state {
                State::Connecting => before,
                State::Playing { from, .. } => Pulled { from: Some(from), fault: None },
                State::Waiting { why, .. } => Pulled { fault: Some(why.to_string()), ..before },
            })
        };
        self.running.iter().map(|one| (one.stream.clone(), outcome(&one.states))).collect()
    }
}

/// The result of a pull.
#[derive(Debug, Default)]
pub(crate) struct Pulled {
    /// The server's address, if packets came.
    from: Option<SocketAddr>,
    /// Why it failed, if it failed last.
    pub(crate) fault: Option<String>,
}

impl Pulled {
    /// The result with the server as its sender, instead of the pull that passed the packets on.
    pub(crate) fn with_server(&self, mut result: ScanResult) -> ScanResult {
        for sender in &mut result.senders {
            sender.address = self.from.unwrap_or(sender.address);
        }
        result
    }
}

impl Drop for Pulls {
    /// Ends the sessions at the servers.
    fn drop(&mut self) {
        let ending: Vec<Ending> = self.running.drain(..).map(|one| one.pull.ending()).collect();
        for one in ending {
            one.wait(LEAVING);
        }
    }
}
