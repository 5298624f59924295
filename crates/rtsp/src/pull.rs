//! A pull: a thread that brings a stream, and tries again for as long as it is wanted.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use catalog::RtspSource;
use catalog::sdp::MediaFormat;

use crate::backoff::backoff;
use crate::error::Error;
use crate::leash::{Hold, Leash, leash};
use crate::outlet::Outlet;
use crate::session::{self, chance};
use crate::transport::Transport;

/// A session that played for so long was no failure.
const LONG: Duration = Duration::from_secs(10);

/// What is to be pulled, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Where from.
    pub source: RtspSource,
    /// Which medias: at least one, and 128 at most. Only their kinds and formats count.
    pub medias: Vec<Arc<MediaFormat>>,
    /// Where each media goes, in the same order.
    pub outlets: Vec<Outlet>,
    /// How packets are asked for at first.
    pub transport: Transport,
}

/// What a pull is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It asks, and nothing has come yet.
    Connecting,
    /// Packets come.
    Playing {
        /// How.
        transport: Transport,
        /// From where: the server's end of the connection.
        from: SocketAddr,
    },
    /// It has failed, and will try again.
    Waiting {
        /// Why it failed.
        why: Error,
        /// How long it waits.
        wait: Duration,
    },
}

/// A pull. Dropping it ends it, soon: a TEARDOWN is sent first, and nobody waits for that.
#[derive(Debug)]
pub struct Pull {
    hold: Hold,
    /// Hangs up when the thread has ended.
    ended: Receiver<()>,
}

impl Pull {
    /// Begins to pull. `tell` is called on the pull's thread with each change of its state.
    pub fn start(order: Order, tell: impl Fn(State) + Send + 'static) -> io::Result<Self> {
        let (hold, leash) = leash()?;
        let (ending, ended) = mpsc::channel();
        thread::Builder::new().name("pull".into()).spawn(move || {
            let _ending = ending;
            pull(&order, &leash, &tell);
        })?;
        Ok(Self { hold, ended })
    }

    /// Ends it; whoever wants to can wait for that.
    pub fn ending(self) -> Ending {
        drop(self.hold);
        Ending(self.ended)
    }
}

/// A pull that was told to end.
#[derive(Debug)]
pub struct Ending(Receiver<()>);

impl Ending {
    /// Waits until it has said goodbye, but no longer than this; true if it has.
    pub fn wait(&self, patience: Duration) -> bool {
        self.0.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }
}

/// Tries until it is told to end.
fn pull(order: &Order, leash: &Leash, tell: &dyn Fn(State)) {
    let (mut transport, mut failures) = (order.transport, 0);
    loop {
        tell(State::Connecting);
        let mut played = None;
        let mut first = |from| {
            played = Some(Instant::now());
            tell(State::Playing { transport, from });
        };
        let tried =
            catch_unwind(AssertUnwindSafe(|| session::run(order, transport, leash, &mut first)));
        let why = match tried.unwrap_or(Err(Error::Panicked)) {
            Ok(()) => return,
            Err(why) => why,
        };
        if played.is_some_and(|since| since.elapsed() >= LONG) {
            failures = 0;
        }
        if let Some(other) = instead(transport, &why, played.is_some()) {
            let at_once = transport == Transport::Udp;
            transport = other;
            if at_once && !leash.pulled_within(Duration::ZERO) {
                continue;
            }
        }
        failures += 1;
        let [luck, ..] = chance().to_be_bytes();
        let wait = backoff(failures, luck);
        tell(State::Waiting { why, wait });
        if leash.pulled_within(wait) {
            return;
        }
    }
}

/// The transport to try next, if it is another one.
fn instead(now: Transport, why: &Error, played: bool) -> Option<Transport> {
    match (now, why) {
        (Transport::Udp, Error::RefusesUdp | Error::BringsNothing { .. }) => Some(Transport::Tcp),
        // Neither brings anything, or the server changed its mind.
        (Transport::Tcp, Error::BringsNothing { .. }) => Some(Transport::Udp),
        (Transport::Tcp, Error::Refused { method: "SETUP", code: 461 }) if !played => {
            Some(Transport::Udp)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn udp_comes_first_and_tcp_where_that_brings_nothing() {
        let (udp, tcp) = (Transport::Udp, Transport::Tcp);
        let nothing = |transport| Error::BringsNothing { transport, patience: LONG };
        assert_eq!(instead(udp, &Error::RefusesUdp, false), Some(tcp));
        assert_eq!(instead(udp, &nothing(udp), false), Some(tcp));
        assert_eq!(instead(tcp, &nothing(tcp), false), Some(udp));
        for other in [Error::Silent(LONG), Error::WrongPassword, Error::SessionOver] {
            assert_eq!(instead(udp, &other, true), None);
            assert_eq!(instead(tcp, &other, true), None);
        }
        let refused = Error::Refused { method: "SETUP", code: 461 };
        assert_eq!(instead(tcp, &refused, false), Some(udp));
    }
}
