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
/// The time that any packet may take.
pub(crate) const SILENCE: Duration = Duration::from_secs(10);
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
    first_packet: Duration,
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
    /// Begins with the client's first request. The first packet may take the time `first_packet`
    /// after the server plays. `luck` is a random number.
    pub(crate) fn new(
        mut client: Client,
        transport: Transport,
        first_packet: Duration,
        luck: u64,
        now: Instant,
    ) -> Result<Self, Error> {
        let request = Some((now, client.begin()?));
        Ok(Self {
            reader: Reader::default(),
            client,
            transport,
            first_packet,
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
        let (transport, patience) = (self.transport, self.first_packet);
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

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::RtspSource;
    use catalog::sdp::Session;
    use proptest::prelude::*;

    const SDP: &str = "v=0\r\nm=video 0 RTP/AVP 96\r\na=control:track1\r\n";
    const TCP: Way = Way::Channels { rtp: 0, rtcp: 1 };
    const UDP: Way = Way::Ports { ours: 40_000, reports_to: None };

    /// A conversation and its clock.
    struct Talk {
        conversation: Conversation,
        now: Instant,
        packets: usize,
    }

    impl Talk {
        fn new(way: Way) -> Self {
            let source = RtspSource::try_from("rtsp://u:secret@cam/news".to_owned()).unwrap();
            let wanted = Session::parse(SDP.as_bytes()).unwrap().formats();
            let url = Url::parse(source.url()).unwrap();
            let transport = if way == UDP { Transport::Udp } else { Transport::Tcp };
            let first_packet = Duration::from_secs(if way == UDP { 3 } else { 10 });
            let (client, now) = (Client::new(url, &source, &wanted, vec![way]), Instant::now());
            let conversation = Conversation::new(client, transport, first_packet, 1, now).unwrap();
            Self { conversation, now, packets: 0 }
        }

        /// One that plays, and the requests up to then.
        fn playing(way: Way, session: &str) -> Self {
            let mut talk = Self::new(way);
            let sdp = format!("Content-Length: {}\r\n\r\n{SDP}", SDP.len());
            let answers =
                [("OPTIONS", "\r\n"), ("DESCRIBE", &sdp), ("SETUP", session), ("PLAY", "\r\n")];
            for (method, rest) in answers {
                assert_eq!(talk.request().split(' ').next(), Some(method));
                let event = talk.hear(format!("RTSP/1.0 200 OK\r\n{rest}").as_bytes()).unwrap();
                assert_eq!(event, (method == "PLAY").then_some(Event::Playing));
            }
            talk
        }

        /// The next request, which may come after a moment.
        fn request(&mut self) -> String {
            let at = self.conversation.next_request().unwrap_or(self.now);
            self.now = self.now.max(at);
            let request = self.conversation.request(self.now).unwrap();
            String::from_utf8(request.unwrap_or_default()).unwrap()
        }

        fn hear(&mut self, bytes: &[u8]) -> Result<Option<Event>, Error> {
            self.conversation.reader.room()[..bytes.len()].copy_from_slice(bytes);
            self.conversation.reader.filled(bytes.len());
            let packets = &mut self.packets;
            self.conversation.read(self.now, &mut |_, _, _| *packets += 1)
        }

        /// Passes time, in which an RTP packet comes every second or none.
        fn pass(&mut self, seconds: u64, packets: bool) -> Result<(), Error> {
            for _ in 0..seconds {
                self.now += Duration::from_secs(1);
                if packets {
                    self.hear(&[b'$', 0, 0, 12, 0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7])?;
                }
                self.conversation.check(self.now)?;
            }
            Ok(())
        }
    }

    #[test]
    fn each_wait_has_an_end() {
        let seconds = Duration::from_secs;
        let mut talk = Talk::new(TCP);
        talk.request();
        talk.pass(9, false).unwrap();
        let no_answer = Error::NoAnswer { method: "OPTIONS", patience: seconds(10) };
        assert_eq!(talk.pass(1, false), Err(no_answer));
        for (way, transport, wait) in [(UDP, Transport::Udp, 3), (TCP, Transport::Tcp, 10)] {
            let mut talk = Talk::playing(way, "Session: a\r\n\r\n");
            talk.pass(wait - 1, false).unwrap();
            let patience = seconds(wait);
            assert_eq!(talk.pass(1, false), Err(Error::NoPackets { transport, patience }));
        }
        let mut talk = Talk::playing(TCP, "Session: a\r\n\r\n");
        talk.pass(60, true).unwrap();
        assert_eq!(talk.packets, 60);
        talk.pass(9, false).unwrap();
        assert_eq!(talk.pass(1, false), Err(Error::Silent(seconds(10))));
    }

    #[test]
    fn keep_alives_come_in_half_of_the_sessions_time_answered_or_not() {
        let mut talk = Talk::playing(TCP, "Session: a;timeout=20\r\n\r\n");
        for answer in ["", "RTSP/1.0 454 No\r\n\r\n", "RTSP/1.0 500 No\r\n\r\n", ""] {
            talk.pass(9, true).unwrap();
            assert_eq!(talk.request(), "");
            talk.pass(1, true).unwrap();
            assert!(talk.request().contains("\r\nSession: a\r\n"));
            assert_eq!(talk.hear(answer.as_bytes()), Ok(None), "{answer}");
        }
        talk.pass(10, true).unwrap();
        talk.request();
        talk.pass(5, false).unwrap();
        assert_eq!(talk.hear(b"RTSP/1.0 454 No\r\n\r\n"), Err(Error::SessionOver));
    }

    #[test]
    fn a_late_answer_to_a_keep_alive_is_none_to_teardown() {
        let mut talk = Talk::playing(TCP, "Session: a;timeout=20\r\n\r\n");
        talk.pass(10, true).unwrap();
        assert!(talk.request().starts_with("OPTIONS rtsp://cam/news RTSP/1.0\r\nCSeq: 5\r\n"));
        let (reports, teardown) = talk.conversation.end(talk.now).unwrap();
        assert_eq!(reports[0].1[..2], [b'$', 1]);
        assert!(teardown.starts_with(b"TEARDOWN rtsp://cam/news RTSP/1.0\r\nCSeq: 6\r\n"));
        assert_eq!(talk.hear(b"RTSP/1.0 200 OK\r\nCSeq: 5\r\n\r\n"), Ok(None));
        assert_eq!(talk.hear(b"RTSP/1.0 200 OK\r\nCSeq: 0\r\n\r\n"), Ok(Some(Event::Over)));
    }

    /// An answer, more often than not one that leads on.
    fn reply() -> impl Strategy<Value = String> {
        let status = "200|200|200|200|100|401|302|454|461|[1-9][0-9]{2}";
        let header = "(Session: |Transport: |WWW-Authenticate: |Location: |Content-Base: |Public: )\
            (abc;timeout=[0-9]{0,12}|RTP/AVP;unicast;server_port=[0-9]{1,6}(-[0-9]{1,6})?\
            |RTP/AVP/TCP;interleaved=[0-9]{1,3}-[0-9]{1,3}|Digest realm=\"x\", nonce=\"[0-9]\"\
            |rtsp://[a-z/:\\[\\]@]{0,9}|GET_PARAMETER|[ -~]{0,12})";
        let headers = prop::collection::vec(header, 0..4);
        let body = prop_oneof![Just(SDP.to_owned()), "[ -~\r\n]{0,20}"];
        (status, headers, body).prop_map(|(status, headers, body)| {
            let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
            let length = body.len();
            format!("RTSP/1.0 {status} x\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
        })
    }

    proptest! {
        #[test]
        fn no_answers_make_it_panic_or_tell_the_password(
            replies in prop::collection::vec(reply(), 1..12),
            udp: bool,
        ) {
            let mut talk = Talk::new(if udp { UDP } else { TCP });
            for reply in &replies {
                let request = talk.request();
                prop_assert!(!request.contains("secret"), "{}", request);
                prop_assert!(request.is_empty() || request.matches("\r\n\r\n").count() == 1);
                if let Err(error) = talk.hear(reply.as_bytes()) {
                    prop_assert!(!error.to_string().contains("secret"));
                    break;
                }
                talk.now += Duration::from_secs(1);
                let _ = talk.conversation.check(talk.now);
            }
            let _ = talk.conversation.end(talk.now);
        }
    }
}
