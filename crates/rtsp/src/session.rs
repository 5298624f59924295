//! One session with a server, from the first request to the last packet.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use rtsp_types::{Message, Url};

use crate::connection::Connection;
use crate::dialogue::{Dialogue, Next};
use crate::error::Error;
use crate::lane::{Datagram, Kind, Lane, Ports};
use crate::leash::{Leash, timeout};
use crate::pull::Order;
use crate::reader::Item;
use crate::reception::Reception;
use crate::report::Reporter;
use crate::transport::{Transport, Way};

/// How long an answer may take.
const ANSWERING: Duration = Duration::from_secs(10);
/// How long all may take until the server plays.
const BEGINNING: Duration = Duration::from_secs(20);
/// How long the first packet may take: where it doesn't come by UDP, there is another way.
const FIRST_BY_UDP: Duration = Duration::from_secs(3);
/// How long the next packet may take, and by TCP the first.
const SILENCE: Duration = Duration::from_secs(10);
/// How long the answer to TEARDOWN is waited for.
const LEAVING: Duration = Duration::from_secs(1);
/// The time between two receiver reports, give or take (RFC 3550, 6.2).
const REPORTING: Duration = Duration::from_secs(5);
/// How often a server may send us elsewhere on the same host.
const REDIRECTIONS: usize = 3;
/// How long the thread rests after packets came over the connection, so that more come with the
/// next call: TCP delays them by more than that anyhow, and each wake-up costs as much as a packet.
const REST: Duration = Duration::from_millis(1);
/// How long a server is left alone before the next request: Darwin Streaming Server refuses SETUP with
/// 500, one time in three, if it comes within a millisecond of the answer to DESCRIBE.
const BREATH: Duration = Duration::from_millis(3);
/// How often the clock is looked at if nothing happens.
const GLANCE: Duration = Duration::from_millis(500);

/// Why a session ended, without anything being wrong.
enum Ended {
    /// It was told to.
    Told,
    Redirected(u16, Option<Url>),
}

/// Pulls until it is told to end, or cannot. `first` is told where the first packet came from.
pub(crate) fn run(
    order: &Order,
    transport: Transport,
    leash: &Leash,
    first: &mut dyn FnMut(SocketAddr),
) -> Result<(), Error> {
    let url = order.source.url();
    let mut url = Url::parse(url).map_err(|_| Error::Redirects { code: 0, elsewhere: false })?;
    let host = url.host_str().map(str::to_ascii_lowercase);
    let mut code = 0;
    for _ in 0..=REDIRECTIONS {
        let mut session = Session::open(order, transport, &url, leash)?;
        let target = match session.keep(first) {
            Ok(Ended::Told) => return Ok(()),
            Ok(Ended::Redirected(status, target)) => {
                code = status;
                target
            }
            Err(error) => {
                session.leave(&error);
                return Err(error);
            }
        };
        // Where to go is said by the catalogue, and not by who answers there.
        match target {
            Some(target) if target.scheme() != "rtsp" || !target.has_host() => break,
            Some(target) if target.host_str().map(str::to_ascii_lowercase) == host => url = target,
            Some(_) => return Err(Error::Redirects { code, elsewhere: true }),
            None => break,
        }
    }
    Err(Error::Redirects { code, elsewhere: false })
}

/// A connection, and what is on its way over it.
struct Session<'a> {
    order: &'a Order,
    transport: Transport,
    leash: &'a Leash,
    connection: Connection,
    dialogue: Dialogue,
    /// The UDP ports, until the lanes have them.
    ports: Vec<Option<Ports>>,
    lanes: Vec<Lane>,
    buffer: Datagram,
    reporter: Reporter,
    began: Instant,
    /// When the server began to play.
    plays: Option<Instant>,
    /// When the last RTP packet came.
    last: Option<Instant>,
    asked: Instant,
    sign_due: Instant,
    report_due: Instant,
}

/// What there is to read.
struct Ready {
    leash: bool,
    stream: bool,
    ports: Vec<(usize, Kind)>,
}

