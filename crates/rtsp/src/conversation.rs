//! The conversation of a pull with a server: bytes and packets in, bytes and packets out. It has no
//! socket, and the time is given to it.

use std::time::{Duration, Instant};

use rtp::{Receiver, Reporter};

use crate::client::{Client, Next};
use crate::error::Error;
use crate::message::Start;
use crate::reader::{Item, Reader};
use crate::transport::{Kind, Transport, Way};
use crate::url::Url;

/// The time that an answer may take.
const ANSWERING: Duration = Duration::from_secs(10);
/// The time that everything may take until the server plays.
const BEGINNING: Duration = Duration::from_secs(20);
/// The time that the first packet over UDP may take. After that, TCP is tried.
const FIRST_BY_UDP: Duration = Duration::from_secs(3);
/// The time that any other packet may take.
const SILENCE: Duration = Duration::from_secs(10);
/// A packet that is this recent proves that the session lives, whatever a keep-alive says.
const RECENT: Duration = Duration::from_secs(2);
/// The mean time between two receiver reports (RFC 3550, 6.2).
const REPORTING: Duration = Duration::from_secs(5);
/// The pause before each request: Darwin Streaming Server refuses SETUP with 500, one time in three,
/// if it comes within a millisecond of the answer to DESCRIBE.
const PAUSE: Duration = Duration::from_millis(3);

/// A conversation with a server, from the first request on.
#[derive(Debug)]
pub(crate) struct Conversation {
    /// Takes the bytes of the connection.
    pub(crate) reader: Reader,
    client: Client,
    transport: Transport,
    /// The media, once the server plays.
    media: Vec<Arriving>,
    reporter: Reporter,
    /// The next request, and when it is to be sent.
    request: Option<(Instant, Vec<u8>)>,
    began: Instant,
    asked: Instant,
    /// When the server began to play.
    plays: Option<Instant>,
    /// When the last RTP packet came.
    last: Option<Instant>,
    keep_alive_due: Instant,
    report_due: Instant,
}

/// A media that arrives.
#[derive(Debug)]
struct Arriving {
    way: Way,
    receiver: Receiver,
}

/// A receiver report of a media, as it is sent in its way.
pub(crate) type Report = (Way, Vec<u8>);

/// An event from the bytes of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The server plays. From now on its packets count.
    Playing,
    /// The server redirects.
    Redirected(u16, Option<Url>),
    /// The session has ended, as requested.
    Over,
}

/// Takes a packet: the number of its media, its kind, and its bytes.
pub(crate) type Pass<'a> = dyn FnMut(usize, Kind, &[u8]) + 'a;

impl Conversation {
    /// Begins with the client's first request. `luck` is a random number.
    pub(crate) fn new(
        mut client: Client,
        transport: Transport,
        luck: u64,
        now: Instant,
    ) -> Result<Self, Error> {
        let request = Some((now, client.begin()?));
        Ok(Self {
            reader: Reader::default(),
            client,
            transport,
            media: Vec::new(),
            reporter: Reporter::new(luck),
            request,
            began: now,
            asked: now,
            plays: None,
            last: None,
            keep_alive_due: now,
            report_due: now,
        })
    }

    /// Reads what came over the connection, up to the first event; packets go to `pass`.
    pub(crate) fn read(
        &mut self,
        now: Instant,
        pass: &mut Pass<'_>,
    ) -> Result<Option<Event>, Error> {
        loop {
            let message = match self.reader.next()? {
                None => return Ok(None),
                Some(Item::Message(message)) => message,
                Some(Item::Packet { channel, payload }) => {
                    let known = |(index, media): (usize, &Arriving)| {
                        media.way.kind(channel).map(|kind| (index, kind))
                    };
                    if let Some((index, kind)) = self.media.iter().enumerate().find_map(known) {
                        pass(index, kind, payload);
                        if self.media[index].take(kind, payload, now) {
                            self.last = Some(now);
                        }
                    }
                    continue;
                }
            };
            let next = match &message.start {
                Start::Response(code) => self.client.take(*code, &message)?,
                Start::Request(method) if method == "REDIRECT" => return Err(Error::SessionOver),
                Start::Request(_) => {
                    self.request = self.request.take().or(message.response().map(|r| (now, r)));
                    continue;
                }
            };
            self.expect_channels();
            match next {
                Next::Nothing => {}
                Next::Send(request) => self.request = Some((now + PAUSE, request)),
                Next::Playing => {
                    self.play(now);
                    return Ok(Some(Event::Playing));
                }
                Next::Redirected(code, url) => return Ok(Some(Event::Redirected(code, url))),
                Next::Forgotten if self.last.is_some_and(|last| now < last + RECENT) => {}
                Next::Forgotten => return Err(Error::SessionOver),
                Next::Over => return Ok(Some(Event::Over)),
            }
        }
    }

