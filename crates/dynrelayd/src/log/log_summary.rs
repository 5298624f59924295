//! Who asked for a stream, and what came of it: told of, but so that a crowd is no flood of lines.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use control::{ErrorCode, Refused, Started, Via};
use tracing::{Level, info};

use crate::core::supervisor::Answer;
use crate::log::log_at;

/// How long equals are gathered.
const WINDOW: Duration = Duration::from_secs(60);
/// So many kinds are told apart in a window; of the rest it isn't told who they were.
const MOST: usize = 1024;

/// The starts of the last minute. The first of a kind is told of at once; those that follow in the
/// same minute are one line with their number.
#[derive(Debug, Default)]
pub(crate) struct Turnstile {
    /// How many of a kind came after the first.
    more: BTreeMap<Kind, u64>,
    ends: Option<Instant>,
}

/// What two starts must have in common to be told of together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    /// Empty if the catalogue doesn't have it.
    stream: String,
    outcome: Outcome,
    client: Option<IpAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Edge(String),
    Origin,
    /// The code, as it is written.
    Refused(String),
}

impl Turnstile {
    /// A viewer asked, and was answered.
    pub(crate) fn pass(
        &mut self,
        stream: &str,
        client: Option<IpAddr>,
        answer: &Answer<Started>,
        now: Instant,
    ) {
        let kind = kind(stream, client, answer);
        let known = self.more.contains_key(&kind);
        // Who they are doesn't matter where many are turned away for the same reason.
        let kind =
            if known || self.more.len() < MOST { kind } else { Kind { client: None, ..kind } };
        self.ends.get_or_insert(now + WINDOW);
        if let Some(more) = self.more.get_mut(&kind) {
            *more += 1;
            return;
        }
        match answer {
            Ok(_) => kind.tell(1),
            Err(refused) => kind.tell_why(refused, client),
        }
        self.more.insert(kind, 0);
    }

    /// When there may be something to tell.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.ends
    }

    /// Tells of a window that is over.
    pub(crate) fn poll(&mut self, now: Instant) {
        if self.ends.is_some_and(|ends| ends <= now) {
            self.close();
        }
    }

    /// Tells of all that was gathered.
    pub(crate) fn close(&mut self) {
        self.ends = None;
        for (kind, more) in std::mem::take(&mut self.more) {
            if more > 0 {
                kind.tell(more);
            }
        }
    }
}

impl Kind {
    /// The stream; none if it has none of a name that is known.
    fn named(&self) -> Option<&str> {
        Some(self.stream.as_str()).filter(|name| !name.is_empty())
    }

    /// So many of this kind came.
    fn tell(&self, count: u64) {
        let stream = self.named();
        let client = self.client.as_ref().map(tracing::field::display);
        match &self.outcome {
            Outcome::Edge(edge) => {
                info!(name: "start", stream, edge, client, count, "viewers are sent to the edge");
            }
            Outcome::Origin => {
                info!(name: "start", stream, via = "origin", client, count, "viewers are sent to the origin");
            }
            Outcome::Refused(code) => {
                info!(name: "turned-away", stream, code, count, "more viewers are turned away");
            }
        }
    }

    /// The first of this kind was turned away.
    fn tell_why(&self, refused: &Refused, client: Option<IpAddr>) {
        let (stream, code) = (self.named(), refused.code.to_string());
        let client = client.as_ref().map(tracing::field::display);
        let why = &refused.message;
        log_at!(
            level(refused.code),
            name: "turned-away", stream, code, client, count = 1, "a viewer is turned away: {why}"
        );
    }
}