impl<'a> Session<'a> {
    /// Connects, and opens the ports.
    fn open(
        order: &'a Order,
        transport: Transport,
        url: &Url,
        leash: &'a Leash,
    ) -> Result<Self, Error> {
        let connection = Connection::to(url)?;
        if connection.is_fed_by_us(&order.source, url) {
            return Err(Error::FedByUs { server: connection.server });
        }
        let (mut ports, mut ways) = (Vec::new(), Vec::new());
        for channel in (0..=u8::MAX).step_by(2).take(order.medias.len()) {
            if transport == Transport::Tcp {
                ways.push(Way::Channels { rtp: channel, rtcp: channel + 1 });
                ports.push(None);
            } else {
                let pair = Ports::open(connection.local.ip())
                    .map_err(Error::local("opening UDP ports"))?;
                ways.push(Way::Ports { ours: pair.first, reports_to: None });
                ports.push(Some(pair));
            }
        }
        let now = Instant::now();
        Ok(Self {
            order,
            transport,
            leash,
            connection,
            dialogue: Dialogue::new(url.clone(), &order.source, &order.medias, ways),
            ports,
            lanes: Vec::new(),
            buffer: Datagram::default(),
            reporter: Reporter::new(chance()),
            began: now,
            plays: None,
            last: None,
            asked: now,
            sign_due: now,
            report_due: now,
        })
    }

    /// Talks and passes packets on.
    fn keep(&mut self, first: &mut dyn FnMut(SocketAddr)) -> Result<Ended, Error> {
        let begin = self.dialogue.begin()?;
        self.say(&begin)?;
        loop {
            self.check(Instant::now())?;
            self.do_what_is_due(Instant::now())?;
            let ready = self.wait()?;
            if ready.leash {
                self.say_goodbye();
                return Ok(Ended::Told);
            }
            let (now, silent) = (Instant::now(), self.last.is_none());
            if ready.stream
                && let Some(ended) = self.read(now)?
            {
                return Ok(ended);
            }
            for (lane, kind) in ready.ports {
                if self.lanes[lane].receive(kind, &mut self.buffer, now) {
                    self.last = Some(now);
                }
            }
            if silent && self.last.is_some() {
                first(self.connection.server);
            }
            if self.transport == Transport::Tcp && self.last == Some(now) {
                thread::sleep(REST);
            }
        }
    }

    /// Whether something is overdue.
    fn check(&self, now: Instant) -> Result<(), Error> {
        if let Some(method) = self.dialogue.awaits()
            && now >= self.asked + ANSWERING
        {
            return Err(Error::NoAnswer { method, patience: ANSWERING });
        }
        let patience = match self.transport {
            Transport::Udp => FIRST_BY_UDP,
            Transport::Tcp => SILENCE,
        };
        match (self.plays, self.last) {
            (None, _) if now >= self.began + BEGINNING => Err(Error::Dawdles(BEGINNING)),
            (Some(since), None) if now >= since + patience => {
                Err(Error::BringsNothing { transport: self.transport, patience })
            }
            (_, Some(last)) if now >= last + SILENCE => Err(Error::Silent(SILENCE)),
            _ => Ok(()),
        }
    }

    /// Sends a sign of life, and receiver reports, when it is time to.
    fn do_what_is_due(&mut self, now: Instant) -> Result<(), Error> {
        if self.plays.is_none() {
            return Ok(());
        }
        if now >= self.sign_due {
            self.sign_due = now + self.dialogue.rhythm();
            if let Some(sign) = self.dialogue.sign_of_life()? {
                self.say(&sign)?;
            }
        }
        if now >= self.report_due {
            // Half of it to one and a half, so that receivers don't report in step.
            let [luck, ..] = chance().to_be_bytes();
            self.report_due = now + REPORTING / 2 + REPORTING * u32::from(luck) / 255;
            self.report(now, false)?;
        }
        Ok(())
    }

    /// Tells the server what has arrived.
    fn report(&mut self, now: Instant, goodbye: bool) -> Result<(), Error> {
        let mut interleaved = Vec::new();
        for lane in &mut self.lanes {
            let report = self.reporter.compound(lane.reception.block(now), goodbye);
            match (lane.way, u16::try_from(report.len())) {
                (Way::Channels { rtcp, .. }, Ok(length)) => {
                    interleaved.extend([b'$', rtcp]);
                    interleaved.extend(length.to_be_bytes());
                    interleaved.extend(report);
                }
                _ => lane.report(&report),
            }
        }
        self.connection.write(&interleaved)
    }

