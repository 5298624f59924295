//! Finds out which streams are on air.
//!
//! For a relayed stream, the counters tell. The daemon listens to the others for about a second,
//! but only when somebody asks.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::effect::Effect;
use super::input::CallId;

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
    waiting: Vec<(CallId, Instant)>,
}

impl OnAir {
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
        mut streams: Vec<Audible>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) -> bool {
        streams.retain(|(stream, _)| self.within(FRESH, stream, now).is_none());
        let unknown = |(stream, _): &Audible| self.within(HOLDS, stream, now).is_none();
        let worth_waiting = streams.iter().any(unknown);
        if !self.listening && !streams.is_empty() {
            // Streams with the oldest results come first.
            streams.sort_by_key(|(stream, _)| self.results.get(stream).map(|(_, at)| *at));
            streams.truncate(AT_A_TIME);
            effects.push(Effect::Listen(streams));
            self.listening = true;
        }
        worth_waiting
    }

    /// Lets a caller wait for the current scan.
    pub(crate) fn wait(&mut self, call: CallId, now: Instant) {
        self.waiting.push((call, now + PATIENCE));
    }

    /// Takes the results of a scan. Returns the waiting callers.
    pub(crate) fn learn(
        &mut self,
        results: Vec<(String, Option<bool>)>,
        now: Instant,
    ) -> Vec<CallId> {
        self.listening = false;
        self.results.retain(|_, (_, at)| now.saturating_duration_since(*at) < HOLDS);
        self.results.extend(results.into_iter().map(|(stream, on_air)| (stream, (on_air, now))));
        self.take_all()
    }

    /// Removes the callers whose time is up.
    pub(crate) fn take_late(&mut self, now: Instant) -> Vec<CallId> {
        let late = self.waiting.extract_if(.., |(_, deadline)| *deadline <= now);
        late.map(|(call, _)| call).collect()
    }

    /// Removes all waiting callers.
    pub(crate) fn take_all(&mut self) -> Vec<CallId> {
        self.waiting.drain(..).map(|(call, _)| call).collect()
    }

    /// The time at which the next caller's time is up.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.waiting.iter().map(|(_, deadline)| *deadline).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(name: &str) -> Audible {
        (name.into(), Vec::new())
    }

    #[test]
    fn a_crowd_is_one_scan_and_its_results_hold() {
        let (mut on_air, mut effects, now) = (OnAir::default(), Vec::new(), Instant::now());
        let both = || vec![stream("news"), stream("sport")];
        assert!((0..100).all(|_| on_air.listen(both(), now, &mut effects)));
        assert_eq!(effects.len(), 1);
        on_air.learn(vec![("news".into(), Some(true)), ("sport".into(), None)], now);
        assert_eq!((on_air.known("news", now), on_air.known("sport", now)), (Some(true), None));
        let soon = now + FRESH - Duration::from_millis(1);
        assert!(!on_air.listen(both(), soon, &mut effects) && effects.len() == 1);

        let later = now + FRESH;
        assert!(!on_air.listen(both(), later, &mut effects), "the old result is served");
        assert_eq!((effects.len(), on_air.known("news", later)), (2, Some(true)));
        assert_eq!(on_air.known("news", now + HOLDS), None);
        assert!(on_air.listen(both(), now + HOLDS, &mut effects));
    }

    #[test]
    fn every_stream_has_its_turn() {
        let (mut on_air, mut effects, now) = (OnAir::default(), Vec::new(), Instant::now());
        let streams: Vec<_> = (0..100).map(|number| stream(&format!("s{number:03}"))).collect();
        for (first, count) in [("s000", AT_A_TIME), ("s064", 36)] {
            assert!(on_air.listen(streams.clone(), now, &mut effects));
            let Some(Effect::Listen(scanned)) = effects.pop() else { panic!("no scan") };
            assert_eq!((scanned[0].0.as_str(), scanned.len()), (first, count));
            on_air.learn(scanned.into_iter().map(|(name, _)| (name, Some(true))).collect(), now);
        }
        assert!(!on_air.listen(streams, now, &mut effects) && effects.is_empty());
    }
}
