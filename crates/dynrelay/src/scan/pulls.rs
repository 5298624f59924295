//! Streams that are pulled from an RTSP server: to listen to them is to pull them for a while.

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use ::scan::Media;
use catalog::{RtspSource, Stream};
use pull::{Ending, Order, Outlet, Pull, Transport};

/// How long the servers are given to hear that it is over.
const LEAVING: Duration = Duration::from_millis(1500);

/// The pulls of a scan: ordered, and then running.
#[derive(Default)]
pub(crate) struct Pulls {
    orders: Vec<Order>,
    reserved: Vec<UdpSocket>,
    running: Vec<Pull>,
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
        self.orders.push(Order {
            source: source.clone(),
            medias: stream.session.media.clone(),
            outlets,
            transport: Transport::Udp,
        });
        Ok(())
    }

    /// Leaves the ports to whoever listens.
    pub(crate) fn make_room(&mut self) {
        self.reserved.clear();
    }

    /// Begins to pull.
    pub(crate) fn start(&mut self) -> io::Result<()> {
        for order in self.orders.drain(..) {
            // What it tells is heard, or not.
            self.running.push(Pull::start(order, drop)?);
        }
        Ok(())
    }
}

impl Drop for Pulls {
    /// Lets the servers know that it is over.
    fn drop(&mut self) {
        let ending: Vec<Ending> = self.running.drain(..).map(Pull::ending).collect();
        for one in ending {
            one.wait(LEAVING);
        }
    }
}
