//! Finds out which streams are on air.
//!
//! For a relayed stream, the counters tell. The daemon listens to the others for about a second,
//! but only when somebody asks.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use catalog::Stream;

use super::effect::Effect;
use super::input::CallId;
use super::stream_list::StreamChoice;

/// The time that a caller may wait for the result. relay.cgi waits for two seconds.
const PATIENCE: Duration = Duration::from_millis(1400);
/// A relayed stream is off air if nothing arrived for this long.
pub(crate) const SILENCE: Duration = Duration::from_secs(2);
/// After a scan, no new scan begins for this long.
const FRESH: Duration = Duration::from_secs(20);
/// Results are served for this long while a new scan runs.
const HOLDS: Duration = Duration::from_secs(60);
/// The number of streams that one scan listens to.
const AT_A_TIME: usize = 64;

/// A stream's name, and the media that a scan can listen to.
pub(crate) type Audible = (String, Vec<scan::Media>);

/// The results of recent scans, and the callers that wait for the current scan.
#[derive(Debug, Default)]
pub(crate) struct OnAir {
    results: HashMap<String, (Option<bool>, Instant)>,
    listening: bool,
    waiting: Vec<(CallId, StreamChoice, Instant)>,
}

impl OnAir {
    /// The streams of the last scans.
    pub(crate) fn streams(&self) -> impl Iterator<Item = &str> {
        self.results.keys().map(String::as_str)
    }

    /// Whether a stream is on air, if a recent scan found out.
    pub(crate) fn known(&self, stream: &str, now: Instant) -> Option<bool> {
        self.within(HOLDS, stream, now)?
    }

    fn within(&self, time: Duration, stream: &str, now: Instant) -> Option<Option<bool>> {
        let (result, at) = self.results.get(stream)?;
        (now.saturating_duration_since(*at) < time).then_some(*result)
    }

    /// Starts a scan of those of these streams that need one, unless a scan runs. Returns whether
    /// the caller should wait for a result.
    pub(crate) fn listen(
        &mut self,
        mut streams: Vec<&Stream>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) -> bool {
        streams.retain(|stream| self.within(FRESH, &stream.name, now).is_none());
        let unknown = |stream: &&Stream| self.within(HOLDS, &stream.name, now).is_none();
        let worth_waiting = streams.iter().any(unknown);
        if !self.listening && !streams.is_empty() {
            // Streams with the oldest results come first.
            streams.sort_by_key(|stream| self.results.get(&stream.name).map(|(_, at)| *at));
            streams.truncate(AT_A_TIME);
            let media = |stream: &Stream| scan::Media::of(stream).unwrap_or_default();
            let audible = streams.iter().map(|stream| (stream.name.clone(), media(stream)));
            effects.push(Effect::Listen(audible.collect()));
            self.listening = true;
        }
        worth_waiting
    }

    /// Lets a caller wait for the current scan.
    pub(crate) fn wait(&mut self, call: CallId, choice: StreamChoice, now: Instant) {
        self.waiting.push((call, choice, now + PATIENCE));
    }

    /// Takes the results of a scan. Returns the waiting callers.
    pub(crate) fn learn(
        &mut self,
        results: Vec<(String, Option<bool>)>,
        now: Instant,
    ) -> Vec<(CallId, StreamChoice)> {
        self.listening = false;
        self.results.retain(|_, (_, at)| now.saturating_duration_since(*at) < HOLDS);
        self.results.extend(results.into_iter().map(|(stream, on_air)| (stream, (on_air, now))));
        self.take_all()
    }

    /// Removes the callers whose time is up.
    pub(crate) fn take_late(&mut self, now: Instant) -> Vec<(CallId, StreamChoice)> {
        let late = self.waiting.extract_if(.., |(_, _, deadline)| *deadline <= now);
        late.map(|(call, choice, _)| (call, choice)).collect()
    }

    /// Removes all waiting callers.
    pub(crate) fn take_all(&mut self) -> Vec<(CallId, StreamChoice)> {
        self.waiting.drain(..).map(|(call, choice, _)| (call, choice)).collect()
    }

    /// The time at which the next caller's time is up.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.waiting.iter().map(|(_, _, deadline)| *deadline).min()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    /// A catalogue with so many streams.
    fn catalog(streams: u16) -> std::sync::Arc<catalog::Catalog> {
        let sdp = |port| testing::sdp("239.1.1.1", 5000 + 2 * port);
        let files: Vec<_> = (0..streams).map(|n| (format!("s{n:03}.sdp"), sdp(n))).collect();
        testing::catalog(&testing::edge("dss2", "198.51.100.7", ""), &files)
    }

    #[test]
    fn a_crowd_is_one_scan_and_its_results_hold() {
        let (mut on_air, mut effects, now) = (OnAir::default(), Vec::new(), Instant::now());
        let catalog = catalog(2);
        let all = || catalog.streams().collect();
        assert!((0..100).all(|_| on_air.listen(all(), now, &mut effects)));
        assert_eq!(effects.len(), 1);
        on_air.learn(vec![("s000".into(), Some(true)), ("s001".into(), None)], now);
        assert_eq!((on_air.known("s000", now), on_air.known("s001", now)), (Some(true), None));
        let soon = now + FRESH - Duration::from_millis(1);
        assert!(!on_air.listen(all(), soon, &mut effects) && effects.len() == 1);

        let later = now + FRESH;
        assert!(!on_air.listen(all(), later, &mut effects), "the old result is served");
        assert_eq!((effects.len(), on_air.known("s000", later)), (2, Some(true)));
        assert_eq!(on_air.known("s000", now + HOLDS), None);
        assert!(on_air.listen(all(), now + HOLDS, &mut effects));
    }

    #[test]
    fn every_stream_has_its_turn() {
        let (mut on_air, mut effects, now) = (OnAir::default(), Vec::new(), Instant::now());
        let catalog = catalog(100);
        let all = || catalog.streams().collect();
        for (first, count) in [("s000", AT_A_TIME), ("s064", 36)] {
            assert!(on_air.listen(all(), now, &mut effects));
            let Some(Effect::Listen(scanned)) = effects.pop() else { panic!("no scan") };
            assert_eq!((scanned[0].0.as_str(), scanned.len()), (first, count));
            on_air.learn(scanned.into_iter().map(|(name, _)| (name, Some(true))).collect(), now);
        }
        assert!(!on_air.listen(all(), now, &mut effects) && effects.is_empty());
    }
}
