//! Which streams are on air just now.
//!
//! Of a stream that is relayed the counters know. To the others the daemon listens, but only when
//! somebody wants to know, for about a second, and on a thread of its own. It does so by taps of the
//! data plane, so that a relay that begins meanwhile has the port, too.

use std::collections::HashMap;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use catalog::Stream;
use control::{Reply, StreamList, StreamStatus, Verdict};
use forward::Plane;
use model::SourceState;
use scan::{Media, Scan};
use tracing::warn;

use crate::core::input::{Input, Post};
use crate::core::supervisor::Supervisor;
use crate::shell::session::line_of;

/// How long is listened to a stream that says nothing.
const LISTENS: Duration = Duration::from_secs(1);
/// How long who asks may wait for that. relay.cgi waits two seconds.
const PATIENCE: Duration = Duration::from_millis(1400);
/// A relayed stream of which nothing has arrived for so long is off air.
pub(crate) const SILENCE: Duration = Duration::from_secs(2);
/// What was heard is fresh for so long: nobody listens again.
const FRESH: Duration = Duration::from_secs(20);
/// What was heard is told for so long: whoever asks meanwhile has it listened to again, but does
/// not wait for that.
const HOLDS: Duration = Duration::from_secs(60);
/// To how many streams is listened at a time.
const AT_A_TIME: usize = 64;

/// A stream by name, and whether it is on air; none if that can't be heard.
pub(crate) type Heard = Vec<(String, Option<bool>)>;

/// A stream by name, and its medias that can be listened to.
type Audible = (String, Vec<Media>);

/// What was heard, and who waits to know.
#[derive(Debug)]
pub(crate) struct Air {
    post: Post,
    heard: HashMap<String, (Option<bool>, Instant)>,
    listening: bool,
    curious: Vec<Curious>,
}

#[derive(Debug)]
struct Curious {
    reply: Sender<String>,
    deadline: Instant,
}

impl Air {
    /// Knows nothing yet; what is heard will come to `post`.
    pub(crate) fn new(post: Post) -> Self {
        Self { post, heard: HashMap::new(), listening: false, curious: Vec::new() }
    }

    /// Whether a stream is on air, if that was heard lately.
    pub(crate) fn known(&self, stream: &str, now: Instant) -> Option<bool> {
        self.heard_within(HOLDS, stream, now).and_then(|heard| *heard)
    }

    /// When who waits the longest has waited long enough.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.curious.iter().map(|curious| curious.deadline).min()
    }

    fn heard_within(&self, time: Duration, stream: &str, now: Instant) -> Option<&Option<bool>> {
        let (heard, at) = self.heard.get(stream)?;
        (now.saturating_duration_since(*at) < time).then_some(heard)
    }

    /// Listens to those of these streams that are due, unless it does so already. Whether it is
    /// worth waiting for what comes of that.
    fn listen(&mut self, mut streams: Vec<Audible>, plane: &Plane, now: Instant) -> bool {
        streams.retain(|(stream, _)| self.heard_within(FRESH, stream, now).is_none());
        let unheard = |(stream, _): &Audible| self.heard_within(HOLDS, stream, now).is_none();
        let worth = streams.iter().any(unheard);
        if !self.listening && !streams.is_empty() {
            // Those first that were never listened to, or the longest ago.
            streams.sort_by_key(|(stream, _)| self.heard.get(stream).map(|(_, at)| *at));
            streams.truncate(AT_A_TIME);
            let medias = streams.iter().flat_map(|(_, medias)| medias).cloned().collect();
            let scan = Scan::on(plane, medias, true);
            let post = self.post.clone();
            let spawned = thread::Builder::new().name("air".into()).spawn(move || {
                let heard = hear(&streams, scan);
                // Nobody listens any more only when the daemon is stopping.
                let _ = post.send(Input::Heard(heard));
            });
            match spawned {
                Ok(_) => self.listening = true,
                Err(error) => {
                    warn!(%error, "can't find out which streams are on air");
                    return false;
                }
            }
        }
        worth
    }

    fn learn(&mut self, heard: Heard, now: Instant) {
        self.listening = false;
        self.heard.retain(|_, (_, at)| now.saturating_duration_since(*at) < HOLDS);
        self.heard.extend(heard.into_iter().map(|(stream, on_air)| (stream, (on_air, now))));
    }
}

impl Supervisor {
    /// Tells the streams, and which are on air; of what isn't known, once it was listened to.
    pub(crate) fn tell_streams(&mut self, reply: Sender<String>, now: Instant) {
        let told = self.streams(now);
        if self.air.listen(self.unheard(&told), &self.plane, now) {
            self.air.curious.push(Curious { reply, deadline: now + PATIENCE });
        } else {
            say(&reply, told);
        }
    }

    /// The streams that can be listened to, but for those that are received anyway.
    fn unheard(&self, told: &StreamList) -> Vec<Audible> {
        let received = |stream: &&StreamStatus| {
            let origin = stream.origin.as_ref();
            !stream.relayed_to.is_empty()
                || origin.is_some_and(|origin| origin.state == SourceState::Running)
        };
        let idle = told.streams.iter().filter(|stream| !received(stream));
        let streams = idle.filter_map(|told| self.catalog.stream(&told.name));
        let audible = streams.map(|stream| (stream.name.clone(), audible(stream)));
        audible.filter(|(_, medias)| !medias.is_empty()).collect()
    }