    /// Waits until there is something to read, or to do.
    fn wait(&self) -> Result<Ready, Error> {
        let listen = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = vec![listen(self.leash.as_fd()), listen(self.connection.as_fd())];
        for ports in self.lanes.iter().filter_map(|lane| lane.ports.as_ref()) {
            fds.extend([listen(ports.rtp.as_fd()), listen(ports.rtcp.as_fd())]);
        }
        match poll(&mut fds, timeout(GLANCE)) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(Error::local("waiting for packets")(errno.into())),
        }
        let ready = |fd: &PollFd<'_>| fd.any().unwrap_or(false);
        let (others, ports) = fds.split_at(2);
        // By UDP each lane has two ports, by TCP none has.
        let ports = ports.iter().enumerate().filter(|(_, fd)| ready(fd));
        let kind = |place: usize| if place.is_multiple_of(2) { Kind::Rtp } else { Kind::Rtcp };
        Ok(Ready {
            leash: ready(&others[0]),
            stream: ready(&others[1]),
            ports: ports.map(|(place, _)| (place / 2, kind(place))).collect(),
        })
    }

    /// Reads what came over the connection, once.
    fn read(&mut self, now: Instant) -> Result<Option<Ended>, Error> {
        self.connection.fill()?;
        while let Some(item) = self.connection.next()? {
            match item {
                Item::Packet { channel, payload } => {
                    let mut lanes = self.lanes.iter_mut();
                    let lane = lanes.find_map(|lane| lane.kind(channel).map(|kind| (lane, kind)));
                    if lane.is_some_and(|(lane, kind)| lane.pass(kind, payload, now)) {
                        self.last = Some(now);
                    }
                }
                Item::Message(message) => {
                    if let Some(ended) = self.hear(&message, now)? {
                        return Ok(Some(ended));
                    }
                }
            }
        }
        Ok(None)
    }

    fn hear(&mut self, message: &Message<Vec<u8>>, now: Instant) -> Result<Option<Ended>, Error> {
        match message {
            Message::Response(response) => match self.dialogue.hear(response)? {
                Next::Ask(request) => {
                    thread::sleep(BREATH);
                    self.say(&request)?;
                }
                Next::Plays => self.play(now)?,
                Next::Redirected(code, url) => return Ok(Some(Ended::Redirected(code, url))),
                Next::Over => return Err(Error::SessionOver),
                Next::Nothing => {}
            },
            Message::Request(request) if *request.method() == rtsp_types::Method::Redirect => {
                return Err(Error::SessionOver);
            }
            Message::Request(request) => self.connection.write(&Dialogue::decline(request))?,
            Message::Data(_) => {}
        }
        Ok(None)
    }

    /// The server plays: from now on packets are passed on.
    fn play(&mut self, now: Instant) -> Result<(), Error> {
        let ports = std::mem::take(&mut self.ports).into_iter();
        let ways = self.dialogue.lanes();
        for (((way, clock), ports), outlet) in ways.zip(ports).zip(&self.order.outlets) {
            let server = self.connection.server.ip().to_canonical();
            let reception = Reception::new(clock, now);
            self.lanes.push(Lane::open(way, ports, server, *outlet, reception)?);
        }
        self.plays = Some(now);
        (self.sign_due, self.report_due) = (now + self.dialogue.rhythm(), now);
        Ok(())
    }

    /// Sends a request.
    fn say(&mut self, request: &[u8]) -> Result<(), Error> {
        self.asked = Instant::now();
        self.connection.write(request)
    }

    /// Takes the session down after an error, where there is still somebody to tell.
    fn leave(&mut self, error: &Error) {
        if !matches!(error, Error::HungUp { .. } | Error::Unreadable(_) | Error::Stuck) {
            self.say_goodbye();
        }
    }

    /// Takes the session down (RFC 2326, 10.7), and waits a moment until the server has heard of
    /// it: a connection that is closed with something unread in it may be cut off before.
    fn say_goodbye(&mut self) {
        let until = Instant::now() + LEAVING;
        let told = self.report(Instant::now(), true);
        let end = told.and_then(|()| self.dialogue.end());
        let Ok(Some(end)) = end else { return };
        let _ = self.connection.write(&end);
        while self.dialogue.awaits() == Some("TEARDOWN") && self.connection.fill_until(until) {
            loop {
                match self.connection.next() {
                    Ok(Some(Item::Message(message))) => {
                        // Its nonce may be stale by now.
                        if let Message::Response(response) = *message
                            && let Ok(Next::Ask(again)) = self.dialogue.hear(&response)
                        {
                            let _ = self.connection.write(&again);
                        }
                    }
                    Ok(Some(Item::Packet { .. })) => {}
                    Ok(None) => break,
                    Err(_) => return,
                }
            }
        }
    }
}

/// A number that nobody can guess.
pub(crate) fn chance() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0_u8)
}
