//! A pull: a thread that brings a stream, and tries again as long as somebody needs it.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use catalog::RtspTransport;

use crate::error::Error;
use crate::session::{self, Failure, Order, random};
use crate::stop_signal::{StopSignal, Stopper, stop_signal};
use crate::transport::Transport;

/// A session that played this long was no failure.
const LONG: Duration = Duration::from_secs(10);
/// The wait after the first failure.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait, without its random part.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// The state of a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It asks the server, and no packet has come yet.
    Connecting,
    /// Packets come.
    Playing {
        /// Their transport.
        transport: Transport,
        /// The server's end of the connection.
        from: SocketAddr,
        /// How many bytes of the connection were skipped so far: they are neither RTSP nor packets.
        skipped: u64,
    },
    /// It has failed, and will try again.
    Waiting {
        /// Why it failed.
        why: Error,
        /// The wait before the next try.
        wait: Duration,
    },
}

/// A pull. Dropping it ends it soon, after a TEARDOWN that nobody waits for.
#[derive(Debug)]
pub struct Pull {
    stopper: Stopper,
    /// Closes when the thread has ended.
    ended: Receiver<()>,
}

impl Pull {
    /// Begins to pull. `tell` is called on the pull's thread with each change of its state.
    pub fn start(order: Order, tell: impl Fn(State) + Send + 'static) -> io::Result<Self> {
        let (stopper, signal) = stop_signal()?;
        let (ending, ended) = mpsc::channel();
        thread::Builder::new().name("pull".into()).spawn(move || {
            let _ending = ending;
            pull(&order, &signal, &tell);
        })?;
        Ok(Self { stopper, ended })
    }

    /// Ends it. The caller may wait for that.
    pub fn ending(self) -> Ending {
        drop(self.stopper);
        Ending(self.ended)
    }
}

/// A pull that is ending.
#[derive(Debug)]
pub struct Ending(Receiver<()>);

impl Ending {
    /// Waits until it has ended, but no longer than this; true if it has.
    pub fn wait(&self, patience: Duration) -> bool {
        self.0.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }
}

/// Tries until the stop signal.
fn pull(order: &Order, stop: &StopSignal, tell: &dyn Fn(State)) {
    let mut choice = Choice::new(order.source.transport(), order.transport);
    let mut failures = 0;
    loop {
        let transport = choice.transport;
        if choice.udp.is_none() {
            tell(State::Connecting);
        }
        let mut played = None;
        let mut progress = |session::Progress { from, skipped }| {
            played.get_or_insert_with(Instant::now);
            tell(State::Playing { transport, from, skipped });
        };
        let tried =
            catch_unwind(AssertUnwindSafe(|| session::run(order, transport, stop, &mut progress)));
        let failure = match tried.unwrap_or_else(|_| Err(Error::Panicked.into())) {
            Ok(()) => return,
            Err(failure) => failure,
        };
        if played.is_some_and(|since| since.elapsed() >= LONG) {
            failures = 0;
        }
        let Some(why) = choice.next(failure, played.is_some()) else {
            if stop.within(Duration::ZERO) {
                return;
            }
            continue;
        };
        failures += 1;
        let [luck, ..] = random().to_be_bytes();
        let wait = backoff(failures, luck);
        tell(State::Waiting { why, wait });
        if stop.within(wait) {
            return;
        }
    }
}

/// The next transport to try.
#[derive(Debug)]
struct Choice {
    allowed: RtspTransport,
    transport: Transport,
    /// Why UDP failed, while TCP is tried in its place.
    udp: Option<Error>,
}

impl Choice {
    fn new(allowed: RtspTransport, first: Transport) -> Self {
        let transport = match allowed {
            RtspTransport::Auto => first,
            RtspTransport::Udp => Transport::Udp,
            RtspTransport::Tcp => Transport::Tcp,
        };
        Self { allowed, transport, udp: None }
    }

