//! Telling of packets that came back: once, and then now and then.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use forward::Flow;
use tracing::warn;

/// How long nothing more is said of a stream and a sender that were told of.
const PAUSE: Duration = Duration::from_secs(60);

/// Who sent back what, and when that was said.
#[derive(Debug, Default)]
pub(crate) struct Returns(HashMap<(String, IpAddr), Instant>);

impl Returns {
    /// Looks whether packets of a stream came back, and says so.
    pub(crate) fn look(&mut self, stream: &str, flows: &[Flow], now: Instant) {
        for flow in flows {
            let Some(sender) = flow.take_returned() else { continue };
            let key = (stream.to_owned(), sender.ip());
            let told = self.0.get(&key).is_some_and(|at| now < *at + PAUSE);
            if !told {
                // Senders may be many: what was said long ago may be said again.
                self.0.retain(|_, at| now < *at + PAUSE);
                self.0.insert(key, now);
                let returned = flow.counters().returned;
                warn!(
                    name: "returned", stream, %sender, returned,
                    "packets of {stream} come back: {sender} sends them here again, and they are not sent \
                     on; a second encoder that sends the same does no harm"
                );
            }
        }
    }
}
