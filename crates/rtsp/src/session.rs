//! The sockets of one session with a server: a conversation, and the packets on their way.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use catalog::sdp::MediaFormat;
use catalog::{RtspSource, RtspTransport};
use nix::poll::{PollFd, PollFlags, poll};

use crate::client::Client;
use crate::connection::Connection;
use crate::conversation::{Conversation, Event, Report, SILENCE};
use crate::error::Error;
use crate::media::{Datagram, Ports};
use crate::output::Output;
use crate::stop_signal::{StopSignal, timeout};
use crate::transport::{Kind, Transport, Way};
use crate::url::Url;

/// The time that connecting may take.
const CONNECTING: Duration = Duration::from_secs(6);
/// The time that a server may take to read a request, and to answer TEARDOWN.
const WRITING: Duration = Duration::from_secs(1);
/// The most redirections to another URL on the same host.
const REDIRECTIONS: usize = 3;
/// How long the thread rests after packets came over TCP, so that the next read brings more. Each
/// wake-up costs as much as a packet.
const REST: Duration = Duration::from_millis(1);
/// The longest wait between two looks at the clock.
const GLANCE: Duration = Duration::from_millis(500);
/// The time between two reports of skipped bytes.
const TELLING: Duration = Duration::from_secs(10);

/// The stream to pull, and the targets of its packets.
#[derive(Clone, Debug)]
pub struct Order {
    /// The server.
    pub source: RtspSource,
    /// The wanted media: 1 to 128. Only their kinds and formats count.
    pub media: Vec<Arc<MediaFormat>>,
    /// The output of each media, in the same order.
    pub outputs: Vec<Output>,
    /// The transport that is tried first, if the source leaves it open.
    pub transport: Transport,
}

/// The progress of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The server's end of the connection.
    pub(crate) from: SocketAddr,
    /// How many bytes of the connection were skipped.
    pub(crate) skipped: u64,
}

/// Why a session failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) why: Error,
    /// A transport was requested before.
    pub(crate) negotiated: bool,
}

impl From<Error> for Failure {
    fn from(why: Error) -> Self {
        Self { why, negotiated: false }
    }
}

/// Pulls until the stop signal. `tell` is called after the first packet, and when bytes were
/// skipped.
pub(crate) fn run(
    order: &Order,
    transport: Transport,
    stop: &StopSignal,
    tell: &mut dyn FnMut(Progress),
) -> Result<(), Failure> {
    let mut url = Url::parse(order.source.url()).ok_or(Error::NoUrl)?;
    let mut code = 0;
    for _ in 0..=REDIRECTIONS {
        let mut session = Session::open(order, transport, &url, stop)?;
        let target = match session.keep(tell) {
            Ok(Event::Redirected(status, target)) => {
                code = status;
                target.filter(|target| !target.tls)
            }
            Ok(_) => return Ok(()),
            Err(why) => {
                session.leave(&why);
                return Err(Failure { why, negotiated: session.conversation.negotiated() });
            }
        };
        // Only the catalogue decides which host is asked, never a server.
        match target {
            Some(target) if target.host == url.host => url = target,
            Some(_) => return Err(Error::Redirects { code, elsewhere: true }.into()),
            None => break,
        }
    }
    Err(Error::Redirects { code, elsewhere: false }.into())
}

/// A connection with its conversation, and the UDP ports of its media.
struct Session<'a> {
    order: &'a Order,
    transport: Transport,
    stop: &'a StopSignal,
    connection: Connection,
    conversation: Conversation,
    /// One for each media; none over TCP.
    ports: Vec<Ports>,
    plays: bool,
    buffer: Datagram,
    /// The last reported progress, and its time.
    told: Option<(Progress, Instant)>,
}

/// The sockets that can be read.
struct Ready {
    stop: bool,
    stream: bool,
    ports: Vec<(usize, Kind)>,
}

impl<'a> Session<'a> {
    /// Connects, and opens the ports.
    fn open(
        order: &'a Order,
        transport: Transport,
        url: &Url,
        stop: &'a StopSignal,
    ) -> Result<Self, Error> {
        let connection = Connection::open(url, Instant::now() + CONNECTING)?;
        if connection.is_fed_by_us(&order.source, url) {
            return Err(Error::FedByUs { server: connection.server });
        }
        let (mut ports, mut ways) = (Vec::new(), Vec::new());
        for channel in (0..=u8::MAX).step_by(2).take(order.media.len()) {
            if transport == Transport::Tcp {
                ways.push(Way::Channels { rtp: channel, rtcp: channel + 1 });
            } else {
                let open = Ports::open(connection.local.ip(), connection.server.ip())
                    .map_err(Error::local("opening UDP ports"))?;
                ways.push(Way::Ports { ours: open.pair.even, reports_to: None });
                ports.push(open);
            }
        }
        let client = Client::new(url.clone(), &order.source, &order.media, ways);
        Ok(Self {
            order,
            transport,
            stop,
            connection,
            conversation: Conversation::new(
                client,
                transport,
                first_packet(transport, order.source.transport()),
                random(),
                Instant::now(),
            )?,
            ports,
            plays: false,
            buffer: Datagram::default(),
            told: None,
        })
    }

