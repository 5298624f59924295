//! Listening where a data plane of this process receives, or may any moment.

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use forward::{Overheard, Plane, Source, Tap};

use crate::deaf::Deaf;
use crate::heard::Heard;
use crate::media::Media;
use crate::scan::Listening;
use crate::tallies::{Arrived, Shared, Tallies};

/// How many datagrams may wait to be counted: a second of a busy stream.
const ROOM: usize = 8192;

/// Sources that a plane receives for its flows and for this. A flow that begins or ends meanwhile
/// does so undisturbed, even where the source is a unicast port, which nobody else could have.
pub struct Hearing {
    heard: Receiver<Overheard>,
    /// By a tap's number: who hears by it, and the tap, until nobody does.
    taps: Vec<(Vec<usize>, Option<Tap>)>,
    tallies: Tallies,
    quick: bool,
}

impl Hearing {
    /// Begins to listen to every source of these medias. `quick`: a media that is active for sure
    /// is not listened to any longer.
    pub fn open(plane: &Plane, medias: Vec<Media>, quick: bool) -> Self {
        let mut tallies = Tallies::new(medias);
        let (sources, all): (Vec<Source>, Vec<Vec<usize>>) =
            tallies.sources().into_iter().map(|(source, places): Shared| (source, places)).unzip();
        let (to, heard) = sync_channel(ROOM);
        let opened = plane.tap(&sources, &to).into_iter().zip(&sources).zip(all);
        let taps = opened.map(|((tap, source), places)| match tap {
            Ok(tap) => (places, Some(tap)),
            Err(error) => {
                tallies.miss(&places, &Deaf::new(source, &error));
                (places, None)
            }
        });
        let taps = taps.collect();
        Self { heard, taps, tallies, quick }
    }

    /// Listens for so long, or until there is nothing more to hear.
    pub fn listen(&mut self, time: Duration) -> Listening {
        let deadline = Instant::now().checked_add(time);
        while self.taps.iter().any(|(_, tap)| tap.is_some()) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match self.heard.recv_timeout(left.unwrap_or(Duration::MAX)) {
                Ok(heard) => self.take(heard),
                Err(RecvTimeoutError::Timeout) => return Listening::On,
                // The plane has stopped.
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if left == Some(Duration::ZERO) {
                return Listening::On;
            }
        }
        Listening::Over
    }

    fn take(&mut self, heard: Overheard) {
        let Overheard { tap, packet, length, sender: from } = heard;
        let Some((places, _)) = self.taps.get(tap) else { return };
        self.tallies.tell(places, Arrived { packet, length, from, drops: 0 });
        if self.quick && self.tallies.end_sure() {
            for (places, tap) in &mut self.taps {
                tap.take_if(|_| self.tallies.have_ended(places));
            }
        }
    }

    /// What has been heard of each media until now, in the order in which they were given.
    pub fn heard(&self) -> Vec<Heard> {
        let mut all = self.tallies.heard();
        for (places, tap) in &self.taps {
            let missed = tap.as_ref().map_or(0, Tap::missed);
            for place in places {
                if let Some(heard) = all.get_mut(*place) {
                    heard.drops += missed;
                }
            }
        }
        all
    }
}

impl fmt::Debug for Hearing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hearing").field("medias", &self.tallies.count()).finish_non_exhaustive()
    }
}
