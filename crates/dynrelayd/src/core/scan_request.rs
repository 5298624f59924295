//! Listening to streams for an administrator who scans: at the ports of this host, which nobody but
//! the daemon could have without taking them from a relay.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use control::{ErrorCode, Refused, ScanAnswer};
use scan::{Listening, Media, Scan};

use crate::core::supervisor::{Answer, Supervisor};

/// How many may listen at a time.
const AT_A_TIME: usize = 4;

/// What every scan that goes on holds.
pub(crate) type Hearings = Arc<()>;

/// Streams that are listened to. It is the caller's session that does so; when that ends, so does
/// this.
pub(crate) struct Audition {
    scan: Scan,
    _held: Hearings,
}

impl Audition {
    /// Listens for so long, or until there is nothing more to hear.
    pub(crate) fn listen(&mut self, time: Duration) -> Listening {
        self.scan.listen(time)
    }

    /// What was heard until now.
    pub(crate) fn answer(&self) -> ScanAnswer {
        self.scan.answer()
    }
}

impl fmt::Debug for Audition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audition").field("scan", &self.scan).finish_non_exhaustive()
    }
}

impl Supervisor {
    /// Begins to listen to those of these streams that arrive by themselves.
    pub(crate) fn audition(&self, streams: &[String], quick: bool) -> Answer<Audition> {
        if Arc::strong_count(&self.hearings) > AT_A_TIME {
            let what = "too many scans go on: try again when one of them is over";
            return Err(Refused::new(ErrorCode::Limit, what));
        }
        let known = streams.iter().filter_map(|name| self.catalog.stream(name));
        let arriving = known.filter(|stream| stream.source.is_none());
        let medias = arriving.flat_map(|stream| Media::of(stream).unwrap_or_default());
        let scan = Scan::on(&self.plane, medias.collect(), quick);
        Ok(Audition { scan, _held: Arc::clone(&self.hearings) })
    }
}
