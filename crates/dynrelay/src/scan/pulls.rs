//! Streams that are pulled from an RTSP server: to listen to them is to pull them for a while.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ::scan::{Heard, Media};
use catalog::{RtspSource, Stream};
use rtsp::{Ending, Order, Outlet, Pull, State, Transport};

/// How long the servers are given to hear that it is over.
const LEAVING: Duration = Duration::from_millis(1500);

/// The pulls of a scan: ordered, and then running.
#[derive(Default)]
pub(crate) struct Pulls {
    orders: Vec<(String, Order)>,
    reserved: Vec<UdpSocket>,
    running: Vec<Running>,
}

/// One that runs.
struct Running {
    stream: String,
    pull: Pull,
    told: Receiver<State>,
}

impl Pulls {
    /// Prepares to pull a stream, and lets its medias be listened for where that will come out.
    pub(crate) fn order(
        &mut self,
        stream: &Stream,
        source: &RtspSource,
        medias: &mut [Media],
    ) -> io::Result<()> {
        let (outlets, reserved) = Outlet::reserve(medias.len())?;
        for (media, outlet) in medias.iter_mut().zip(&outlets) {
            for source in &mut media.sources {
                (source.address, source.port) = (outlet.rtp.ip(), outlet.rtp.port());
            }
        }
        self.reserved.extend(reserved);
        let (source, medias) = (source.clone(), stream.media.to_vec());
        let order = Order { source, medias, outlets, transport: Transport::Udp };
        self.orders.push((stream.name.clone(), order));
        Ok(())
    }

    /// Leaves the ports to whoever listens.
    pub(crate) fn make_room(&mut self) {
        self.reserved.clear();
    }

    /// Begins to pull.
    pub(crate) fn start(&mut self) -> io::Result<()> {
        for (stream, order) in self.orders.drain(..) {
            let (tell, told) = channel();
            // Nobody listens any more only when the scan is over.
            let pull = Pull::start(order, move |state| drop(tell.send(state)))?;
            self.running.push(Running { stream, pull, told });
        }
        Ok(())
    }

    /// How the pulls went, by stream.
    pub(crate) fn told(&self) -> BTreeMap<String, Pulled> {
        let told = |of: &Receiver<State>| {
            of.try_iter().fold(Pulled::default(), |before, state| match state {
                State::Connecting => before,
                State::Playing { from, .. } => Pulled { from: Some(from), fault: None },
                State::Waiting { why, .. } => Pulled { fault: Some(why.to_string()), ..before },
            })
        };
        self.running.iter().map(|one| (one.stream.clone(), told(&one.told))).collect()
    }
}

/// How a pull went.
#[derive(Debug, Default)]
pub(crate) struct Pulled {
    /// Where it came from, if it came.
    from: Option<SocketAddr>,
    /// Why it failed, if it did so at last.
    pub(crate) fault: Option<String>,
}

impl Pulled {
    /// What was heard, with the server as its sender, and not the pull that handed it on.
    pub(crate) fn heard(&self, mut heard: Heard) -> Heard {
        for sender in &mut heard.senders {
            sender.address = self.from.unwrap_or(sender.address);
        }
        heard
    }
}

impl Drop for Pulls {
    /// Lets the servers know that it is over.
    fn drop(&mut self) {
        let ending: Vec<Ending> = self.running.drain(..).map(|one| one.pull.ending()).collect();
        for one in ending {
            one.wait(LEAVING);
        }
    }
}
