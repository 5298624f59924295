//! Warns of packets that came back to this host: at once for a new sender, then at intervals.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::effect::Effect;
use super::input::FlowCounts;
use super::log_event::LogEvent;

/// The time in which a warning about a stream and a sender is not repeated.
const PAUSE: Duration = Duration::from_secs(60);

/// The warnings of the last minute: stream, sender, and time.
#[derive(Debug, Default)]
pub(crate) struct LoopWarnings(HashMap<(String, IpAddr), Instant>);

impl LoopWarnings {
    /// Warns if packets of this stream came back.
    pub(crate) fn look(
        &mut self,
        stream: &str,
        counts: &[FlowCounts],
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        for FlowCounts { returned_by, counters, .. } in counts {
            let Some(sender) = *returned_by else { continue };
            let key = (stream.to_owned(), sender.ip());
            if self.0.get(&key).is_none_or(|at| *at + PAUSE <= now) {
                // There may be many senders, so old warnings are removed.
                self.0.retain(|_, at| now < *at + PAUSE);
                self.0.insert(key, now);
                let (stream, returned) = (stream.to_owned(), counters.returned);
                effects.push(Effect::Log(LogEvent::Returned { stream, sender, returned }));
            }
        }
    }
}