    /// Talks to the server and hands packets on, until it is told to stop or redirected.
    fn keep(&mut self, tell: &mut dyn FnMut(Progress)) -> Result<Event, Error> {
        loop {
            let now = Instant::now();
            self.conversation.check(now)?;
            self.write(now)?;
            let ready = self.wait(now)?;
            if ready.stop {
                self.say_goodbye();
                return Ok(Event::Over);
            }
            let now = Instant::now();
            if ready.stream && self.read(now + WRITING)? {
                while let Some(event) = self.take(now)? {
                    match event {
                        Event::Playing => self.plays = true,
                        event => return Ok(event),
                    }
                }
            }
            for (index, kind) in ready.ports {
                self.receive(index, kind, now);
            }
            self.tell(now, tell);
            if ready.stream && self.transport == Transport::Tcp && self.plays {
                thread::sleep(REST);
            }
        }
    }

    /// Sends the request and the reports that are due.
    fn write(&mut self, now: Instant) -> Result<(), Error> {
        if let Some(request) = self.conversation.request(now)? {
            self.connection.write(&request, now + WRITING)?;
        }
        let [luck, ..] = random().to_be_bytes();
        let reports = self.conversation.reports(now, luck);
        self.report(&reports, now)
    }

    /// Sends receiver reports. Over TCP a server that reads slowly gets none.
    fn report(&mut self, reports: &[Report], now: Instant) -> Result<(), Error> {
        for (index, (way, report)) in reports.iter().enumerate() {
            if let Some(ports) = self.ports.get(index) {
                ports.report(*way, report);
            } else if self.connection.can_write() {
                self.connection.write(report, now + WRITING)?;
            }
        }
        Ok(())
    }

    /// Waits until a socket can be read, or something is due.
    fn wait(&self, now: Instant) -> Result<Ready, Error> {
        let listen = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = vec![listen(self.stop.as_fd()), listen(self.connection.as_fd())];
        for ports in self.ports.iter().filter(|_| self.plays) {
            fds.extend([listen(ports.pair.rtp.as_fd()), listen(ports.pair.rtcp.as_fd())]);
        }
        let next = self.conversation.next_request();
        let wait = next.map_or(GLANCE, |next| next.saturating_duration_since(now).min(GLANCE));
        match poll(&mut fds, timeout(wait)) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(Error::local("waiting for packets")(errno.into())),
        }
        let ready = |fd: &PollFd<'_>| fd.any().unwrap_or(false);
        let (others, ports) = fds.split_at(2);
        let ports = ports.iter().enumerate().filter(|(_, fd)| ready(fd));
        let kind = |place: usize| if place.is_multiple_of(2) { Kind::Rtp } else { Kind::Rtcp };
        Ok(Ready {
            stop: ready(&others[0]),
            stream: ready(&others[1]),
            ports: ports.map(|(place, _)| (place / 2, kind(place))).collect(),
        })
    }

    /// Handles the bytes that were read, and passes packets on.
    fn take(&mut self, now: Instant) -> Result<Option<Event>, Error> {
        let outputs = &self.order.outputs;
        self.conversation.read(now, &mut |index, kind, packet| {
            if let Some(output) = outputs.get(index) {
                output.send(kind, packet);
            }
        })
    }

    /// Reads the datagrams at a port, and passes them on.
    fn receive(&mut self, index: usize, kind: Kind, now: Instant) {
        let Self { ports, conversation, buffer, order, .. } = self;
        if let (Some(ports), Some(output)) = (ports.get(index), order.outputs.get(index)) {
            ports.receive(kind, buffer, |packet| {
                output.send(kind, packet);
                conversation.arrived(index, kind, packet, now);
            });
        }
    }

    fn tell(&mut self, now: Instant, tell: &mut dyn FnMut(Progress)) {
        let progress =
            Progress { from: self.connection.server, skipped: self.conversation.reader.skipped() };
        let due = match self.told {
            None => self.conversation.has_begun(),
            Some((told, _)) if told.skipped == 0 => progress != told,
            Some((told, at)) => progress != told && now >= at + TELLING,
        };
        if due {
            self.told = Some((progress, now));
            tell(progress);
        }
    }

    /// Ends the session after an error, if the connection still works.
    fn leave(&mut self, error: &Error) {
        if !matches!(error, Error::HungUp { .. } | Error::Unreadable(_) | Error::NotReading) {
            self.say_goodbye();
        }
    }

    /// Sends TEARDOWN (RFC 2326, 10.7) and waits a moment for the answer: a connection that is
    /// closed with something unread in it may be cut off before the server has read all.
    fn say_goodbye(&mut self) {
        let now = Instant::now();
        let (until, Some((reports, request))) = (now + WRITING, self.conversation.end(now)) else {
            return;
        };
        let told = self.report(&reports, now);
        let mut open = told.and_then(|()| self.connection.write(&request, until)).is_ok();
        while open {
            open = matches!(self.read(until), Ok(true))
                && matches!(self.conversation.read(now, &mut |_, _, _| {}), Ok(None));
            // The server may want the login again.
            if let Ok(Some(request)) = self.conversation.request(until) {
                open &= self.connection.write(&request, until).is_ok();
            }
        }
    }

    /// Reads the connection once; false if nothing came by the deadline.
    fn read(&mut self, deadline: Instant) -> Result<bool, Error> {
        self.connection.read(&mut self.conversation.reader, deadline)
    }
}

/// An unpredictable number.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0_u8)
}

/// The time that the first packet may take. If TCP can be tried next, that is short enough for the
/// viewer who waits for this pull to see it succeed.
fn first_packet(transport: Transport, allowed: RtspTransport) -> Duration {
    match (transport, allowed) {
        (Transport::Udp, RtspTransport::Auto) => Duration::from_millis(900),
        (Transport::Udp, _) => Duration::from_secs(3),
        (Transport::Tcp, _) => SILENCE,
    }
}