fn kind(stream: &str, client: Option<IpAddr>, answer: &Answer<Started>) -> Kind {
    match answer {
        Ok(Started { via: Via::Edge, edge, .. }) => {
            let edge = edge.clone().unwrap_or_default();
            Kind { stream: stream.to_owned(), outcome: Outcome::Edge(edge), client }
        }
        Ok(Started { via: Via::Origin, .. }) => {
            Kind { stream: stream.to_owned(), outcome: Outcome::Origin, client }
        }
        Err(refused) => {
            // A name that the catalogue doesn't have may be anything.
            let known = refused.code != ErrorCode::UnknownStream;
            Kind {
                stream: if known { stream.to_owned() } else { String::new() },
                outcome: Outcome::Refused(refused.code.to_string()),
                client: None,
            }
        }
    }
}

/// Whose matter a refusal is.
fn level(code: ErrorCode) -> Level {
    match code {
        ErrorCode::Internal => Level::ERROR,
        ErrorCode::NoConsent
        | ErrorCode::EdgeUnreachable
        | ErrorCode::NoEdge
        | ErrorCode::SourceRefuses
        | ErrorCode::SourceUnreachable
        | ErrorCode::Limit => Level::WARN,
        ErrorCode::BadRequest
        | ErrorCode::UnknownStream
        | ErrorCode::SourceStarting
        | ErrorCode::Forbidden => Level::INFO,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    use super::*;

    /// The name and count of every event.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<(&'static str, u64)>>>);

    struct Count(u64);

    impl Visit for Count {
        fn record_u64(&mut self, field: &Field, value: u64) {
            if field.name() == "count" {
                self.0 = value;
            }
        }

        fn record_i64(&mut self, field: &Field, value: i64) {
            self.record_u64(field, value.unsigned_abs());
        }

        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            let value = format!("{value:?}");
            assert!(!value.is_empty() && value != "\"\"", "{field} has nothing to say");
        }
    }

    impl<S: tracing::Subscriber> Layer<S> for Told {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            let mut count = Count(0);
            event.record(&mut count);
            self.0.lock().unwrap().push((event.metadata().name(), count.0));
        }
    }

    fn started() -> Answer<Started> {
        let edge = Some("dss2".to_owned());
        Ok(Started {
            url: String::new(),
            via: Via::Edge,
            edge,
            state: None,
            title: None,
            audio: None,
        })
    }

    fn told(act: impl FnOnce(&mut Turnstile, Instant)) -> Vec<(&'static str, u64)> {
        let told = Told::default();
        let log = tracing_subscriber::registry().with(told.clone());
        tracing::subscriber::with_default(log, || {
            act(&mut Turnstile::default(), Instant::now());
        });
        let told = told.0.lock().unwrap();
        told.clone()
    }

    fn client(number: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(number.into()))
    }

    #[test]
    fn each_viewer_is_a_line_and_their_impatience_another() {
        let told = told(|turnstile, now| {
            for _ in 0..100 {
                turnstile.pass("news", client(1), &started(), now);
                turnstile.pass("news", client(2), &started(), now);
            }
            assert_eq!(turnstile.next_wake(), Some(now + WINDOW));
            turnstile.poll(now);
            turnstile.poll(now + WINDOW);
            assert_eq!(turnstile.next_wake(), None);
        });
        assert_eq!(told, [("start", 1), ("start", 1), ("start", 99), ("start", 99)]);
    }

    #[test]
    fn a_crowd_that_is_turned_away_is_two_lines() {
        let told = told(|turnstile, now| {
            for number in 0..10_000 {
                let refused = Refused::new(ErrorCode::UnknownStream, "there is no such stream");
                turnstile.pass(&format!("x{number}"), client(number), &Err(refused), now);
            }
            turnstile.close();
        });
        assert_eq!(told, [("turned-away", 1), ("turned-away", 9999)]);
    }

    #[test]
    fn a_crowd_of_strangers_is_counted_to_the_last() {
        let told = told(|turnstile, now| {
            for number in 0..100_000 {
                turnstile.pass("news", client(number), &started(), now);
            }
            turnstile.close();
        });
        assert_eq!(told.len(), MOST + 2);
        assert_eq!(told.iter().map(|(_, count)| count).sum::<u64>(), 100_000);
    }
}
