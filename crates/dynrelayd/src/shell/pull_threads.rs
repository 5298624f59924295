//! The threads that pull streams. Each sends its packets to ports of 127.0.0.1, where the data
//! plane receives them like any other source. One pull serves all relays of its stream.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use rtsp::{Ending, Hop, Order, Output, Pull};

use super::message::Message;
use crate::core::{Input, PullOrder, PullReport};

/// The time that a stopping daemon waits for TEARDOWN.
const LEAVING: Duration = Duration::from_millis(1500);

/// The current pulls, by stream.
#[derive(Debug)]
pub(crate) struct PullThreads {
    sender: Sender<Message>,
    running: HashMap<String, Running>,
    ending: Vec<Ending>,
}

#[derive(Debug)]
struct Running {
    /// Dropping this ends the pull.
    pull: Pull,
    outputs: Vec<Output>,
    /// The ports of the outputs, kept free until the data plane opens them.
    reserved: Vec<UdpSocket>,
}

impl PullThreads {
    /// No pulls yet. They report to `sender`.
    pub(crate) fn new(sender: Sender<Message>) -> Self {
        Self { sender, running: HashMap::new(), ending: Vec::new() }
    }

    /// Starts a pull, instead of any other of the stream. Returns the report if that fails.
    pub(crate) fn start(&mut self, order: PullOrder) -> Option<Input> {
        let PullOrder { stream, id, source, media, transport } = order;
        let known = self.running.remove(&stream);
        let started = || {
            // Open relays go on at their ports.
            let kept = known.filter(|known| known.outputs.len() == media.len());
            let (outputs, reserved) = match kept {
                Some(known) => (known.outputs, known.reserved),
                None => Output::reserve(media.len())?,
            };
            let media = media.to_vec();
            let order = Order { source, media, outputs: outputs.clone(), transport };
            let (sender, name) = (self.sender.clone(), stream.clone());
            let pull = Pull::start(order, move |state| {
                let report = PullReport { stream: name.clone(), id, state: Ok(state) };
                // There is no receiver only while the daemon stops.
                let _ = sender.send(Message::Input(Input::Pull(report)));
            })?;
            std::io::Result::Ok(Running { pull, outputs, reserved })
        };
        match started() {
            Ok(running) => drop(self.running.insert(stream, running)),
            Err(error) => {
                let state = Err(error.to_string());
                return Some(Input::Pull(PullReport { stream, id, state }));
            }
        }
        None
    }

    /// The hops of a stream's packets, if it is pulled: RTP and RTCP of each media in turn. The caller
    /// opens the ports now that they lead to.
    pub(crate) fn outputs(&mut self, stream: &str) -> Vec<Hop> {
        let Some(running) = self.running.get_mut(stream) else { return Vec::new() };
        running.reserved.clear();
        running.outputs.iter().flat_map(|output| [output.rtp, output.rtcp]).collect()
    }

    /// Ends the pull of a stream soon, after TEARDOWN.
    pub(crate) fn end(&mut self, stream: &str) {
        if let Some(running) = self.running.remove(stream) {
            self.ending.retain(|ending| !ending.wait(Duration::ZERO));
            self.ending.push(running.pull.ending());
        }
    }

    /// Waits briefly until all servers have received TEARDOWN.
    pub(crate) fn wait(&mut self) {
        let until = Instant::now() + LEAVING;
        for ending in self.ending.drain(..) {
            ending.wait(until.saturating_duration_since(Instant::now()));
        }
    }
}
