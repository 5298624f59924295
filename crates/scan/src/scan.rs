//! Listening to many medias at once.

use std::io;
use std::time::{Duration, Instant};

use forward::{OpenError, Source};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use socket2::Socket;

use crate::deaf::Deaf;
use crate::ear::{Buffer, Ear};
use crate::heard::Heard;
use crate::media::Media;
use crate::tallies::Tallies;

/// How many events are taken from epoll at a time.
const EVENTS: usize = 256;
/// How many datagrams of one source are read before the others have their turn.
const TURN: usize = 64;

/// How a scan listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A media that is active for sure is not listened to any longer: for whoever wants to know
    /// that and no rates.
    pub quick: bool,
    /// The receive buffer of each source in bytes; the kernel may give less.
    pub receive_buffer: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { quick: false, receive_buffer: 1 << 20 }
    }
}

/// Whether there is more to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// Yes.
    On,
    /// No source is left: nothing could be listened to, or, if the scan is quick, every media is
    /// active for sure.
    Over,
}

/// Sources that are listened to. Dropping it leaves their groups.
pub struct Scan {
    epoll: Epoll,
    /// By the number that epoll gives back; none once nobody needs it.
    ears: Vec<Option<Ear>>,
    tallies: Tallies,
    buffer: Buffer,
    quick: bool,
}

/// Listens for `time`, or until there is nothing more to hear, and says what was heard of each
/// media, in order. An error is one of the whole scan; what is wrong with a source is in its
/// medias' [`Heard::deaf`].
pub fn scan(medias: Vec<Media>, time: Duration, settings: Settings) -> io::Result<Vec<Heard>> {
    let mut scan = Scan::open(medias, settings)?;
    scan.listen(time)?;
    Ok(scan.heard())
}

impl Scan {
    /// Begins to listen to every source of these medias; equal ones share a socket. Raises this
    /// process's limit of open files, for each source takes one.
    pub fn open(medias: Vec<Media>, settings: Settings) -> io::Result<Self> {
        forward::raise_file_limit();
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut ears: Vec<Option<Ear>> = Vec::new();
        let mut tallies = Tallies::new(medias);
        for (source, places) in tallies.sources() {
            match open(&epoll, &source, ears.len(), settings.receive_buffer) {
                Ok(socket) => ears.push(Some(Ear::new(socket, places))),
                Err(error) => tallies.miss(&places, &Deaf::new(&source, &error)),
            }
        }
        Ok(Self { epoll, ears, tallies, buffer: Buffer::new(), quick: settings.quick })
    }

    /// Listens for so long, or until there is nothing more to hear. It may be called again, to look
    /// at what was heard meanwhile.
    pub fn listen(&mut self, time: Duration) -> io::Result<Listening> {
        let deadline = Instant::now().checked_add(time);
        let mut events = [EpollEvent::empty(); EVENTS];
        while self.ears.iter().any(Option::is_some) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(Listening::On);
            }
            let count = match self.epoll.wait(&mut events, patience(left)) {
                Ok(count) => count,
                Err(nix::Error::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            for event in events.iter().take(count) {
                self.hear(usize::try_from(event.data()).unwrap_or(usize::MAX));
            }
        }
        Ok(Listening::Over)
    }

    /// What has been heard of each media until now, in the order in which they were given.
    pub fn heard(&self) -> Vec<Heard> {
        self.tallies.heard()
    }

    /// Takes in what has come to an ear, up to a turn's worth.
    fn hear(&mut self, at: usize) {
        let Self { ears, tallies, buffer, .. } = self;
        let Some(ear) = ears.get_mut(at).and_then(Option::as_mut) else { return };
        for _ in 0..TURN {
            match ear.receive(buffer) {
                Ok(Some(arrived)) => tallies.tell(&ear.medias, arrived),
                Ok(None) => break,
                // An error that was waiting on the socket is read away by this.
                Err(_) => {}
            }
        }
        if self.quick && self.tallies.end_sure() {
            for ear in &mut self.ears {
                // Closing a socket takes it out of epoll, too.
                ear.take_if(|ear| self.tallies.have_ended(&ear.medias));
            }
        }
    }
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan").field("medias", &self.tallies.count()).finish_non_exhaustive()
    }
}

fn open(epoll: &Epoll, source: &Source, number: usize, buffer: usize) -> Result<Socket, OpenError> {
    let socket = forward::listen(source, buffer)?;
    let event = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
    epoll.add(&socket, event).map_err(|error| OpenError::Source {
        source_: source.clone(),
        step: "waiting for the socket",
        error: error.into(),
    })?;
    Ok(socket)
}

/// Epoll counts in milliseconds; rounded up, so that it doesn't spin through the last one.
fn patience(left: Option<Duration>) -> EpollTimeout {
    let millis = left.map(|left| left.as_micros().div_ceil(1000));
    let millis = millis.map(|millis| i32::try_from(millis).unwrap_or(i32::MAX));
    millis.and_then(|millis| EpollTimeout::try_from(millis).ok()).unwrap_or(EpollTimeout::NONE)
}