    fn expect_channels(&mut self) {
        for way in self.client.ways() {
            if let (Way::Channels { rtp, rtcp }, true) = (way, self.client.negotiated()) {
                self.reader.expect(*rtp);
                self.reader.expect(*rtcp);
            }
        }
    }

    fn play(&mut self, now: Instant) {
        let clocks = self.client.clocks();
        let media = self.client.ways().iter().zip(clocks);
        self.media = media
            .map(|(way, clock)| Arriving { way: *way, receiver: Receiver::new(clock) })
            .collect();
        self.plays = Some(now);
        (self.keep_alive_due, self.report_due) = (now + self.client.interval(), now);
    }

    /// Notes a packet that came over UDP.
    pub(crate) fn arrived(&mut self, media: usize, kind: Kind, packet: &[u8], now: Instant) {
        if self.media.get_mut(media).is_some_and(|media| media.take(kind, packet, now)) {
            self.last = Some(now);
        }
    }

    /// Whether an RTP packet has come.
    pub(crate) fn has_begun(&self) -> bool {
        self.last.is_some()
    }

    /// Whether a transport was requested: from then on, a failure may be the transport's.
    pub(crate) fn negotiated(&self) -> bool {
        self.client.negotiated()
    }

    /// An error if something is overdue.
    pub(crate) fn check(&self, now: Instant) -> Result<(), Error> {
        if let Some(method) = self.client.awaits()
            && now >= self.asked + ANSWERING
        {
            return Err(Error::NoAnswer { method, patience: ANSWERING });
        }
        let transport = self.transport;
        let patience = if transport == Transport::Udp { FIRST_BY_UDP } else { SILENCE };
        match (self.plays, self.last) {
            (None, _) if now >= self.began + BEGINNING => Err(Error::NotPlaying(BEGINNING)),
            (Some(since), None) if now >= since + patience => {
                Err(Error::NoPackets { transport, patience })
            }
            (_, Some(last)) if now >= last + SILENCE => Err(Error::Silent(SILENCE)),
            _ => Ok(()),
        }
    }

    /// The time when [`Conversation::request`] has something next.
    pub(crate) fn next_request(&self) -> Option<Instant> {
        self.request.as_ref().map(|(at, _)| *at)
    }

    /// The bytes that are to be sent now.
    pub(crate) fn request(&mut self, now: Instant) -> Result<Option<Vec<u8>>, Error> {
        if self.request.is_none() && self.plays.is_some() && now >= self.keep_alive_due {
            self.keep_alive_due = now + self.client.interval();
            self.request = self.client.keep_alive()?.map(|request| (now, request));
        }
        let request = self.request.take_if(|(at, _)| *at <= now).map(|(_, request)| request);
        if request.is_some() {
            self.asked = now;
        }
        Ok(request)
    }

    /// The receiver reports, if they are due: each with the way of its media. `luck` is random.
    pub(crate) fn reports(&mut self, now: Instant, luck: u8) -> Vec<Report> {
        if self.plays.is_none() || now < self.report_due {
            return Vec::new();
        }
        // Half of it to one and a half, so that receivers don't report in step.
        self.report_due = now + REPORTING / 2 + REPORTING * u32::from(luck) / 255;
        self.compose_reports(now, false)
    }

    fn compose_reports(&mut self, now: Instant, bye: bool) -> Vec<Report> {
        let reports = self.media.iter_mut().map(|media| {
            let report = self.reporter.compound(media.receiver.block(now), bye);
            (media.way, media.way.framed(report))
        });
        reports.collect()
    }

    /// The last reports, with BYE, and TEARDOWN; `None` if nothing was set up.
    pub(crate) fn end(&mut self, now: Instant) -> Option<(Vec<Report>, Vec<u8>)> {
        let reports = self.compose_reports(now, true);
        // No keep-alive follows.
        self.plays = None;
        Some((reports, self.client.end().ok()??))
    }
}

impl Arriving {
    /// Notes a packet; true if it is RTP.
    fn take(&mut self, kind: Kind, packet: &[u8], now: Instant) -> bool {
        match kind {
            Kind::Rtp => self.receiver.rtp(packet, now),
            Kind::Rtcp => {
                self.receiver.rtcp(packet, now);
                false
            }
        }
    }
}