    /// Takes in a failure: the error to tell before the next try, or `None` if TCP is to be tried at
    /// once, because UDP failed in whatever way before it brought a packet.
    fn next(&mut self, Failure { why, negotiated }: Failure, played: bool) -> Option<Error> {
        if self.allowed != RtspTransport::Auto {
            return Some(why);
        }
        if played {
            self.udp = None;
            return Some(why);
        }
        match (self.transport, self.udp.take()) {
            (Transport::Udp, _) if negotiated => {
                (self.transport, self.udp) = (Transport::Tcp, Some(why));
                None
            }
            (_, udp) => {
                if negotiated || udp.is_some() {
                    self.transport = Transport::Udp;
                }
                match udp {
                    Some(udp) if udp != why => {
                        Some(Error::NoTransport { udp: udp.into(), tcp: why.into() })
                    }
                    _ => Some(why),
                }
            }
        }
    }
}

/// The wait after so many failures in a row: half a second at first, twice as long each time, and
/// eight seconds at most. `luck` makes it up to a quarter longer, so that the pulls of a server that
/// went down don't come back all at once.
fn backoff(failures: u32, luck: u8) -> Duration {
    let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let wait = FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT);
    wait + wait / 4 * u32::from(luck) / u32::from(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP: Transport = Transport::Udp;
    const TCP: Transport = Transport::Tcp;

    fn failure(why: Error, negotiated: bool) -> Failure {
        Failure { why, negotiated }
    }

    fn refused(code: u16) -> Error {
        Error::Refused { method: "SETUP", code }
    }

    #[test]
    fn tcp_is_tried_once_if_udp_brings_no_packet() {
        let nothing = Error::NoPackets { transport: UDP, patience: LONG };
        let over_udp = [461, 400, 403, 406, 500, 551].map(refused).into_iter();
        for why in over_udp.chain([nothing, Error::HungUp { why: None }, Error::WrongPassword]) {
            let mut choice = Choice::new(RtspTransport::Auto, UDP);
            assert_eq!(choice.next(failure(why.clone(), true), false), None, "{why}");
            assert_eq!(choice.transport, TCP);
            let both = Error::NoTransport { udp: why.clone().into(), tcp: refused(404).into() };
            assert_eq!(choice.next(failure(refused(404), true), false), Some(both));
            assert_eq!(choice.transport, UDP);
            choice.next(failure(why.clone(), true), false);
            assert_eq!(choice.next(failure(why.clone(), true), false), Some(why));
        }
    }

    #[test]
    fn a_transport_that_played_or_was_not_asked_for_is_kept() {
        let gone = || Error::HungUp { why: None };
        for first in [UDP, TCP] {
            let mut choice = Choice::new(RtspTransport::Auto, first);
            assert_eq!(choice.next(failure(gone(), true), true), Some(gone()));
            assert_eq!(choice.transport, first);
        }
        let mut choice = Choice::new(RtspTransport::Auto, UDP);
        assert_eq!(choice.next(failure(gone(), false), false), Some(gone()));
        assert_eq!(choice.transport, UDP);
        let mut choice = Choice::new(RtspTransport::Auto, TCP);
        assert_eq!(choice.next(failure(refused(461), true), false), Some(refused(461)));
        assert_eq!(choice.transport, UDP, "the server may have changed its mind");
    }

    #[test]
    fn no_other_transport_is_tried_than_the_one_that_is_set() {
        for (allowed, only) in [(RtspTransport::Udp, UDP), (RtspTransport::Tcp, TCP)] {
            for first in [UDP, TCP] {
                let mut choice = Choice::new(allowed, first);
                for _ in 0..2 {
                    assert_eq!(choice.transport, only);
                    assert!(choice.next(failure(refused(461), true), false).is_some());
                }
            }
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits: Vec<u128> = (0..8).map(|failures| backoff(failures, 0).as_millis()).collect();
        assert_eq!(waits, [500, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(backoff(u32::MAX, u8::MAX), Duration::from_secs(10));
        assert_eq!(backoff(1, u8::MAX), Duration::from_millis(625));
    }
}
