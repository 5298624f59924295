//! Finds out whether an edge quotes packets in its ICMP errors.
//!
//! Linux quotes 548 bytes of a packet. Other systems, such as the BSDs, quote no more than the UDP
//! header, and the kernel does not pass that on to a socket. So a forger could pretend that the edge
//! is such a system. To find out, this host sends a test datagram to a port of the edge that is
//! probably closed, and looks at the answer. A forger can't answer in the edge's place, because the
//! test's two ports and its content are random.

use crate::icmp::{ErrorBuffer, Meaning, QUOTE, next_error};
use crate::output_socket::report_errors;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// How long to wait for the answer to a test, in milliseconds.
const PATIENCE: u64 = 2000;

/// How often to test. An edge limits its ICMP errors, often to one a second, so an answer may be
/// missing.
const TESTS: u32 = 3;

/// For how long an edge counts as one that answers no test, in milliseconds.
const UNANSWERED: u64 = 60_000;

/// The knowledge about an edge's errors. All its flows share it; packets take no part in its lock.
#[derive(Debug, Default)]
pub(crate) struct Quoting {
    quotes: AtomicBool,
    test: Mutex<State>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Unknown,
    Testing {
        socket: UdpSocket,
        content: [u8; QUOTE],
        since: u64,
        number: u32,
    },
    /// The edge answered a test without a quote.
    NoQuotes,
    /// The edge answered no test.
    Unanswered {
        until: u64,
    },
}

impl Quoting {
    /// The edge quoted a packet.
    pub(crate) fn quoted(&self) {
        self.quotes.store(true, Ordering::Relaxed);
    }

    /// Whether an error of this edge without a quote may be true. While a test runs, it may not. The
    /// first call starts a test, and later calls read its answer: so nothing waits for it.
    pub(crate) fn may_omit_quote(&self, edge: IpAddr, now: u64) -> bool {
        if self.quotes.load(Ordering::Relaxed) {
            return false;
        }
        let mut state = self.test.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match &*state {
            State::NoQuotes => return true,
            State::Unanswered { until } if now < *until => return true,
            State::Unknown | State::Unanswered { .. } => start(edge, 1, now),
            State::Testing { socket, content, since, number } => match answer(socket, edge) {
                Some(Some(quote)) if quote == *content => {
                    self.quoted();
                    State::Unknown
                }
                Some(None) => State::NoQuotes,
                _ if now < since + PATIENCE => return false,
                _ if *number < TESTS => start(edge, number + 1, now),
                _ => State::Unanswered { until: now + UNANSWERED },
            },
        };
        *state = next;
        matches!(*state, State::NoQuotes | State::Unanswered { .. })
    }

    /// An edge that is known to omit quotes.
    #[cfg(test)]
    pub(crate) fn omitted() -> Quoting {
        Quoting { test: Mutex::new(State::NoQuotes), ..Quoting::default() }
    }
}

fn start(edge: IpAddr, number: u32, now: u64) -> State {
    let random = RandomState::new();
    let [a, b, c] = [0, 1, 2].map(|part: u8| random.hash_one(part).to_be_bytes());
    let mut content = [0; QUOTE];
    content[..8].copy_from_slice(&a);
    content[8..].copy_from_slice(&b[..4]);
    // Neither RTP nor a port that servers use.
    content[0] = 0;
    let port = 40_000 + u16::from_be_bytes([c[0], c[1]]) % 20_000;
    match send(edge, port, &content) {
        Ok(socket) => State::Testing { socket, content, since: now, number },
        Err(_) => State::Unanswered { until: now + UNANSWERED },
    }
}

fn send(edge: IpAddr, port: u16, content: &[u8]) -> io::Result<UdpSocket> {
    let any: IpAddr = match edge {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_nonblocking(true)?;
    report_errors(&socket, edge)?;
    socket.connect((edge, port))?;
    socket.send(content)?;
    Ok(socket)
}

/// The quote of the edge's answer to a test, if there is an answer.
fn answer(socket: &UdpSocket, edge: IpAddr) -> Option<Option<[u8; QUOTE]>> {
    let mut buffer = ErrorBuffer::new();
    std::iter::from_fn(|| next_error(socket, &mut buffer))
        .flatten()
        .find(|error| error.meaning() == Meaning::PortUnreachable && error.offender == Some(edge))
        .map(|error| error.quote)
}