    /// It was listened: whoever waited for that is answered.
    pub(crate) fn learn(&mut self, heard: Heard, now: Instant) {
        self.air.learn(heard, now);
        self.answer_the_curious(now, |_| true);
    }

    /// Answers who has waited long enough.
    pub(crate) fn give_up_listening(&mut self, now: Instant) {
        self.answer_the_curious(now, |curious| curious.deadline <= now);
    }

    fn answer_the_curious(&mut self, now: Instant, which: impl Fn(&Curious) -> bool) {
        let (answered, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.air.curious).into_iter().partition(which);
        self.air.curious = waiting;
        if !answered.is_empty() {
            let told = self.streams(now);
            answered.iter().for_each(|curious| say(&curious.reply, told.clone()));
        }
    }
}

fn say(reply: &Sender<String>, told: StreamList) {
    // A caller who hung up meanwhile wants no answer.
    let _ = reply.send(line_of(&Reply::Ok(told)));
}

/// The medias of a stream that can be listened to: all, unless it is pulled. Of one that is nothing
/// arrives before.
fn audible(stream: &Stream) -> Vec<Media> {
    match stream.source {
        Some(_) => Vec::new(),
        None => Media::of(stream).unwrap_or_default(),
    }
}

/// Listens to all of them at once, until each is on air for sure or the time is over.
fn hear(streams: &[Audible], mut scan: Scan) -> Heard {
    scan.listen(LISTENS);
    let mut results = scan.results().into_iter();
    let stream = |(stream, medias): &Audible| {
        let verdicts = results.by_ref().take(medias.len()).map(|result| result.verdict());
        (stream.clone(), on_air(&verdicts.collect::<Vec<_>>()))
    };
    streams.iter().map(stream).collect()
}

/// A stream is on air if a media of it is; off air, if to each was listened in vain.
fn on_air(medias: &[Verdict]) -> Option<bool> {
    if medias.contains(&Verdict::Active) {
        return Some(true);
    }
    let in_vain = !medias.is_empty() && medias.iter().all(|media| *media == Verdict::NotActive);
    in_vain.then_some(false)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn media() -> Media {
        let (stream, label) = ("news".into(), "video H264".into());
        Media { stream, label, sources: vec![], formats: vec![] }
    }

    fn plane() -> Plane {
        Plane::start(forward::Settings { workers: 1, ..forward::Settings::default() }, |_| {})
            .unwrap()
    }

    fn stream(name: &str) -> Audible {
        (name.into(), vec![media()])
    }

    #[test]
    fn a_crowd_is_listened_for_once_and_what_was_heard_holds() {
        let ((post, inbox), plane) = (mpsc::channel(), plane());
        let (mut air, now) = (Air::new(post), Instant::now());
        assert!((0..100).all(|_| air.listen(vec![stream("news"), stream("sport")], &plane, now)));
        let Input::Heard(heard) = inbox.recv().unwrap() else { panic!("nothing heard") };
        assert!(inbox.try_recv().is_err());
        // Without a source there is nothing to hear, and that is known at once.
        assert_eq!(heard, [("news".into(), Some(false)), ("sport".into(), Some(false))]);
        air.learn(vec![("news".into(), Some(true)), ("sport".into(), None)], now);
        assert_eq!((air.known("news", now), air.known("sport", now)), (Some(true), None));
        let soon = now + FRESH - Duration::from_millis(1);
        assert!(!air.listen(vec![stream("news"), stream("sport")], &plane, soon));
        assert!(inbox.try_recv().is_err() && !air.listening);

        let later = now + FRESH;
        assert!(
            !air.listen(vec![stream("news")], &plane, later),
            "who asks is told what was heard"
        );
        assert!(air.listening && inbox.recv().is_ok());
        assert_eq!(air.known("news", later), Some(true));
        assert_eq!(air.known("news", now + HOLDS), None);
        assert!(air.listen(vec![stream("news")], &plane, now + HOLDS));
    }

    #[test]
    fn only_so_many_streams_are_listened_to_and_each_has_its_turn() {
        let ((post, inbox), plane) = (mpsc::channel(), plane());
        let (mut air, now) = (Air::new(post), Instant::now());
        let streams: Vec<_> = (0..100).map(|number| stream(&format!("s{number:03}"))).collect();
        for (first, count) in [("s000", AT_A_TIME), ("s064", 36)] {
            assert!(air.listen(streams.clone(), &plane, now));
            let Input::Heard(heard) = inbox.recv().unwrap() else { panic!("nothing heard") };
            assert_eq!((heard[0].0.as_str(), heard.len()), (first, count));
            air.learn(heard, now);
        }
        assert!(!air.listen(streams, &plane, now) && !air.listening);
    }

    #[test]
    fn one_media_on_air_is_enough_and_what_was_not_heard_says_nothing() {
        use Verdict::{Active, Busy, Failed, NotActive};
        assert_eq!(on_air(&[NotActive, Active]), Some(true));
        assert_eq!(on_air(&[NotActive, NotActive]), Some(false));
        assert_eq!(on_air(&[NotActive, Failed]), None);
        assert_eq!(on_air(&[Busy]), None);
        assert_eq!(on_air(&[]), None);
    }
}
